// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "util/seq.hpp"

#include <criterion/criterion.h>

using rill::Psn;

Test(seq, compares_across_the_wrap) {
    Psn last(UINT32_MAX), first(0);
    cr_assert(last < first);
    cr_assert(first > last);
    cr_assert_eq(first - last, 1);
    cr_assert_eq(last - first, -1);
    cr_assert_eq((last + 5).raw(), 4u);
}

Test(seq, path_sequence_wraps_at_16_bits) {
    cr_assert_eq(rill::path_seq_diff(2, 0xffff), 3);
    cr_assert_eq(rill::path_seq_diff(0xffff, 2), -3);
}
