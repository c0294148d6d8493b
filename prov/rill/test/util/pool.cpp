// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "util/pool.hpp"

#include <criterion/criterion.h>

#include <vector>

using rill::Pool;

Test(pool, a_handle_of_a_freed_object_finds_nothing) {
    Pool<int> pool(10);
    int* a = pool.make(7);
    auto h = pool.handle(a);
    cr_assert_eq(pool.find(h), a);
    pool.free(a);
    cr_assert_null(pool.find(h));
    int* b = pool.make(8);
    cr_assert_eq(b, a, "the slot is used again");
    cr_assert_null(pool.find(h), "but not under the old handle");
    cr_assert_eq(*pool.at(h.slot), 8);
}

Test(pool, answers_null_at_its_limit_and_objects_never_move) {
    Pool<int> pool(1000);
    std::vector<int*> all;
    for (int i = 0; i < 1000; ++i)
        all.push_back(pool.make(i));
    cr_assert_null(pool.make(0));
    for (int i = 0; i < 1000; ++i)
        cr_assert_eq(*all[i], i);
    pool.free(all[500]);
    cr_assert_not_null(pool.make(1));
    cr_assert_null(pool.make(1));
}

Test(pool, destroys_what_lives) {
    struct Counted {
        explicit Counted(int& n) : n_(n) { ++n_; }
        ~Counted() { --n_; }
        int& n_;
    };
    int live = 0;
    {
        Pool<Counted> pool(100);
        for (int i = 0; i < 70; ++i)
            (void)pool.make(live);
        cr_assert_eq(live, 70);
    }
    cr_assert_eq(live, 0);
}
