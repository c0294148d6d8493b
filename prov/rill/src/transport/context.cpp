// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/context.hpp"

#include <algorithm>

namespace rill::transport {
namespace {
// Time-outs do not shift further than this: rto_max caps the result anyway.
constexpr unsigned kBackoffMax = 10;
// Before the first sample; a peer in the same room answers within a tenth of it.
constexpr Duration kFirstProbe = std::chrono::milliseconds(20);
constexpr Duration kProbeSlack = std::chrono::milliseconds(1);
constexpr Duration kLagKept = std::chrono::seconds(30);
constexpr Duration kLagMax = std::chrono::milliseconds(100);
constexpr int kPrompt = 4; // round trips within which a probe is answered by a peer that runs
constexpr Duration kIdle = std::chrono::seconds(1);
constexpr uint32_t kUnprovenFactor = 3; // what an address may be sent, per byte that came from it
} // namespace

Context::Context(uint32_t id, uint64_t token, Psn first, size_t packet_bytes)
    : id_(id), first_psn_(first.raw()), token_(token),
      packet_bytes_(static_cast<uint32_t>(packet_bytes)), window_(first) {}

size_t Context::record_limit() const {
    return std::min<size_t>({packet_bytes_, peer_packet_max_, kPacketHalvedTo}) - kOverheadMax;
}

uint32_t Context::unscheduled_limit() const {
    if (!credit_known_) return initial_window_;
    return std::min<uint32_t>(wire::kTrainBytesMax, credit_);
}

// ---- sending --------------------------------------------------------------------------------

// One huge packet in flight at a time would make sender and receiver take turns.
size_t Context::packet_bytes(Charges& charges) const {
    size_t bytes = std::min<size_t>(packet_bytes_, peer_packet_max_);
    while (credit_known_ && bytes > kPacketHalvedTo && 4 * charges.of_full(bytes) > credit_)
        bytes = std::max(bytes / 2, kPacketHalvedTo);
    if (!credit_known_) bytes = std::min(bytes, std::max<size_t>(initial_window_, kPacketHalvedTo));
    return bytes;
}

bool Context::may_send(const Path& path, size_t bytes, size_t charge) const {
    if (state_ == State::accepted && !address_proven_ &&
        unproven_tx_ + bytes > uint64_t{kUnprovenFactor} * unproven_rx_)
        return false;
    if (in_flight_packets_ == 0) return true;
    if (backoff_ > 1) return false; // silence: one packet at a time finds out whether it is over
    if (!path.takes(bytes)) return false;
    if (!credit_known_) return in_flight_bytes_ + bytes <= initial_window_;
    return in_flight_charge_ + charge <= credit_;
}

// An acknowledgement that frees one packet must not draw one packet: trains would never form again
// (RFC 813's silly windows). So while more is out, a quarter of the window or a whole train waits
// to be free.
bool Context::may_send_train(const Path& path, size_t bytes, size_t charge) const {
    if (in_flight_packets_ == 0 || !credit_known_ || backoff_ > 0)
        return may_send(path, bytes, charge);
    size_t packets = std::min({wire::kTrainBytesMax, path.window.bytes() / 4}) / bytes;
    packets = std::max<size_t>(std::min(packets, credit_ / 4 / charge), 1);
    return may_send(path, packets * bytes, packets * charge);
}

bool Context::acks_are_due(uint32_t least) const {
    return credit_known_ && in_flight_bytes_ >= 2 * ack_every(credit_, least);
}

bool Context::drained() const {
    return window_.empty() && !blocked_ && !held_ && !lazy_ && !ListHook<ReadyTag>::linked();
}

bool Context::to_endpoint(const Outgoing& packet) const {
    return packet.to_endpoint_port && endpoint_.valid() && !endpoint_refused_;
}

const wire::Address& Context::destination(const Outgoing& packet, const Path& path) const {
    if (state_ <= State::opening || to_endpoint(packet)) return endpoint_;
    return remote(path);
}

void Context::add_paths(uint16_t last) {
    while (paths_.size() <= last) {
        const auto entropy = static_cast<uint16_t>(paths_.size());
        add(std::make_unique<Path>(Path::Way{0, 0, entropy}, packet_bytes_));
    }
}

std::vector<PathNumbers> Context::path_numbers() const {
    std::vector<PathNumbers> numbers = resumed_; // of which some may not have been made again
    numbers.resize(std::max({numbers.size(), paths_.size(), rx_paths_.size()}));
    for (size_t i = 0; i < paths_.size(); ++i)
        numbers[i].next_seq = paths_[i]->next_seq();
    for (size_t i = 0; i < rx_paths_.size(); ++i)
        numbers[i].marks = rx_paths_[i].marks;
    return numbers;
}

void Context::resume_paths(std::vector<PathNumbers>&& numbers) {
    rx_paths_.resize(numbers.size());
    for (size_t i = 0; i < numbers.size(); ++i)
        rx_paths_[i].marks = numbers[i].marks;
    resumed_ = std::move(numbers);
}

size_t Context::congestion_window_bytes() const {
    size_t bytes = 0;
    for (auto& path : paths_)
        bytes += path->window.bytes();
    return bytes;
}

// Paths that leave by one device may share a bottleneck.
double Context::coupling(const Path& path) const {
    Coupling all;
    for (auto& other : paths_)
        if (other->way.nic == path.way.nic && other->rtt.valid() &&
            other->in_flight_bytes + other->acked_bytes > 0)
            all.add(other->window.bytes(), other->rtt.srtt());
    return all.per_byte();
}

Duration Context::least_srtt() const {
    Duration least = Duration::max();
    for (auto& path : paths_)
        if (path->in_flight_bytes > 0 && path->rtt.valid())
            least = std::min(least, path->rtt.srtt());
    return least;
}

void Context::left_flight(Outgoing& packet) {
    path(packet.path).in_flight_bytes -= packet.wire_bytes;
    in_flight_bytes_ -= packet.wire_bytes;
    in_flight_charge_ -= packet.charge_bytes;
    --in_flight_packets_;
}

// ---- receiving ------------------------------------------------------------------------------

void Context::count_arrival(uint16_t number, size_t bytes) {
    if (rx_paths_.size() <= number) rx_paths_.resize(number + size_t{1});
    RxPath& path = rx_paths_[number];
    ++path.rx_packets;
    path.rx_bytes += bytes;
}

void Context::note_arrival(const wire::Header& header, bool marked, Instant now) {
    RxPath& path = rx_paths_[header.path];
    path.marks += marked;
    echo_due_ |= uint64_t{1} << header.path;
    if (path.seen && path_seq_diff(header.path_seq, path.newest_seq) < 0) return;
    path.seen = true;
    path.newest_seq = header.path_seq;
    path.timestamp_us = header.timestamp_us;
    path.arrived = now;
}

// ---- time -----------------------------------------------------------------------------------

bool Context::awaiting() const {
    switch (state_) {
    case State::unopened: return false;
    case State::opening:
    case State::accepted:
    case State::retiring:
    case State::agreed: return true;
    case State::established: return !window_.empty() || probe_pending_;
    case State::leaving: return false; // has its own end, 200 ms away
    case State::ended: return false;
    }
    return false;
}

// A probe that is answered late says that the peer waits for a processor: what it was asked for had
// arrived before. Most samples of the round trip know nothing of that, so it is kept beside them.
// One that is answered at once says that it runs, and that something was lost: to have waited was
// for nothing. Without that, each loss would add the time of its answer to the wait for the next.
void Context::probe_answered(Duration after, const Timing& t, Instant now) {
    // With several ways, the probe may have waited for another path's loss to be found.
    if ((ways_ && ways_->pairs > 1) || !rtt_.valid()) return;
    if (after <= kPrompt * rtt_.srtt()) lag_ /= 2;
    if (after <= std::max(kPrompt * rtt_.srtt(), kProbeSlack)) return;
    if (now - lag_at_ > kLagKept) lag_ /= 2;
    lag_ = std::min(std::max(lag_, probe_timeout(t) + after), kLagMax);
    lag_at_ = now;
}

Duration Context::probe_timeout(const Timing& t) const {
    if (!rtt_.valid()) return std::max(kFirstProbe, 2 * t.rto_min);
    return std::max(rtt_.srtt() + std::max(4 * rtt_.rttvar(), kProbeSlack) + t.ack_delay, lag_);
}

Duration Context::retransmit_timeout(const Timing& t) const {
    Duration rto = rtt_.valid() ? rtt_.srtt() + 4 * rtt_.rttvar() + t.ack_delay : kFirstProbe;
    rto = std::max({rto, t.rto_min, 2 * lag_}) *
          (int64_t{1} << std::min<unsigned>(backoff_, kBackoffMax));
    return std::min(rto, t.rto_max);
}

// The tail probe first, then the time-out: both from the last sign of life of the window.
Instant Context::data_deadline(const Timing& t) const {
    if (in_flight_packets_ == 0 || !sends_records(state_)) return kNever;
    Instant base = std::max(last_sent_, t.resumed);
    Duration rto = retransmit_timeout(t);
    if (tail_probed_ || backoff_ > 0) return base + rto;
    return base + std::min(rto, probe_timeout(t));
}

Instant Context::reorder_deadline() {
    Instant at = kNever;
    if (in_flight_packets_ == 0 || !sends_records(state_)) return at;
    for (auto& path : paths_)
        at = std::min(at, path->reorder_deadline(path->train_time()));
    return at;
}

// Paths are asked after, and addresses told, while there is something to send.
Instant Context::path_deadline() const {
    if (state_ != State::established) return kNever;
    Instant at = ways_ ? ways_->announce_at : kNever;
    if (paths_.size() == 1 || window_.empty()) return at;
    for (auto& path : paths_)
        at = std::min(at, path->health.next_probe());
    return at;
}

Instant Context::death_deadline(const Timing& t) const {
    Duration timeout = t.peer_timeout;
    if (timeout == Duration::zero()) {
        // A stranger that never proved itself goes even if nobody else may.
        if (state_ != State::accepted) return kNever;
        timeout = std::chrono::seconds(30);
    }
    if (!awaiting()) return kNever;
    Instant since = awaiting_since_ == kNever ? last_heard_ : awaiting_since_;
    return std::max({last_heard_, since, t.resumed}) + timeout;
}

// A probe that is not answered is repeated often enough that a lossy link, or one that has no room
// for a while, does not pass for death: silence counts from the first.
Instant Context::keep_alive_deadline(const Timing& t) const {
    bool asks = watchers_ > 0 || (probe_pending_ && state_ == State::established);
    if (!asks || t.peer_timeout == Duration::zero()) return kNever;
    // Of a stranger something is expected: most come by themselves, and need not be called.
    if (state_ == State::unopened) return std::max(used_at_, t.resumed) + t.peer_timeout / 4;
    if (state_ != State::established) return kNever;
    Instant next = std::max(last_heard_ + t.peer_timeout / 4, t.resumed);
    return probe_pending_ ? probed_at_ + t.peer_timeout / 16 : next;
}

Instant Context::idle_deadline() const {
    if (state_ != State::established) return kNever;
    return idle_done_ ? evict_at_ : used_at_ + kIdle;
}

Instant Context::next_deadline(const Timing& t) {
    return std::min({data_deadline(t), reorder_deadline(), death_deadline(t),
                     keep_alive_deadline(t), idle_deadline(), path_deadline(), repeat_at_,
                     refused_probe_at_});
}

} // namespace rill::transport
