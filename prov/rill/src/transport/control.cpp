// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/transport.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

// Headers, acknowledgements, and packets that carry no records.

namespace rill::transport {

using obs::Counter;

wire::Header Transport::header(const Context& context, wire::PacketType type, Instant now) const {
    wire::Header h;
    h.type = type;
    h.context = context.peer_id_;
    h.token = context.peer_token_;
    h.psn = context.window_.next().raw();
    h.timestamp_us = timestamp_us(now);
    h.cumulative_ack = context.received_.next().raw();
    return h;
}

wire::Hello Transport::hello(Context& context, Instant now) {
    wire::Hello h;
    h.device = device_id_;
    h.context = context.id_;
    h.first_psn = context.first_psn_;
    h.token = context.token_;
    h.features = wire::kFeatureAddresses;
    h.cookie = context.cookie_;
    if (!context.opener_) h.queue_pair = client_.queue_pair_of(context.opened_port_);
    h.window_bytes = credit_for(context, now);
    h.max_packet = static_cast<uint16_t>(
        config_.max_packet ? std::clamp<size_t>(config_.max_packet, kPacketMin, UINT16_MAX)
                           : wire::kTrainBytesMax);
    h.data_port = link_.data_address().port;
    return h;
}

uint32_t Transport::credit_for(const Context& context, Instant now) {
    size_t active = active_contexts(now) + (List<Context, ActiveTag>::contains(context) ? 0 : 1);
    return credit_.share(active, charges_.of_full(context.packet_bytes_), now);
}

// ---- acknowledgements -----------------------------------------------------------------------

// Empty when the bitmap needs more words than that: then it goes by itself. One delay serves all
// echoes: where a packet lay longer, its time stamp is put forward by the difference.
std::span<const std::byte> Transport::encode_ack(Context& context, size_t echoes, size_t words,
                                                 Instant now) {
    std::array<uint64_t, wire::kAckWordsMax> bitmap;
    Psn base;
    size_t needed = context.received_.words(base, bitmap);
    if (needed > words && words < wire::kAckWordsMax) return {};
    needed = std::min(needed, wire::kAckWordsMax);

    std::array<wire::Echo, wire::kEchoesMax> echo;
    std::array<int64_t, wire::kEchoesMax> held{};
    int64_t delay_us = UINT16_MAX;
    size_t count = 0;
    ack_echoed_ = 0;
    // In turn, or paths with high numbers would wait for ever behind those with low ones.
    const int from = context.echo_from_;
    for (uint64_t left = std::rotr(context.echo_due_, from); left && count < echoes;
         left &= left - 1, ++count) {
        auto number = static_cast<uint16_t>((std::countr_zero(left) + from) % kPathsMax);
        const RxPath& path = context.rx_paths_[number];
        held[count] = to_us(now - path.arrived);
        delay_us = std::min(delay_us, held[count]);
        echo[count] = {number, path.newest_seq, path.timestamp_us, path.marks};
        ack_echoed_ |= uint64_t{1} << number;
        ack_last_echo_ = number;
    }
    wire::AckBlock block;
    if (context.ways_) block.addresses = context.ways_->heard_count;
    block.window_bytes = context.granted_ = credit_for(context, now);
    block.base = base.raw();
    block.delay_us = count ? static_cast<uint16_t>(delay_us) : 0;
    block.echoes = static_cast<uint8_t>(count);
    block.words = static_cast<uint8_t>(needed);
    std::byte* at = wire::store(ack_scratch_.data(), block);
    for (size_t i = 0; i < count; ++i) {
        echo[i].timestamp_us += static_cast<uint32_t>(held[i] - delay_us);
        at = wire::store(at, echo[i]);
    }
    for (size_t i = 0; i < needed; ++i)
        at = wire::store(at, bitmap[i]);
    return {ack_scratch_.data(), static_cast<size_t>(at - ack_scratch_.data())};
}

// The encoded acknowledgement is on its way.
void Transport::ack_left(Context& context) {
    context.echo_due_ &= ~ack_echoed_;
    if (ack_echoed_) context.echo_from_ = static_cast<uint8_t>(ack_last_echo_ + 1) % kPathsMax;
    context.bytes_since_ack_ = 0;
    context.ack_pending_ = context.ack_due_ = false;
    context.ListHook<AckTag>::unlink();
    if (context.lazy_ && !context.blocked_ && !context.held_) request_flush(context);
}

void Transport::request_ack(Context& context, bool at_once, Instant now) {
    context.ack_pending_ = true;
    if (context.ack_due_) return;
    if (at_once) {
        context.ack_due_ = true;
        context.ListHook<AckTag>::unlink();
        acks_due_.push_back(context);
    } else if (!context.ListHook<AckTag>::linked()) {
        context.ack_at_ = now + config_.ack_delay;
        acks_delayed_.push_back(context);
    }
}

// Whoever must acknowledge now takes records along that were waiting for company.
void Transport::send_acks(Instant now) {
    while (Context* context = acks_delayed_.front()) {
        if (context->ack_at_ > now) break;
        context->ListHook<AckTag>::unlink();
        context->ack_due_ = true;
        acks_due_.push_back(*context);
    }
    while (Context* context = acks_due_.front()) {
        if (stalled_until_ != kNever && stalled_until_ > now) return;
        context->ListHook<AckTag>::unlink();
        context->ack_due_ = false;
        bool pending = context->ack_pending_;
        Sent sent = send_train(*context, true, now);
        if (sent.stop == Stop::blocked) set_blocked(*context, true);
        if (sent.stop == Stop::train || sent.stop == Stop::stalled) make_ready(*context);
        if (context->ack_pending_ && context->state_ != State::leaving &&
            !send_control(*context, wire::PacketType::control, 0, now))
            request_ack(*context, true, now);
        // What did not fit goes with the next; a closed window calls when it opens.
        if (context->lazy_ && !context->blocked_ && !context->held_) request_flush(*context);
        if (sent.packets || pending) arm(*context);
    }
}

// ---- packets without records ----------------------------------------------------------------

// false: the link has no room, nothing left. Such packets go back the way that the last one came,
// or take path 0, and all but a mere acknowledgement leave from a data port: answers from a peer
// that does not know us any more find their way back there.
bool Transport::send_control(Context& context, wire::PacketType type, uint16_t flags, Instant now,
                             std::optional<uint32_t> psn, std::optional<uint16_t> on) {
    const uint16_t number = on.value_or(context.control_path());
    Path& path = context.path(number);
    wire::Header h = header(context, type, now);
    h.flags = flags;
    h.path = number;
    if (psn) h.psn = *psn;
    if (flags & wire::kAckNow) h.path_seq = path.take_seq();
    std::span<const std::byte> ack;
    if (knows_peer(context.state_)) {
        ack = encode_ack(context, wire::kEchoesMax, wire::kAckWordsMax, now);
        h.flags |= wire::kHasAck;
        if (flags & wire::kHasAddresses)
            ack = {ack.data(), ack.size() + add_addresses(ack_scratch_.data() + ack.size())};
    }
    train_.clear();
    if (context.hello_done_) {
        train_.add(h, nullptr, ack, nullptr);
    } else {
        h.flags |= wire::kHasHello;
        wire::Hello mine = hello(context, now);
        train_.add(h, &mine, ack, nullptr);
    }
    const wire::Address& to = knows_peer(context.state_) ? context.remote(path) : context.endpoint_;
    const bool mere_ack = type == wire::PacketType::control && flags == 0 && context.hello_done_;
    Path::Way way = path.way;
    if (mere_ack && context.ways_) {
        const uint16_t answer = std::exchange(context.ways_->answer_port, uint16_t{0});
        way.entropy = answer ? answer : context.ways_->ack_port;
    }
    Status status = link_.send(train_.train(to, way, !mere_ack));
    if (status == Status::again) {
        counters_.add(Counter::tx_again);
        stall(now);
        return false;
    }
    if (status != Status::ok) {
        counters_.add(Counter::tx_errors);
        if (!on && leave_reply_path(context, now))
            return send_control(context, type, flags, now, psn, context.control_path());
    } else {
        counters_.add(Counter::tx_trains);
        counters_.add(Counter::tx_packets);
        counters_.add(Counter::tx_bytes, train_.total_bytes());
        if (type == wire::PacketType::control && flags == 0) counters_.add(Counter::tx_acks);
        ++path.tx_packets;
        path.tx_bytes += train_.total_bytes();
    }
    if (context.state_ == State::accepted)
        context.unproven_tx_ += static_cast<uint32_t>(train_.total_bytes());
    if (!ack.empty()) ack_left(context);
    return true;
}

// Asks for a sign of life. On a context that nothing was sent on yet it is the opening.
void Transport::probe(Context& context, Instant now) {
    context.probed_at_ = now;
    context.probe_pending_ = true;
    context.await(now);
    if (context.state_ == State::unopened) {
        set_state(context, Event::first_packet);
        repeat_soon(context, now);
    }
    send_control(context, wire::PacketType::control, wire::kAckNow, now);
}

// An answer for which no state is kept. Never larger than what it answers: a header is the least
// that a packet can be.
void Transport::reply(const wire::Address& to, const wire::Header& h) {
    train_.clear();
    train_.add(h, nullptr, {}, nullptr);
    switch (link_.send(train_.train(to, {}, true))) {
    case Status::ok:
        counters_.add(Counter::tx_trains);
        counters_.add(Counter::tx_packets);
        counters_.add(Counter::tx_bytes, sizeof h);
        break;
    case Status::again: counters_.add(Counter::tx_again); break;
    default: counters_.add(Counter::tx_errors);
    }
}

} // namespace rill::transport
