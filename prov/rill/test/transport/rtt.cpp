// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/rtt.hpp"

#include <criterion/criterion.h>

using namespace rill;
using namespace rill::transport;
using namespace std::chrono_literals;

Test(rtt, follows_samples_and_keeps_the_smallest) {
    RttEstimator rtt;
    cr_assert_not(rtt.valid());
    Instant now{1s};
    rtt.sample(100us, now);
    cr_assert_eq(rtt.srtt(), Duration(100us));
    cr_assert_eq(rtt.rttvar(), Duration(50us));
    for (int i = 0; i < 100; ++i)
        rtt.sample(200us, now += 1ms);
    cr_assert_gt(rtt.srtt(), Duration(195us));
    cr_assert_eq(rtt.min_rtt(), Duration(100us));
}

Test(rtt, forgets_the_smallest_after_a_while) {
    RttEstimator rtt;
    Instant now{1s};
    rtt.sample(10us, now);
    for (int i = 0; i < 30; ++i)
        rtt.sample(500us, now += 1s);
    cr_assert_eq(rtt.min_rtt(), Duration(500us));
}

Test(rtt, never_reads_as_none) {
    RttEstimator rtt;
    for (int i = 0; i < 100; ++i)
        rtt.sample(0us, Instant{1s});
    cr_assert(rtt.valid());
    cr_assert_geq(rtt.srtt(), Duration(1us));
}
