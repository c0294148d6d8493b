// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace bench {

// How much a measurement may cost. Both limits hold, so that neither a very fast nor a very slow
// subject runs on.
struct Load {
    double seconds = 0.5;
    std::uint64_t count_max = 20'000'000;
};

struct Sample {
    std::uint64_t count = 0;
    double seconds = 0;
    double longest_gap_s = 0; // between two arrivals of a stream, where it was asked for
};

inline double seconds_now() {
    using namespace std::chrono;
    return duration<double>(steady_clock::now().time_since_epoch()).count();
}

// Repeats run(count), which returns the seconds it took, with growing counts; the sample is the
// first run that took at least half the time wanted. Growth is limited to 32 at a time, because the
// first, shortest run is the least reliable one.
template <typename Run>
Sample measure(const Load& load, std::uint64_t count_first, Run&& run) {
    std::uint64_t count = std::min(count_first, load.count_max);
    for (;;) {
        const double seconds = run(count);
        if (seconds >= load.seconds / 2 || count >= load.count_max) return {count, seconds, 0};
        const double growth = std::clamp(load.seconds / std::max(seconds, 1e-6), 2.0, 32.0);
        count = std::min(load.count_max,
                         static_cast<std::uint64_t>(static_cast<double>(count) * growth));
    }
}

} // namespace bench
