// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "util/time.hpp"

#include <cstddef>
#include <cstdint>

namespace rill::transport {

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
    // `coupled`: the windows that may share a bottleneck with this one, itself included, in bytes:
    // together they grow as one (RFC 6356). 0: it is alone.
    void acked(size_t bytes, bool limited, size_t coupled = 0);
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
