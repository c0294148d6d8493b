// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/tombstones.hpp"

#include <criterion/criterion.h>

using namespace rill;
using namespace rill::transport;
using namespace std::chrono_literals;

Test(tombstones, stand_for_a_while_and_know_the_token) {
    Tombstones t;
    t.add({1, 11, 2, 22, {}}, Instant{1s});
    cr_assert_not_null(t.find(1, 11));
    cr_assert_null(t.find(1, 12));
    cr_assert(t.knows_peer_token(22));
    t.expire(Instant{500s});
    cr_assert_not_null(t.find(1, 11));
    t.expire(Instant{700s});
    cr_assert_null(t.find(1, 11));
    cr_assert_not(t.knows_peer_token(22));
}

Test(tombstones, are_bounded) {
    Tombstones t;
    for (uint32_t i = 0; i < 100000; ++i)
        t.add({i, 1, i, i + 1, {}}, Instant{1s});
    cr_assert_leq(t.size(), 16384u);
    cr_assert_not_null(t.find(99999, 1));
    cr_assert_null(t.find(0, 1));
}
