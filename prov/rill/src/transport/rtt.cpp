// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/rtt.hpp"

namespace rill::transport {
namespace {
constexpr Duration kMinWindow = std::chrono::seconds(10);
// Time stamps on the wire count microseconds: a shorter round trip would read as none at all.
constexpr Duration kShortest = std::chrono::microseconds(1);
} // namespace

void RttEstimator::sample(Duration rtt, Instant now) {
    rtt = std::max(rtt, kShortest);
    latest_ = rtt;
    if (!valid()) {
        srtt_ = rtt;
        rttvar_ = rtt / 2;
        min_since_ = now;
    } else {
        Duration error = rtt > srtt_ ? rtt - srtt_ : srtt_ - rtt;
        rttvar_ += (error - rttvar_) / 4;
        srtt_ = std::max(srtt_ + (rtt - srtt_) / 8, kShortest);
    }
    if (now - min_since_ > kMinWindow) {
        previous_min_ = min_;
        min_ = rtt;
        min_since_ = now;
    }
    min_ = std::min(min_, rtt);
}

} // namespace rill::transport
