// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/transport.hpp"

#include <algorithm>

// How contexts end: death, farewell, retirement; and what is said to those who ask for one that is
// over.

namespace rill::transport {
namespace {
constexpr Duration kRepeatFirst = std::chrono::milliseconds(20);
constexpr Duration kRepeatMax = std::chrono::seconds(1);
// A port that refuses may belong to a peer that is just starting; a job's ranks start within this.
constexpr unsigned kOpeningRefusals = 3;
constexpr Duration kOpeningPatience = std::chrono::milliseconds(300);
// A farewell on its way must not be overtaken by the refusals that follow it.
constexpr Duration kRefusalPatience = std::chrono::milliseconds(5);
constexpr uint32_t kResetsPerSecond = 1000;
constexpr uint32_t kResetBurst = 100;
} // namespace

using obs::Counter;

void Transport::set_state(Context& context, Event event) {
    State before = context.state_;
    State next = after(before, event);
    if (next == before) return;
    context.state_ = next;
    if (before == State::opening) --opening_count_;
    if (next == State::opening) ++opening_count_;
    if (before == State::accepted) --half_open_;
    if (next == State::accepted) ++half_open_;
    if (next != State::established) return;
    context.hello_done_ = true;
    context.repeat_at_ = kNever;
    context.idle_done_ = false;
    context.used_at_ = now_;
    if (std::exchange(context.held_, false)) make_ready(context);
    if (context.lazy_) request_flush(context);
    if (!context.ways_) look_for_ways(context, now_);
}

// A device that is dead or gone is so on all its contexts: messages of one flow may have gone over
// several, and both sides must agree on which flows are over. An opening of theirs that was given
// up before they heard of us, and before we used it, takes only itself along.
void Transport::end(Context& context, Status why, Instant now) {
    if (context.ended()) return;
    Peer* peer = context.peer_;
    bool used = context.answered_ || context.window_.next().raw() != context.first_psn_;
    if (!peer || !used || why == Status::ok) return end_one(context, why, now);
    std::vector<Context*> all;
    while (Context* c = peer->contexts.pop_front())
        all.push_back(c);
    choose_preferred(*peer);
    peer->ended = why;
    for (Context* c : all)
        end_one(*c, why, now);
}

void Transport::end_one(Context& context, Status why, Instant now) {
    if (context.state_ == State::leaving) farewell_answered(context);
    bool unproven = context.state_ == State::accepted;
    set_state(context, Event::over);
    unlink(context);
    remove_address(context, context.endpoint_);
    remove_address(context, context.data_);
    forget_remotes(context);
    if (Peer* peer = context.peer_) {
        by_peer_token_.erase(context.peer_token_);
        tombstones_.add({context.id_, context.token_, context.peer_id_, context.peer_token_,
                         context.data_, unproven},
                        now);
        List<Context, PeerTag>::remove(context);
        choose_preferred(*peer);
        if (!peer->preferred) peer->ended = why;
    }
    for (Psn psn = context.window_.base(); psn < context.window_.next(); ++psn)
        if (Outgoing* packet = context.window_.find(psn)) release(*packet);
    if (why == Status::unreachable) counters_.add(Counter::peers_unreachable);
    if (why == Status::dead) counters_.add(Counter::peers_dead);
    if (why == Status::gone) counters_.add(Counter::peers_gone);
    ended_.push_back(contexts_.take(context));
    client_.ended(context, why);
}

// From all that the transport goes through.
void Transport::unlink(Context& context) {
    if (unsettled_ == &context) unsettled_ = nullptr;
    deadlines_.remove(context);
    context.ListHook<ReadyTag>::unlink();
    context.ListHook<AckTag>::unlink();
    if (List<Context, ActiveTag>::contains(context)) {
        context.ListHook<ActiveTag>::unlink();
        --active_count_;
    }
    set_blocked(context, false);
    set_lazy(context, false);
}

void Transport::free_ended() {
    ended_.clear();
}

// ---- taking leave ---------------------------------------------------------------------------

void Transport::receive_farewell(Context& context, const Arrival& arrival, Instant now) {
    const wire::Header& h = arrival.view.header;
    if (h.flags & wire::kRetire) return receive_question(context, h.psn, now);
    send_control(context, wire::PacketType::farewell_ack, 0, now);
    end(context, Status::gone, now);
}

void Transport::receive_farewell_ack(Context& context, const Arrival& arrival, Instant now) {
    const wire::Header& h = arrival.view.header;
    if (!(h.flags & wire::kRetire)) {
        if (context.state_ == State::leaving) farewell_answered(context);
        return;
    }
    if (context.state_ == State::leaving) return;
    if (context.state_ != State::retiring || h.psn != context.retire_nonce_) {
        // An answer to a question that we have dropped: they are not to wait for us.
        send_control(context, wire::PacketType::control, wire::kRetire, now, h.psn);
        return;
    }
    end(context, Status::ok, now);
    answer_unknown(arrival, now); // "I do not know that context" is what they wait for
}

void Transport::reset(Instant now) {
    start_pass(now);
    revive_all();
    std::vector<Context*> all;
    contexts_.for_each([&](Context& context) {
        const bool answers = context.state_ > State::opening && context.state_ < State::leaving;
        if (answers) send_control(context, wire::PacketType::farewell, 0, now);
        all.push_back(&context);
    });
    for (Context* context : all) // the first of a peer's takes the others along
        end(*context, Status::gone, now);
    // A farewell may arrive after the opening that follows: it must not end that as well.
    device_id_ = secrets_.device_id(++resets_);
}

void Transport::farewell_answered(Context& context) {
    if (context.farewell_answered_) return;
    context.farewell_answered_ = true;
    context.repeat_at_ = kNever;
    --farewells_open_;
}

// ---- retiring -------------------------------------------------------------------------------

// Nothing of ours is in it or about to be, and there is another way to the peer. Never the two ends
// of a context with ourselves: retiring one would take the other with it.
bool Transport::may_retire(const Context& context) const {
    return context.state_ == State::established && context.drained() && context.watchers_ == 0 &&
           context.peer_->preferred && context.peer_->preferred != &context &&
           context.peer_->device != device_id_;
}

void Transport::idle(Context& context, Instant now) {
    if (context.idle_done_) return idle_for_long(context, now);
    context.used_at_ = now;
    if (!context.drained()) return; // look again
    context.window_.release();
    context.received_.release();
    rest_ports(context);
    context.idle_done_ = true;
    if (config_.evict_after != Duration::zero()) context.evict_at_ = now + config_.evict_after;
    if (context.opener_ && may_retire(context)) ask_to_retire(context, now);
}

// What cannot be evicted then is left alone until it has been used again, or the limit is reached.
void Transport::idle_for_long(Context& context, Instant now) {
    const Instant at = context.last_used() + config_.evict_after;
    context.evict_at_ = at > now ? at : kNever;
    if (at <= now && may_evict(context)) evict(context);
}

// Only the opener asks, so that questions never cross. The number tells an answer to this question
// from one to an earlier question.
void Transport::ask_to_retire(Context& context, Instant now) {
    set_state(context, Event::propose);
    context.retire_nonce_ = ++retire_nonce_;
    context.await(now);
    context.repeat_at_ = now;
    context.repeat_after_ = kRepeatFirst;
    repeat(context, now);
}

// Having agreed, nothing is sent until the opener has freed the context (it resets our agreement)
// or refuses it. So whatever was sent before was received, and nothing can be sent after.
void Transport::receive_question(Context& context, uint32_t nonce, Instant now) {
    if (context.state_ == State::leaving || context.opener_) return;
    if (context.state_ != State::agreed && !may_retire(context)) {
        send_control(context, wire::PacketType::control, wire::kRetire, now, nonce);
        return;
    }
    set_state(context, Event::agree);
    context.retire_nonce_ = nonce;
    context.await(now);
    context.repeat_at_ = now;
    context.repeat_after_ = kRepeatFirst;
    repeat(context, now);
    arm(context);
}

void Transport::receive_refusal(Context& context, uint32_t nonce, Instant now) {
    if (context.state_ != State::retiring && context.state_ != State::agreed) return;
    if (nonce != context.retire_nonce_) return;
    set_state(context, Event::refuse);
    choose_preferred(*context.peer_);
    context.used_at_ = now;
    arm(context);
}

// ---- what is repeated until answered --------------------------------------------------------

void Transport::repeat_soon(Context& context, Instant now) {
    context.repeat_after_ = kRepeatFirst;
    context.repeat_at_ = now + kRepeatFirst;
}

void Transport::repeat(Context& context, Instant now) {
    // Often enough that a lossy link, or one without room, does not pass for death.
    const Duration patience = config_.peer_timeout / 16;
    const Duration most =
        patience == Duration::zero() ? kRepeatMax : std::min(patience, kRepeatMax);
    context.repeat_at_ = now + context.repeat_after_;
    context.repeat_after_ = std::min(2 * context.repeat_after_, most);
    switch (context.state_) {
    case State::opening: // in flight, records do that
        if (context.in_flight_packets_ == 0) probe(context, now);
        return;
    case State::accepted: return probe(context, now);
    case State::retiring:
        send_control(context, wire::PacketType::farewell, wire::kRetire, now,
                     context.retire_nonce_);
        return;
    case State::agreed:
        send_control(context, wire::PacketType::farewell_ack, wire::kRetire, now,
                     context.retire_nonce_);
        return;
    case State::leaving:
        context.repeat_at_ = now < leave_until_ ? now + kRepeatFirst : kNever;
        send_control(context, wire::PacketType::farewell, 0, now);
        return;
    case State::unopened:
    case State::established:
    case State::ended: context.repeat_at_ = kNever; return;
    }
}

// ---- resets and refusals --------------------------------------------------------------------

// Answers for which we keep no state are bounded in time: a token bucket.
bool Transport::may_reset(Instant now) {
    constexpr Duration kEach = Duration(std::chrono::seconds(1)) / kResetsPerSecond;
    int64_t earned = (now - resets_at_) / kEach;
    if (earned > 0) {
        int64_t tokens = reset_tokens_ + std::min<int64_t>(earned, kResetBurst);
        reset_tokens_ = static_cast<uint32_t>(std::min<int64_t>(tokens, kResetBurst));
        resets_at_ = now;
    }
    if (reset_tokens_ == 0) return false;
    --reset_tokens_;
    return true;
}

// To a packet for a context that we do not have: a farewell is answered again, a question that is
// settled too; data is told that it goes nowhere. Anything else gets no answer.
void Transport::answer_unknown(const Arrival& arrival, Instant now) {
    const wire::Header& h = arrival.view.header;
    const Tombstone* stone = tombstones_.find(h.context, h.token);
    wire::Header answer;
    answer.timestamp_us = timestamp_us(now);
    if (h.type == wire::PacketType::farewell && !(h.flags & wire::kRetire)) {
        if (!stone) return;
        answer.type = wire::PacketType::farewell_ack;
        answer.context = stone->peer_id;
        answer.token = stone->peer_token;
        return reply(stone->peer, answer);
    }
    bool agreement = h.type == wire::PacketType::farewell_ack && (h.flags & wire::kRetire);
    if (h.type != wire::PacketType::data && h.type != wire::PacketType::control && !agreement)
        return;
    if (!may_reset(now)) return;
    answer.type = wire::PacketType::reset;
    answer.context = h.context;
    answer.token = h.token;
    reply(stone ? stone->peer : arrival.from, answer);
}

// It names what *they* do not know: their id and token, as we put it into our packet.
void Transport::receive_reset(const Arrival& arrival, Instant now) {
    const wire::Header& h = arrival.view.header;
    auto it = by_peer_token_.find(h.token);
    if (it == by_peer_token_.end()) return counters_.add(Counter::drop_context);
    Context& context = *context_of(it->second);
    if (context.peer_id_ != h.context) return counters_.add(Counter::drop_token);
    switch (context.state_) {
    case State::retiring:
    case State::agreed: return end(context, Status::ok, now);
    case State::leaving: return farewell_answered(context);
    case State::accepted:
    case State::established: return end(context, Status::dead, now);
    case State::unopened:
    case State::opening:
    case State::ended: return;
    }
}

void Transport::refused(const wire::Address& address, Instant now) {
    for (const uint32_t id : contexts_at(address)) {
        Context* context = contexts_.find(id); // one that is evicted has sent nothing
        if (!context) continue;
        if (context->state_ <= State::opening)
            refused_opening(*context, now);
        else if (!context->is_data_address(address))
            refused_endpoint(*context, now);
        else if (context->state_ == State::leaving)
            farewell_answered(*context);
        else
            refused_device(*context, now);
        arm(*context);
    }
}

void Transport::count_refusal(Context& context, Instant now) {
    if (context.refused_at_ == kNever) {
        context.refused_at_ = now;
        context.refusals_ = 0;
    }
    if (context.refusals_ < UINT8_MAX) ++context.refusals_;
}

void Transport::refused_opening(Context& context, Instant now) {
    count_refusal(context, now);
    if (context.refusals_ >= kOpeningRefusals && now - context.refused_at_ >= kOpeningPatience)
        end(context, Status::unreachable, now);
}

// One refusal may be a stray; a probe that is refused as well, with nothing heard in between, is
// death.
void Transport::refused_device(Context& context, Instant now) {
    count_refusal(context, now);
    if (context.refusals_ > 1 && now - context.refused_at_ >= kRefusalPatience)
        return end(context, context.answered_ ? Status::dead : Status::unreachable, now);
    // Once now, and once when everything that was on its way has arrived.
    if (context.refusals_ == 1) probe(context, now);
    context.refused_probe_at_ = context.refused_at_ + kRefusalPatience;
}

// The device lives, this endpoint of it does not. Its packets go to the device instead, which
// refuses their records by name; else they would wait here for ever.
void Transport::refused_endpoint(Context& context, Instant now) {
    if (context.endpoint_refused_at_ == kNever) context.endpoint_refused_at_ = now;
    if (now - context.endpoint_refused_at_ >= kOpeningPatience) context.endpoint_refused_ = true;
}

void Transport::add_address(Context& context, const wire::Address& address) {
    by_address_.emplace(address, context.id_);
}

std::vector<uint32_t> Transport::contexts_at(const wire::Address& address) const {
    std::vector<uint32_t> ids;
    auto [from, to] = by_address_.equal_range(address);
    for (auto it = from; it != to; ++it)
        ids.push_back(it->second);
    return ids;
}

// The first of the peer's addresses is the context's own.
void Transport::forget_remotes(Context& context) {
    if (!context.ways_) return;
    for (size_t i = 1; i < context.ways_->remotes.size(); ++i)
        remove_address(context, context.ways_->remotes[i]);
}

void Transport::remove_address(Context& context, const wire::Address& address) {
    auto [from, to] = by_address_.equal_range(address);
    for (auto it = from; it != to; ++it) {
        if (it->second != context.id_) continue;
        by_address_.erase(it);
        return;
    }
}

} // namespace rill::transport
