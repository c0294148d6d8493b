// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "transport/congestion.hpp"
#include "transport/outgoing.hpp"
#include "transport/path_health.hpp"
#include "transport/rtt.hpp"
#include "util/list.hpp"
#include "util/time.hpp"

#include <algorithm>
#include <cstdint>

namespace rill::transport {

// Path numbers on the wire are below this: a receiver keeps state for each.
inline constexpr uint16_t kPathsMax = 64;

using PacketList = List<Outgoing, LossQueueTag>;

// Penalty points of 3-transport: how much an event says about a path.
enum class Blame : uint8_t { mark = 1, loss = 4, timeout = 15 };

// One path as its sender sees it. Loss is judged here and only here (RACK, RFC 8985): two paths
// have different delays, so comparing sequence numbers across them says nothing.
class Path {
public:
    // Which local address it leaves from, which of the peer's it goes to, and the link's entropy.
    struct Way {
        uint8_t nic = 0;
        uint8_t remote = 0;
        uint16_t entropy = 0;
    };

    Path(Way way, size_t packet_bytes) : way(way), window(packet_bytes) {}

    // Whether this much more may be out on it; one packet always.
    bool takes(size_t bytes) const {
        return in_flight_bytes == 0 || in_flight_bytes + bytes <= window.bytes();
    }
    // How full it is, in quarters of its window: 0 to 4.
    unsigned fullness() const {
        return static_cast<unsigned>(std::min<size_t>(4 * in_flight_bytes / window.bytes(), 4));
    }
    // By more than round trips differ anyway.
    bool faster_than(const Path& other) const;
    // How long a train takes at the present rate.
    Duration train_time() const;
    // A number for the next transmission. One that then stays here leaves a harmless gap.
    uint16_t take_seq() { return next_seq_++; }
    uint16_t next_seq() const { return next_seq_; }
    // Goes on where an earlier path of that number was.
    void resume(uint16_t seq) {
        next_seq_ = seq;
        delivered_seq_ = static_cast<uint16_t>(seq - 1);
    }
    // The last `n` were not used after all. Were they lost instead, a link that is full for long would
    // make the numbers wrap between two deliveries, and everything in flight look overtaken.
    void give_back_seq(size_t n) { next_seq_ = static_cast<uint16_t>(next_seq_ - n); }
    // A packet that has its number left.
    void sent(Outgoing& packet, Instant now);
    // Something with this sequence number arrived at the other end. false: it was never sent.
    bool delivered(uint16_t seq);
    // The oldest packet if it must be taken for lost, else null. The caller unlinks it. `train` is
    // how long a train takes at the present rate: trains of several paths interleave at a NIC.
    Outgoing* next_lost(Instant now, Duration train);
    // When next_lost() can have an answer; kNever while nothing was overtaken.
    Instant reorder_deadline(Duration train);
    // Nothing younger was heard of on this path, but other paths progress: the oldest packet if
    // it is so old that the path must have swallowed it. `newest` is when the youngest packet
    // known to have arrived on any path was sent.
    Outgoing* next_swallowed(Instant newest, Duration train);
    // A retransmission was needless: wait longer next time.
    void spurious() {
        if (reorder_shift_ < 6) ++reorder_shift_;
    }
    void blame(Blame what, Instant now);
    // How bad the path is, 0 is best. Fades with time, so that every path is tried again.
    uint32_t penalty(Instant now) const;
    // Queueing delay that says "congested" rather than "lossy".
    bool congested() const;
    // Total of marks that the receiver counted; true when it has grown.
    bool marks_grew(uint32_t total);
    uint32_t marks() const { return marks_; }

    // A path that nothing is out on goes by another port, of which nothing is known.
    void reroute(uint16_t entropy, size_t packet);

    Way way;
    PathHealth health;
    PacketList in_flight; // oldest transmission first
    RttEstimator rtt;
    CongestionWindow window;
    uint32_t in_flight_bytes = 0;
    Instant stalled_until{};   // the kernel has no room there
    uint32_t acked_bytes = 0;  // by the acknowledgement being looked at
    uint32_t packet_bytes = 0; // largest that this way takes; 0: what the context has
    uint64_t tx_packets = 0;
    uint64_t tx_bytes = 0;
    uint64_t tx_retransmits = 0;
    uint64_t losses = 0;

private:
    Duration reorder_window(Duration train) const;

    uint16_t next_seq_ = 0;
    uint16_t delivered_seq_ = UINT16_MAX; // the newest known to have arrived
    uint8_t reorder_shift_ = 0;
    uint32_t marks_ = 0;
    uint32_t penalty_ = 0;
    Instant penalty_at_{};
};

// One path as its receiver sees it; what the next acknowledgement echoes.
struct RxPath {
    uint16_t newest_seq = 0;
    bool seen = false;
    uint32_t timestamp_us = 0; // of the newest
    uint32_t marks = 0;
    Instant arrived{};
    uint64_t rx_packets = 0;
    uint64_t rx_bytes = 0;
};

} // namespace rill::transport
