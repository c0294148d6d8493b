// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/transport.hpp"
#include "util/guarded_copy.hpp"

#include <algorithm>
#include <array>
#include <cassert>

// How packets leave: filled, put into trains, handed to the link; and what is sent again.

namespace rill::transport {

using obs::Counter;

Transport::Sent Transport::send_train(Context& context, bool flush, Instant now) {
    if (!sends_records(context.state_) || leaving_) return {Stop::nothing, 0};
    train_.clear();
    train_size_ = full_packet(context);
    std::span<const std::byte> ack;
    if (context.ack_pending_) ack = encode_ack(context, kPiggybackEchoes, kPiggybackWords, now);
    Stop stop = gather(context, ack, flush, now);
    // Lazy records that had waited for the window wait for company again; the flush takes them.
    if (context.blocked_ && context.lazy_ && !flush) request_flush(context);
    set_blocked(context, false);
    if (train_.packets() == 0) return {stop, 0};
    // The sender that cannot go on without an acknowledgement says so; so does one that waits for
    // the proof that it was heard.
    if (context.state_ == State::accepted ||
        !(window_open(context, true) || context.acks_are_due(config_.ack_bytes)))
        train_.flag_last(wire::kAckNow);
    size_t packets = train_.packets();
    const Path& path = context.path(train_path_);
    switch (link_.send(train_.train(train_to_, path.way, !context.hello_done_))) {
    case Status::ok: packets_left(context, false, now); break;
    case Status::again:
        counters_.add(Counter::tx_again);
        take_back(context);
        // Other paths may leave by another queue of the kernel's.
        context.path(train_path_).stalled_until = now + link_.again_after();
        if (context.candidates() > 1) return {Stop::train, 0};
        stall(now);
        return {Stop::stalled, 0};
    case Status::too_long:
        if (shrink_packets(context)) {
            take_back(context);
            return {Stop::train, 0};
        }
        packets_left(context, true, now);
        break;
    case Status::bad_address:
        if (drop_unreadable(context)) return {Stop::train, 0};
        [[fallthrough]];
    default:
        if (leave_path(context, now)) return {Stop::train, 0};
        packets_left(context, true, now);
    }
    if (!ack.empty() && train_has_ack_) ack_left(context);
    return {stop, packets};
}

// Takes what goes next until a packet does not fit into the same train.
Transport::Stop Transport::gather(Context& context, std::span<const std::byte> ack, bool flush,
                                  Instant now) {
    train_has_ack_ = false;
    size_t hello_bytes = context.hello_done_ ? 0 : sizeof(wire::Hello);
    for (;;) {
        bool first = train_.packets() == 0;
        size_t overhead = sizeof(wire::Header) + hello_bytes + (first ? ack.size() : 0);
        Stop stop = Stop::train;
        Outgoing* packet = next_packet(context, overhead, flush, stop);
        if (!packet) return stop;
        const Path& path = context.path(train_path_);
        size_t limit = std::min<size_t>(context.packet_bytes_, context.peer_packet_max_);
        size_t bytes = overhead + packet->record_bytes();
        // A packet filled without room for the acknowledgement goes without it.
        bool with_ack = first && !ack.empty() && bytes <= limit;
        if (first && !with_ack) bytes -= ack.size();
        const PacketSize size{bytes, charges_.of(bytes)};
        if (!context.may_send(path, size.bytes, size.charge)) return Stop::blocked;
        if (first) {
            train_to_ = context.destination(*packet, path);
        } else if (bytes > limit || context.destination(*packet, path) != train_to_ ||
                   !train_.takes(bytes, packet->slice.iov_count)) {
            return Stop::train;
        }
        add_packet(context, *packet, with_ack ? ack : std::span<const std::byte>(), size, now);
        train_has_ack_ |= with_ack;
        if (bytes > limit) return Stop::train; // sent fragmented, by itself
    }
}

Transport::PacketSize Transport::full_packet(const Context& context) {
    size_t bytes = context.packet_bytes(charges_);
    return {bytes, charges_.of_full(bytes)};
}

// What was lost or left over, else a fresh packet with a PSN, filled by the client. It stays at the
// head of the context's queue until the train takes it.
Outgoing* Transport::next_packet(Context& context, size_t overhead, bool flush, Stop& stop) {
    const bool first = train_.packets() == 0;
    const auto [bytes, charge] = train_size_;
    if (Outgoing* waiting = context.pending_.front()) {
        if (first) {
            const Outgoing* again =
                waiting->transmissions > 0 || waiting->to_endpoint_port ? waiting : nullptr;
            train_path_ = context.choose_path(again, bytes, charge, now_);
        }
        if (train_path_ != Context::kNoPath) return waiting;
        stop = no_path(context);
        return nullptr;
    }
    if (!client_.has_records(context, flush)) {
        if (flush) set_lazy(context, false);
        stop = Stop::nothing;
        return nullptr;
    }
    if (first) train_path_ = context.choose_path(nullptr, bytes, charge, now_);
    if (train_path_ == Context::kNoPath) {
        stop = no_path(context);
        return nullptr;
    }
    if (context.window_.full() || !window_open(context, first)) {
        stop = Stop::blocked;
        return nullptr;
    }
    if (!first && !train_.takes(train_.segment_bytes(), 1)) return nullptr;
    Outgoing* packet = packets_.make();
    if (!packet) {
        stall(now_);
        stop = Stop::stalled;
        return nullptr;
    }
    if (!client_.fill(context, *packet, bytes - overhead, flush)) {
        packets_.free(packet);
        if (flush) set_lazy(context, false);
        stop = Stop::nothing;
        return nullptr;
    }
    assert(packet->record_bytes() <= bytes - overhead);
    context.window_.push(*packet);
    context.pending_.push_back(*packet);
    return packet;
}

// Every path is full, or the kernel has no room on any that is not.
Transport::Stop Transport::no_path(const Context& context) {
    const Instant until = context.stalled_until(now_);
    if (until == kNever) return Stop::blocked;
    stalled_until_ = until;
    return Stop::stalled;
}

bool Transport::window_open(Context& context, bool first) {
    const auto [bytes, charge] = train_size_;
    const Path& path = context.path(train_path_);
    return first ? context.may_send_train(path, bytes, charge)
                 : context.may_send(path, bytes, charge);
}

void Transport::add_packet(Context& context, Outgoing& packet, std::span<const std::byte> ack,
                           PacketSize size, Instant now) {
    packet.unlink();
    packet.path = train_path_;
    Path& path = context.path(train_path_);
    packet.path_seq = path.take_seq();
    packet.wire_bytes = static_cast<uint32_t>(size.bytes);
    packet.charge_bytes = static_cast<uint32_t>(size.charge);
    path.in_flight_bytes += packet.wire_bytes;
    context.in_flight_bytes_ += packet.wire_bytes;
    context.in_flight_charge_ += packet.charge_bytes;
    ++context.in_flight_packets_;

    wire::Header h = header(context, wire::PacketType::data, now);
    h.psn = packet.psn.raw();
    h.path = packet.path;
    h.path_seq = packet.path_seq;
    if (!ack.empty()) h.flags |= wire::kHasAck;
    if (context.hello_done_) {
        train_.add(h, nullptr, ack, &packet);
    } else {
        h.flags |= wire::kHasHello;
        wire::Hello mine = hello(context, now);
        train_.add(h, &mine, ack, &packet);
    }
}

// The train is with the link; or the link failed, which is left to loss detection.
void Transport::packets_left(Context& context, bool failed, Instant now) {
    Path& path = context.path(train_path_);
    context.path_ = train_path_;
    size_t packets = train_.packets();
    for (size_t i = 0; i < packets; ++i) {
        Outgoing& packet = *train_.packet(i);
        if (packet.transmissions > 0) {
            counters_.add(Counter::tx_retransmits);
            ++path.tx_retransmits;
        }
        if (packet.transmissions < UINT8_MAX) ++packet.transmissions;
        path.sent(packet, now);
    }
    if (failed) {
        counters_.add(Counter::tx_errors);
    } else {
        counters_.add(Counter::tx_trains);
        counters_.add(Counter::tx_packets, packets);
        counters_.add(Counter::tx_bytes, train_.total_bytes());
        path.tx_packets += packets;
        path.tx_bytes += train_.total_bytes();
    }
    if (context.state_ == State::accepted)
        context.unproven_tx_ += static_cast<uint32_t>(train_.total_bytes());
    if (context.state_ == State::unopened) set_state(context, Event::first_packet);
    context.last_sent_ = context.used_at_ = now;
    context.idle_done_ = false;
    context.await(now);
}

// Nothing left: everything goes back to the head of the queue, in its order.
void Transport::take_back(Context& context) {
    context.path(train_path_).give_back_seq(train_.packets());
    for (size_t i = train_.packets(); i-- > 0;) {
        Outgoing& packet = *train_.packet(i);
        context.left_flight(packet);
        context.pending_.push_front(packet);
    }
}

// Payload that cannot be read any more is taken out, and its train back. false: all can be read.
bool Transport::drop_unreadable(Context& context) {
    std::array<void*, wire::kTrainPacketsMax> owners;
    size_t count = 0;
    for (size_t i = 0; i < train_.packets(); ++i) {
        const Outgoing& p = *train_.packet(i);
        const Slice& s = p.slice;
        if (p.owner && !is_readable({s.iov, s.iov_count}, s.offset, s.bytes))
            owners[count++] = p.owner;
    }
    if (count == 0) return false;
    take_back(context);
    for (size_t i = 0; i < count; ++i)
        if (std::find(owners.begin(), owners.begin() + i, owners[i]) == owners.begin() + i)
            client_.slice_failed(owners[i]);
    return true;
}

// false: the link says nothing smaller than what we send.
bool Transport::shrink_packets(Context& context) {
    const Path& path = context.path(train_path_);
    size_t limit = path.way.nic == 0 ? link_.max_packet_bytes(train_to_)
                                     : link_.packet_bytes_from(path.way.nic, train_to_);
    limit = std::max<size_t>(limit, kPacketMin);
    if (limit >= context.packet_bytes_) return false;
    set_packet_bytes(context, limit);
    return true;
}

// The kernel does not send that way (any more): another, if one is up.
bool Transport::leave_path(Context& context, Instant now) {
    if (!context.ways_ || context.ways_->usable.size() < 2) return false;
    take_back(context);
    suspect(context, context.path(train_path_), now);
    counters_.add(Counter::tx_errors);
    return true;
}

void Transport::release(Outgoing& packet) {
    packet.unlink();
    if (packet.owner) client_.slice_released(packet.owner);
    packets_.free(&packet);
}

// ---- again ----------------------------------------------------------------------------------

// Nothing was heard for a while: the newest packet once more, to be acknowledged at once. If it was
// lost, that repairs it; if others were, the acknowledgement tells. The window stays as it is.
void Transport::tail_probe(Context& context, Instant now) {
    context.tail_probed_ = true;
    counters_.add(Counter::tx_tail_probes);
    Outgoing* newest = context.window_.newest();
    if (!newest || newest->state != Outgoing::State::in_flight) {
        context.last_sent_ = now;
        return make_ready(context); // it is queued to go anyway
    }
    newest->unlink();
    context.left_flight(*newest);
    newest->state = Outgoing::State::lost;
    newest->probe = true;
    context.pending_.push_front(*newest);

    train_.clear();
    train_path_ = context.path_limit_ == 1 || context.to_endpoint(*newest)
                      ? uint16_t{0}
                      : context.best_path(newest, now);
    const Path& path = context.path(train_path_);
    train_to_ = context.destination(*newest, path);
    size_t bytes = sizeof(wire::Header) + (context.hello_done_ ? 0 : sizeof(wire::Hello)) +
                   newest->record_bytes();
    add_packet(context, *newest, {}, {bytes, charges_.of(bytes)}, now);
    train_.flag_last(wire::kAckNow);
    Status status = link_.send(train_.train(train_to_, path.way, true));
    if (status == Status::again) {
        counters_.add(Counter::tx_again);
        take_back(context);
        context.last_sent_ = now;
        make_ready(context);
        return stall(now);
    }
    packets_left(context, status != Status::ok, now);
    ask_all_paths(context, now);
}

// Nothing helped: all that is out is taken for lost. The first time a train goes out again, later
// one packet at a time, until something is heard.
void Transport::time_out(Context& context, Instant now) {
    counters_.add(Counter::tx_timeouts);
    for (auto& path : context.paths_) {
        if (path->in_flight.empty()) continue;
        path->window.timed_out(now);
        path->blame(Blame::timeout, now);
        while (Outgoing* packet = path->in_flight.front())
            lose(context, *packet);
    }
    if (context.backoff_ < UINT8_MAX) ++context.backoff_;
    context.tail_probed_ = true;
    context.last_sent_ = now;
    if (context.search_at_ != kNever) look_for_routes(context, now);
    // A restarted peer's reset comes back only to a packet that left from the data port.
    if (context.backoff_ < 2 || !knows_peer(context.state_)) return;
    probe(context, now);
    ask_all_paths(context, now);
}

} // namespace rill::transport
