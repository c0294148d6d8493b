// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "transport/charges.hpp"
#include "transport/congestion.hpp"
#include "transport/deadlines.hpp"
#include "transport/evicted.hpp"
#include "transport/outgoing.hpp"
#include "transport/path.hpp"
#include "transport/peer.hpp"
#include "transport/receive_window.hpp"
#include "transport/rtt.hpp"
#include "transport/send_window.hpp"
#include "transport/state.hpp"
#include "transport/ways.hpp"
#include "util/list.hpp"
#include "util/status.hpp"
#include "util/time.hpp"
#include "wire/address.hpp"
#include "wire/link.hpp"
#include "wire/packet.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace rill::transport {

class Transport;
struct ReadyTag;
struct AckTag;
struct ActiveTag;

// Every packet but those of an opening or a long bitmap is within these; what is left of a packet
// is for records.
inline constexpr size_t kPacketMin = 512; // what every peer must take
inline constexpr size_t kPiggybackEchoes = 2;
inline constexpr size_t kPiggybackWords = 16;
inline constexpr size_t kPiggybackAckMax =
    sizeof(wire::AckBlock) + kPiggybackEchoes * sizeof(wire::Echo) + kPiggybackWords * 8;
inline constexpr size_t kOverheadMax =
    sizeof(wire::Header) + sizeof(wire::Hello) + kPiggybackAckMax;
// Packets larger than this (loopback) are halved while fewer than four fit into the credit.
inline constexpr size_t kPacketHalvedTo = 8192;

// The bytes after which a receiver acknowledges at the latest, given the credit that its sender has
// (an eighth: the window never runs dry for want of an acknowledgement) and the configured least.
inline uint32_t ack_every(uint32_t credit, uint32_t least) {
    constexpr uint32_t kMost = 128 * 1024; // two trains
    return std::max(std::min(credit / 8, kMost), least);
}

// One pair of PSN spaces between two devices. The transport moves it; the layer above sees who it
// leads to and how much fits.
class Context : public DeadlineHook,
                public ListHook<ReadyTag>,
                public ListHook<AckTag>,
                public ListHook<ActiveTag>,
                public ListHook<PeerTag> {
public:
    Context(uint32_t id, uint64_t token, Psn first, size_t packet_bytes);
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

    void* client_data = nullptr; // for the layer above

    // Who is at the other end; null until its hello was read.
    Peer* peer() const { return peer_; }
    // The endpoint's address that connect() was given; not valid in a context that a peer opened.
    const wire::Address& endpoint_address() const { return endpoint_; }
    // Where its device receives; not valid until its hello was read.
    const wire::Address& data_address() const { return data_; }
    // Record bytes that surely fit into any packet.
    size_t record_limit() const;
    // Bytes that a message may send before its grant.
    uint32_t unscheduled_limit() const;
    bool ended() const { return state_ == State::ended; }
    State state() const { return state_; }
    // Nothing was sent on it, or is about to be.
    bool untouched() const { return state_ == State::unopened && window_.empty(); }
    uint32_t id() const { return id_; }
    bool opened_by_us() const { return opener_; }

    // For statistics: paths in use, as sender and as receiver.
    size_t tx_paths() const { return paths_.size(); }
    const Path& tx_path(size_t i) const { return *paths_[i]; }
    size_t rx_paths() const { return rx_paths_.size(); }
    const RxPath& rx_path(size_t i) const { return rx_paths_[i]; }
    size_t congestion_window_bytes() const; // of all paths
    // Where a path's packets go.
    const wire::Address& remote(const Path& path) const {
        return ways_ ? ways_->remotes[path.way.remote] : data_;
    }
    size_t in_flight_bytes() const { return in_flight_bytes_; }
    uint32_t credit() const { return credit_; }

private:
    friend class Transport;

    // ---- sending ----
    size_t packet_bytes(Charges& charges) const;
    bool may_send(const Path& path, size_t bytes, size_t charge) const;
    // The same for the first packet of a train, given what a full packet takes.
    bool may_send_train(const Path& path, size_t bytes, size_t charge) const;
    // Whether what is out makes the peer acknowledge without being asked.
    bool acks_are_due(uint32_t least) const;
    bool drained() const;
    bool to_endpoint(const Outgoing& packet) const;
    const wire::Address& destination(const Outgoing& packet, const Path& path) const;
    // For a train; `again` is its first packet if that was sent before, else null. kNoPath: all are
    // full. `bytes` and `charge` are a full packet's.
    static constexpr uint16_t kNoPath = UINT16_MAX;
    uint16_t choose_path(const Outgoing* again, size_t bytes, size_t charge, Instant now) {
        if (path_limit_ == 1) return 0;
        return choose_among(again, bytes, charge, now);
    }
    uint16_t choose_among(const Outgoing* again, size_t bytes, size_t charge, Instant now);
    uint16_t best_path(const Outgoing* again, Instant now);
    uint16_t emptiest_path(const Outgoing* again, size_t count, size_t bytes, size_t charge,
                           Instant now);
    Instant stalled_until(Instant now) const;
    size_t candidates() const { return ways_ ? ways_->usable.size() : path_limit_; }
    uint16_t candidate(size_t i) const {
        return ways_ ? ways_->usable[i] : static_cast<uint16_t>(i);
    }
    Path& path(uint16_t number) {
        if (number >= paths_.size()) [[unlikely]]
            add_paths(number);
        return *paths_[number];
    }
    void add_paths(uint16_t last); // of the first pair of addresses
    // What an eviction keeps of the paths, and how it is taken up again, by paths still to be made.
    std::vector<PathNumbers> path_numbers() const;
    void resume_paths(std::vector<PathNumbers>&& numbers);
    void add(std::unique_ptr<Path> path) {
        if (paths_.size() < resumed_.size()) path->resume(resumed_[paths_.size()].next_seq);
        paths_.push_back(std::move(path));
    }
    Instant last_used() const { return std::max(used_at_, last_heard_); }
    bool is_data_address(const wire::Address& address) const {
        if (address == data_) return true;
        return ways_ && std::ranges::find(ways_->remotes, address) != ways_->remotes.end();
    }
    uint16_t control_path() const { return ways_ ? ways_->reply : 0; }
    // Brings up to date what can carry data: after any change of a path's health.
    void choose_usable();
    // The least that a packet on a path of that pair of addresses meets now; and when it is empty.
    struct PairLoad {
        Duration now = Duration::max();
        Duration empty = Duration::max();
        size_t ports = 0;
        bool on_trial = false;
    };
    PairLoad load(const Path::Way& pair) const;
    // Whether a path on trial is faster than those of its pair that are in use, or these are silent.
    bool avoids_queue(const Path& path) const;
    double coupling(const Path& path) const;
    // Round trip of the fastest path in use.
    Duration least_srtt() const;
    void left_flight(Outgoing& packet);

    // ---- receiving ----
    void count_arrival(uint16_t path, size_t bytes);
    // What is echoed: counted before.
    void note_arrival(const wire::Header& header, bool marked, Instant now);

    // ---- time ----
    struct Timing {
        Duration ack_delay, rto_min, rto_max, peer_timeout;
        Instant resumed; // deadlines count from here at the earliest: we were not running before
    };
    bool awaiting() const;
    void await(Instant now) {
        if (awaiting_since_ == kNever) awaiting_since_ = now;
    }
    void sign_of_life(Instant now) {
        last_heard_ = now;
        awaiting_since_ = kNever;
    }
    // A tail probe was answered, that long after it left.
    void probe_answered(Duration after, const Timing& t, Instant now);
    Duration probe_timeout(const Timing& t) const;
    Duration retransmit_timeout(const Timing& t) const;
    Instant data_deadline(const Timing& t) const;
    Instant reorder_deadline();
    Instant path_deadline() const;
    Instant death_deadline(const Timing& t) const;
    Instant keep_alive_deadline(const Timing& t) const;
    Instant idle_deadline() const;
    Instant next_deadline(const Timing& t);

    // Who and where.
    State state_ = State::unopened;
    bool opener_ = false;
    bool hello_done_ = false;       // the other side is known to have read our hello
    bool address_proven_ = false;   // accepted: a cookie came back from there
    bool answered_ = false;         // something authentic came from there
    bool endpoint_refused_ = false; // the endpoint's port is closed, the device lives
    bool credit_known_ = false;
    bool blocked_ = false;     // has records, but a window is closed
    bool held_ = false;        // has records, but may be retired
    bool lazy_ = false;        // has records that wait for company
    bool ack_pending_ = false; // something came since the last acknowledgement
    bool ack_due_ = false;     // on the list of those to be sent at once
    bool tail_probed_ = false;
    bool probe_pending_ = false; // a probe is unanswered
    bool farewell_answered_ = false;
    bool knows_addresses_ = false; // the peer understands lists of addresses
    bool idle_done_ = true;        // what a long idle context does was done
    uint8_t backoff_ = 0;          // time-outs since the last progress
    uint8_t refusals_ = 0;
    uint16_t path_limit_ = 1;
    uint16_t path_ = 0;     // of the last train
    uint16_t turn_ = 0;     // where the look at the paths begins
    uint8_t echo_from_ = 0; // path whose turn it is to be echoed
    uint16_t watchers_ = 0;
    uint16_t peer_packet_max_ = UINT16_MAX;
    uint32_t id_;
    uint32_t first_psn_; // of our numbering, as the hello says
    uint32_t peer_id_ = 0;
    uint64_t token_;
    uint64_t peer_token_ = 0;
    uint64_t cookie_ = 0;
    Peer* peer_ = nullptr;
    wire::Address endpoint_;
    wire::Address data_;
    wire::PortId opened_port_ = 0;

    // Sending.
    uint32_t packet_bytes_; // largest that the path to the peer takes
    uint32_t in_flight_bytes_ = 0;
    uint32_t in_flight_charge_ = 0;
    uint32_t in_flight_packets_ = 0;
    uint32_t credit_ = 0;
    uint32_t credit_stamp_ = 0; // peer's clock when it gave the credit
    uint32_t initial_window_ = 0;
    uint32_t unproven_rx_ = 0; // bytes from an address that has not shown that it listens
    uint32_t unproven_tx_ = 0;
    uint32_t retire_nonce_ = 0; // of the question or agreement in force
    SendWindow window_;
    PacketList pending_; // lost, or filled and not yet gone; goes before anything new
    std::vector<std::unique_ptr<Path>> paths_;
    std::vector<PathNumbers> resumed_; // of the paths before an eviction
    std::unique_ptr<Ways> ways_;       // null while both sides have one address
    RttEstimator rtt_;                 // over all paths: for probes and time-outs

    // Receiving.
    ReceiveWindow received_;
    std::vector<RxPath> rx_paths_;
    uint64_t echo_due_ = 0; // bit per path: something arrived since its last echo
    uint32_t bytes_since_ack_ = 0;
    uint32_t granted_ = 0; // credit, as of our last acknowledgement
    Instant ack_at_{};

    // Time.
    Instant last_heard_{};
    Instant search_at_ = kNever;      // when another port may be tried, if data waits then
    Instant awaiting_since_ = kNever; // something since the last sign of life: when first
    Instant last_sent_{};             // a packet of the window, or progress in it
    Instant newest_delivered_{};      // when the youngest packet known to have arrived was sent
    Instant probed_at_{};
    Instant used_at_{};                 // last record sent or received
    Instant evict_at_ = kNever;         // when to see whether it is idle for long
    Instant refused_at_ = kNever;       // first refusal since something was heard
    Instant refused_probe_at_ = kNever; // when to find out whether it was meant
    Instant endpoint_refused_at_ = kNever;
    Instant repeat_at_ = kNever; // hello, farewell, retirement: what is repeated until answered
    Duration repeat_after_{};
    Duration lag_{}; // how long the peer took at most, lately, when it did not run at once
    Instant lag_at_{};
    Instant active_at_{};
};
static_assert(sizeof(Context) <= 640, "one per peer, and most are idle");

} // namespace rill::transport
