// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "nic/bounce.hpp"

#include <criterion/criterion.h>

using rill::nic::BouncePool;

Test(bounce, payload_that_is_refused_keeps_no_envelope_out) {
    BouncePool pool(2, 1000);
    std::byte* big = pool.take(1000);
    cr_assert_not_null(big);
    cr_assert_null(pool.take(65), "the larger ones share a number of bytes");
    std::byte* a = pool.take(64);
    std::byte* b = pool.take(0);
    cr_assert(a && b);
    cr_assert_null(pool.take(1), "envelopes have a number of their own");
    cr_assert_not(pool.envelope_room(1));
    pool.give_back(a);
    cr_assert(pool.envelope_room(1));
    pool.give_back(b);
    pool.give_back(big);
    pool.give_back(nullptr);
    cr_assert_eq(pool.bytes_in_use(), 0u);
    cr_assert_eq(pool.envelopes_in_use(), 0u);
}
