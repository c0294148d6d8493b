// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/transport.hpp"

#include <algorithm>

// How contexts come to be, and which of several to one device is used.

namespace rill::transport {
namespace {
// Contexts that strangers have opened and not proved: more than that, and a cookie is asked for.
constexpr uint32_t kHalfOpenMax = 128;
// Devices ever heard of; each is a small record that stays.
constexpr uint32_t kPeersMax = 1u << 20;

bool sane(const wire::Hello& h) {
    return h.token != 0 && h.data_port != 0 && h.max_packet >= kPacketMin;
}
} // namespace

using obs::Counter;

// A packet of a context whose opener does not know us yet. Its records are delivered at once: an
// opening costs no round trip.
void Transport::receive_opening(Arrival& arrival, Instant now) {
    if (!arrival.view.hello || !sane(*arrival.view.hello))
        return counters_.add(Counter::drop_malformed);
    const wire::Hello& h = *arrival.view.hello;
    if (leaving_) return counters_.add(Counter::drop_context);
    if (tombstones_.knows_peer_token(h.token)) return refuse_opening(arrival, now);
    Context* context;
    auto known = by_peer_token_.find(h.token);
    if (known == by_peer_token_.end()) {
        context = accept(arrival, now);
        if (!context) return;
    } else {
        context = context_of(known->second);
        if (context->peer_id_ != h.context || context->peer_->device != h.device)
            return counters_.add(Counter::drop_token);
    }
    context->sign_of_life(now);
    context->unproven_rx_ += static_cast<uint32_t>(arrival.bytes);
    touch_active(*context, now);
    context->count_arrival(arrival.view.header.path, arrival.bytes);
    if (arrival.view.header.type == wire::PacketType::data)
        receive_data(*context, arrival, now);
    else if (arrival.view.header.flags & wire::kAckNow) {
        context->note_arrival(arrival.view.header, arrival.marked, now);
        request_ack(*context, true, now);
    }
    if (context->blocked_) make_ready(*context);
}

Context* Transport::accept(const Arrival& arrival, Instant now) {
    const wire::Hello& h = *arrival.view.hello;
    wire::Address from = arrival.from.with_port(h.data_port);
    bool proven = h.cookie != 0 && secrets_.valid(from, h, now);
    bool hold = config_.strict_open || half_open_ >= kHalfOpenMax || !client_.knows(from);
    if (!proven && (hold || h.cookie != 0)) {
        ask_for_cookie(arrival, now);
        return nullptr;
    }
    Context* context = make_context(from);
    if (!context) {
        counters_.add(Counter::drop_strangers);
        return nullptr;
    }
    context->state_ = State::accepted;
    ++half_open_;
    context->address_proven_ = proven;
    context->opened_port_ = arrival.port;
    if (!bind(*context, arrival)) {
        --half_open_;
        contexts_.take(*context);
        counters_.add(Counter::drop_strangers);
        return nullptr;
    }
    counters_.add(Counter::contexts_accepted);
    context->await(now);
    repeat_soon(*context, now);
    choose_preferred(*context->peer_);
    arm(*context);
    return context;
}

// Kept by the opener, not by us. The echo of its token shows that we saw its packet.
void Transport::send_retry(const Arrival& arrival, uint64_t cookie, Instant now) {
    const wire::Hello& h = *arrival.view.hello;
    wire::Header retry;
    retry.type = wire::PacketType::retry;
    retry.context = h.context;
    retry.token = cookie;
    retry.psn = static_cast<uint32_t>(h.token);
    retry.cumulative_ack = static_cast<uint32_t>(h.token >> 32);
    retry.timestamp_us = timestamp_us(now);
    reply(arrival.from.with_port(h.data_port), retry);
}

void Transport::ask_for_cookie(const Arrival& arrival, Instant now) {
    counters_.add(Counter::drop_cookie);
    const wire::Hello& h = *arrival.view.hello;
    send_retry(arrival, secrets_.cookie(arrival.from.with_port(h.data_port), h, now), now);
}

// We had this context, and took records from it, before its opener was given up. Were it opened
// again, they would be delivered twice; were nothing said, the opener would go on asking.
void Transport::refuse_opening(const Arrival& arrival, Instant now) {
    counters_.add(Counter::drop_context);
    if (may_reset(now)) send_retry(arrival, 0, now);
}

void Transport::receive_retry(const Arrival& arrival, Instant now) {
    const wire::Header& h = arrival.view.header;
    Context* context = contexts_.find(h.context);
    if (!context || context->state_ != State::opening) return counters_.add(Counter::drop_context);
    uint64_t echoed = uint64_t{h.cumulative_ack} << 32 | h.psn;
    if (echoed != context->token_) return counters_.add(Counter::drop_token);
    if (h.token == 0) return end(*context, Status::dead, now); // it had us, and gave us up
    if (h.token == context->cookie_) return;                   // a copy
    context->cookie_ = h.token;
    context->sign_of_life(now);
    context->backoff_ = 0;
    context->tail_probed_ = false;
    // None of it was taken: all of it again, now with the cookie.
    for (auto& path : context->paths_)
        while (Outgoing* packet = path->in_flight.front())
            lose(*context, *packet);
    if (context->probe_pending_) probe(*context, now);
    arm(*context);
}

// Both sides of a context: what the other's hello says. false: too many devices.
bool Transport::bind(Context& context, const Arrival& arrival) {
    const wire::Hello& h = *arrival.view.hello;
    Peer* peer = peer_of(h.device);
    if (!peer) return false;
    if (peer->evicted) context_of(peer->evicted); // of two, one may have to be retired
    context.peer_ = peer;
    peer->contexts.push_back(context);
    context.peer_id_ = h.context;
    context.peer_token_ = h.token;
    by_peer_token_.emplace(h.token, context.id_);
    context.data_ = arrival.from.with_port(h.data_port);
    add_address(context, context.data_);
    context.peer_packet_max_ = h.max_packet;
    context.knows_addresses_ = h.features & wire::kFeatureAddresses;
    set_packet_bytes(context, std::min(packet_limit(context.data_), size_t{h.max_packet}));
    context.received_ = ReceiveWindow(Psn(h.first_psn));
    take_credit(context, arrival.view.header.timestamp_us, h.window_bytes);
    return true;
}

bool Transport::receive_answer(Context& context, const Arrival& arrival, Instant now) {
    const wire::Hello& h = *arrival.view.hello;
    if (context.state_ != State::opening || !sane(h) || by_peer_token_.contains(h.token) ||
        !bind(context, arrival))
        return false;
    context.repeat_at_ = kNever;
    context.answered_ = true;
    set_state(context, Event::answer);
    choose_preferred(*context.peer_);
    client_.opened(context, *context.peer_, h.queue_pair);
    request_ack(context, true, now); // shows them that we read it
    challenge_predecessors(context, now);
    make_ready(context);
    return true;
}

void Transport::proved(Context& context, Instant now) {
    context.address_proven_ = true;
    context.repeat_at_ = kNever;
    set_state(context, Event::proof);
    choose_preferred(*context.peer_);
    challenge_predecessors(context, now);
    if (context.blocked_) make_ready(context);
    arm(context);
}

Peer* Transport::peer_of(const wire::DeviceId& device) {
    auto it = peers_.find(device);
    if (it != peers_.end()) return &it->second;
    if (peers_.size() >= kPeersMax) return nullptr;
    Peer& peer = peers_[device];
    peer.device = device;
    peer.ordinal = next_ordinal_++;
    return &peer;
}

// Both sides must come to the same: of those that both know to be established, the one opened by
// the device with the smaller id, and of those the one with the smallest id at its opener. One that
// a peer has only begun to open serves while there is nothing better.
void Transport::choose_preferred(Peer& peer) {
    bool ours_first = device_id_ <= peer.device;
    auto better = [&](const Context& a, const Context& b) {
        bool a_up = a.state_ == State::established, b_up = b.state_ == State::established;
        if (a_up != b_up) return a_up;
        if (a.opener_ != b.opener_) return a.opener_ == ours_first;
        return (a.opener_ ? a.id_ : a.peer_id_) < (b.opener_ ? b.id_ : b.peer_id_);
    };
    Context* best = nullptr;
    for (Context* c = peer.contexts.front(); c; c = peer.contexts.next(*c)) {
        if (c->state_ != State::accepted && c->state_ != State::established) continue;
        if (!best || better(*c, *best)) best = c;
    }
    Context* before = std::exchange(peer.preferred, best);
    if (best) peer.ended = Status::ok;
    if (!before || before == best || before->ended()) return;
    before->idle_done_ = false; // it may be one too many now
    before->used_at_ = now_;
    arm(*before);
}

// Somebody else at the address of a peer: that one may have been restarted. A probe finds out.
void Transport::challenge_predecessors(const Context& context, Instant now) {
    for (const uint32_t id : contexts_at(context.data_)) {
        Context& other = *context_of(id);
        if (other.peer_ == context.peer_ || other.state_ != State::established) continue;
        probe(other, now);
        arm(other);
    }
}

} // namespace rill::transport
