// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "link/fast_clock.hpp"

#include <criterion/criterion.h>

#include <thread>

using namespace rill;
using namespace rill::link;
using namespace std::chrono_literals;

namespace {

// Between two readings of the system's clock, give or take what a rate that was measured over a
// millisecond can be wrong by.
void agrees(FastClock& clock, Instant& last) {
    constexpr Duration kSlack = 20us;
    const Instant before = monotonic_now();
    const Instant now = clock.now();
    const Instant after = monotonic_now();
    cr_assert(now >= before - kSlack && now <= after + kSlack, "%lld ns, not within %lld to %lld",
              static_cast<long long>(now.time_since_epoch().count()),
              static_cast<long long>(before.time_since_epoch().count()),
              static_cast<long long>(after.time_since_epoch().count()));
    cr_assert(now >= last);
    last = now;
}

} // namespace

Test(fast_clock, agrees_with_the_systems_and_never_goes_back) {
    FastClock clock;
    Instant last{};
    const Instant until = monotonic_now() + 1200ms; // longer than any rate is kept
    while (monotonic_now() < until)
        agrees(clock, last);
}

Test(fast_clock, is_right_after_a_sleep) {
    FastClock clock;
    Instant last{};
    for (int i = 0; i < 10; ++i) {
        for (int j = 0; j < 1000; ++j)
            agrees(clock, last);
        std::this_thread::sleep_for(i == 5 ? 1100ms : 3ms);
    }
}
