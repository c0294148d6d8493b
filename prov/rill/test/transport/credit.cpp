// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/credit.hpp"

#include <criterion/criterion.h>

using namespace rill;
using namespace rill::transport;
using namespace std::chrono_literals;

Test(credit, half_of_the_buffer_is_shared) {
    CreditBudget c(400000);
    cr_assert_eq(c.share(1, 2000, Instant{1s}), 200000u);
    cr_assert_eq(c.share(4, 2000, Instant{1s}), 50000u);
    cr_assert_eq(c.share(1000, 2000, Instant{1s}), 2000u, "one packet at least");
    cr_assert_eq(c.share(0, 2000, Instant{1s}), 200000u);
}

Test(credit, drops_shrink_it_for_a_while) {
    CreditBudget c(400000);
    Instant t{1s};
    cr_assert_eq(c.drops(0, t), 0u);
    cr_assert_eq(c.drops(5, t), 5u);
    cr_assert_eq(c.share(1, 2000, t), 100000u);
    cr_assert_eq(c.drops(6, t + 1ms), 1u);
    cr_assert_eq(c.share(1, 2000, t + 1ms), 100000u, "one burst, one step");
    c.drops(7, t + 20ms);
    cr_assert_eq(c.share(1, 2000, t + 20ms), 50000u);
    cr_assert_eq(c.share(1, 2000, t + 1s), 200000u);
}
