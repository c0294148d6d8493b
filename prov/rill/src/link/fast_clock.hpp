// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "link/clock.hpp"
#include "util/time.hpp"

#include <algorithm>
#include <cstdint>

namespace rill::link {

// The clock of link/clock.hpp for whoever reads it with every message: between two looks at
// CLOCK_MONOTONIC, at most a millisecond apart, time goes on with the processor's cycle counter. That
// is read without waiting for the instructions before it, which is most of what the C library's
// clock costs here (docs/link.md). Used by one thread at a time; never goes back.
class FastClock {
public:
    // Reads the system's clock alone where the kernel does not trust the counter either.
    FastClock() : counts_(kernel_counts()) {}

    Instant now() {
        const uint64_t since = cycles() - anchor_cycles_;
        if (since < valid_cycles_) [[likely]]
            return anchor_ + Duration(static_cast<int64_t>(since * rate_ >> kShift));
        return anchor();
    }

private:
    static constexpr unsigned kShift = 32; // of the rate, nanoseconds per cycle
    static constexpr Duration kValid = std::chrono::milliseconds(1);
    static constexpr Duration kBaseline = std::chrono::milliseconds(500);

    static uint64_t cycles() {
#if defined(__x86_64__)
        return __builtin_ia32_rdtsc();
#else
        return 0;
#endif
    }
    static bool kernel_counts(); // fast_clock.cpp
    Instant anchor();

    bool counts_;
    uint64_t anchor_cycles_ = 0;
    uint64_t valid_cycles_ = 0; // after the anchor
    uint64_t rate_ = 0;
    Instant anchor_{};
    uint64_t base_cycles_ = 0; // where the rate is measured from
    Instant base_{};
};

} // namespace rill::link
