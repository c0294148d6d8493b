// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/context_table.hpp"

#include <criterion/criterion.h>

using namespace rill;
using namespace rill::transport;

Test(context_table, an_old_id_finds_nothing) {
    ContextTable t(4);
    Context* a = t.make(1, Psn(0), 1400);
    uint32_t id = a->id();
    cr_assert_neq(id, 0u);
    cr_assert_eq(t.find(id), a);
    cr_assert_null(t.find(id + 0x10000));
    cr_assert_null(t.find(77));
    auto kept = t.take(*a);
    cr_assert_null(t.find(id));
    Context* b = t.make(2, Psn(0), 1400);
    cr_assert_neq(b->id(), id);
    cr_assert_null(t.find(id));
}

Test(context_table, is_bounded) {
    ContextTable t(2);
    t.make(1, Psn(0), 1400);
    Context* b = t.make(1, Psn(0), 1400);
    cr_assert_null(t.make(1, Psn(0), 1400));
    t.take(*b);
    cr_assert_not_null(t.make(1, Psn(0), 1400));
    cr_assert_eq(t.live(), 2u);
}
