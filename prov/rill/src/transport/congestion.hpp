// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "util/time.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace rill::transport {

// What windows that may share a bottleneck may grow by (RFC 6356): all are added, then asked.
class Coupling {
public:
    void add(size_t window_bytes, Duration srtt) {
        const double rtt = static_cast<double>(srtt.count());
        const double rate = static_cast<double>(window_bytes) / rtt;
        best_ = std::max(best_, rate / rtt);
        sum_ += rate;
    }
    // Increases per byte acknowledged. With n equal windows each is cut at every n-th loss only, so
    // each grows by 1/n² of what one alone would.
    double per_byte() const { return sum_ > 0 ? best_ / (sum_ * sum_) : 1; }

private:
    double best_ = 0; // window / rtt², in bytes per ns²
    double sum_ = 0;  // of window / rtt
};

// The congestion window of a context, in bytes on the wire: slow start, additive increase per round
// trip, multiplicative decrease at most once per round trip.
class CongestionWindow {
public:
    enum class Loss : uint8_t {
        congestive, // the path's delay has grown too: a queue is full
        isolated,   // the delay stands: a lossy link, which backing off does not mend
    };

    explicit CongestionWindow(size_t packet_bytes);

    size_t bytes() const { return bytes_; }
    bool slow_start() const { return bytes_ < threshold_; }

    // `limited`: the window was what held the sender back; an unused window does not grow.
    // `coupled`: by how much of an increase it grows for each byte at most, so that windows that may
    // share a bottleneck are together no greedier than one. 1: it is alone.
    void acked(size_t bytes, bool limited, double coupled = 1);
    // Its path is so much slower than the others that its packets would hold up theirs.
    void delayed(Instant now, Duration srtt, Duration target);
    // `sent` is when the packet left: what left before the last cut says nothing new.
    void lost(Instant sent, Instant now, Loss kind);
    void marked(Instant now, Duration srtt);
    void timed_out(Instant now);
    void set_packet_bytes(size_t packet_bytes);
    // Grows no further than this: what credit and the PSN window allow anyway.
    void set_ceiling(size_t bytes) { ceiling_ = bytes; }

private:
    void cut(size_t to, Instant now);

    size_t bytes_;
    size_t threshold_;
    size_t ceiling_;
    uint32_t packet_bytes_;
    Instant cut_at_{};
};

} // namespace rill::transport
