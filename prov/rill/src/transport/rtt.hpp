// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "util/time.hpp"

#include <algorithm>

namespace rill::transport {

// Round-trip time of one path (RFC 6298 gains). Every transmission carries its own time stamp, so
// no sample is ambiguous and retransmissions count too.
class RttEstimator {
public:
    void sample(Duration rtt, Instant now);

    bool valid() const { return srtt_ > Duration::zero(); }
    Duration srtt() const { return srtt_; }
    Duration rttvar() const { return rttvar_; }
    Duration latest() const { return latest_; }
    // The smallest of the last ten to twenty seconds: routes change.
    Duration min_rtt() const { return std::min(min_, previous_min_); }

private:
    Duration srtt_{};
    Duration rttvar_{};
    Duration latest_{};
    Duration min_ = Duration::max();
    Duration previous_min_ = Duration::max();
    Instant min_since_{};
};

} // namespace rill::transport
