// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <chrono>
#include <cstdint>

namespace rill {

// Virtual or real nanoseconds since an arbitrary origin. The clock is only a tag: nothing below
// `fi` and `link` can read one, so the same code runs under the simulator's time.
struct VirtualClock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<VirtualClock>;
    static constexpr bool is_steady = true;
};

using Duration = VirtualClock::duration;
using Instant = VirtualClock::time_point;

inline constexpr Instant kNever = Instant::max();

constexpr int64_t to_us(Duration d) {
    return std::chrono::duration_cast<std::chrono::microseconds>(d).count();
}

// Low 32 bits of the time in microseconds: what a packet carries as its send time stamp.
// Wraps every 71 minutes; only differences below half of that are meaningful.
constexpr uint32_t timestamp_us(Instant t) {
    return static_cast<uint32_t>(to_us(t.time_since_epoch()));
}

} // namespace rill
