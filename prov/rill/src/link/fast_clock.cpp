// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "link/fast_clock.hpp"

#include <fstream>
#include <string>

namespace rill::link {

bool FastClock::kernel_counts() {
    std::ifstream in("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    std::string source;
    return in >> source && source == "tsc";
}

// The rate is that of the last half second to one second: the system's clock is slewed, and a sleep of
// the machine stops one of the two.
Instant FastClock::anchor() {
    const Instant real = monotonic_now();
    if (!counts_) return real;
    const uint64_t at = cycles();
    const Instant last = anchor_ + Duration(static_cast<int64_t>(valid_cycles_ * rate_ >> kShift));
    const Duration baseline = real - base_;
    const uint64_t counted = at - base_cycles_;
    valid_cycles_ = 0;
    if (base_ != Instant{} && baseline >= kValid && baseline < 2 * kBaseline && counted > 0) {
        rate_ = static_cast<uint64_t>((static_cast<unsigned __int128>(baseline.count()) << kShift) /
                                      counted);
        if (rate_ > 0) valid_cycles_ = (static_cast<uint64_t>(kValid.count()) << kShift) / rate_;
    }
    if (base_ == Instant{} || baseline >= kBaseline) {
        base_ = real;
        base_cycles_ = at;
    }
    anchor_ = std::max(real, std::min(last, real + kValid));
    anchor_cycles_ = at;
    return anchor_;
}

} // namespace rill::link
