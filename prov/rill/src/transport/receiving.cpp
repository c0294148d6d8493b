// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/transport.hpp"

#include <algorithm>
#include <utility>

// What arrives: validated, told apart, delivered; and what an acknowledgement settles.

namespace rill::transport {
namespace {
constexpr Duration kActiveFor = std::chrono::milliseconds(100);
// Moving a context to the tail of the active list at most this often keeps it off the fast path.
constexpr Duration kActiveGrain = std::chrono::milliseconds(10);
// Older than this an echo is nonsense rather than slow.
constexpr int32_t kRttMax_us = 60 * 1000 * 1000;
constexpr uint8_t kBackoffAlive = 3;
// By which the round trips of a context's paths may differ: a train takes half a millisecond at
// 1 Gb/s, and its neighbours in the queue as long.
constexpr Duration kSpread = std::chrono::milliseconds(2);
} // namespace

using obs::Counter;

size_t Transport::receive_train(const wire::RxTrain& train, Instant now) {
    counters_.add(Counter::rx_trains);
    if (train.total_bytes == 0 || train.segment_bytes == 0) {
        counters_.add(Counter::drop_short);
        return 0;
    }
    Arrival& arrival = arrival_;
    arrival.from = train.from;
    arrival.port = train.port;
    arrival.nic = train.nic;
    arrival.marked = train.congestion_marked;
    arrival.file = train.file;
    size_t packets = 0;
    for (size_t at = 0; at < train.total_bytes; at += train.segment_bytes, ++packets) {
        settle();
        arrival.bytes = std::min(train.segment_bytes, train.total_bytes - at);
        counters_.add(Counter::rx_packets);
        counters_.add(Counter::rx_bytes, arrival.bytes);
        if (train.congestion_marked) counters_.add(Counter::rx_marked);
        wire::ParseError error = wire::parse({train.data + at, arrival.bytes}, arrival.view);
        if (error != wire::ParseError::none)
            count_drop(error);
        else
            receive_packet(arrival, now);
    }
    client_.train_placed();
    return packets;
}

void Transport::count_drop(wire::ParseError error) {
    switch (error) {
    case wire::ParseError::none: return;
    case wire::ParseError::too_short: return counters_.add(Counter::drop_short);
    case wire::ParseError::version: return counters_.add(Counter::drop_version);
    case wire::ParseError::type: return counters_.add(Counter::drop_type);
    case wire::ParseError::hello:
    case wire::ParseError::ack:
    case wire::ParseError::addresses:
    case wire::ParseError::records: return counters_.add(Counter::drop_malformed);
    }
}

void Transport::receive_packet(Arrival& arrival, Instant now) {
    const wire::Header& h = arrival.view.header;
    if (h.path >= kPathsMax) return counters_.add(Counter::drop_malformed);
    switch (h.type) {
    case wire::PacketType::retry: return receive_retry(arrival, now);
    case wire::PacketType::reset: return receive_reset(arrival, now);
    case wire::PacketType::data:
    case wire::PacketType::control:
    case wire::PacketType::farewell:
    case wire::PacketType::farewell_ack: break;
    }
    bool carries = h.type == wire::PacketType::data || h.type == wire::PacketType::control;
    if (h.context == 0 && carries) return receive_opening(arrival, now);
    Context* context = addressed(arrival, now);
    if (!context || !welcome(*context, arrival, now)) return;
    const bool later = arrival.view.ack && may_settle_later(*context, arrival);
    if (arrival.view.ack && !later) process_ack(*context, arrival, now);
    if (h.type == wire::PacketType::farewell)
        receive_farewell(*context, arrival, now);
    else if (h.type == wire::PacketType::farewell_ack)
        receive_farewell_ack(*context, arrival, now);
    else
        receive_known(*context, arrival, now);
    if (later && !context->ended()) {
        unsettled_ = context;
        arrived_ = now;
    } else if (arrival.view.ack) {
        arm_after_ack(*context);
    }
}

// Nothing that is to be sent waits for it.
bool Transport::may_settle_later(const Context& context, const Arrival& arrival) const {
    return arrival.view.header.type == wire::PacketType::data &&
           context.state_ == State::established && !context.blocked_ && context.pending_.empty();
}

void Transport::settle_ack(Context& context) {
    process_ack(context, arrival_, arrived_);
    arm_after_ack(context);
}

// With nothing in flight no packet can overtake another, which is what is looked for soon.
void Transport::arm_after_ack(Context& context) {
    if (context.in_flight_packets_ > 0)
        arm(context);
    else
        arm_unless_near(context);
}

Context* Transport::addressed(const Arrival& arrival, Instant now) {
    const wire::Header& h = arrival.view.header;
    Context* context = contexts_.find(h.context);
    if (!context) [[unlikely]] {
        const EvictedContext* evicted = contexts_.find_evicted(h.context);
        if (evicted && evicted->token == h.token) return context_of(h.context);
    }
    if (context && context->token_ == h.token) return context;
    counters_.add(context ? Counter::drop_token : Counter::drop_context);
    answer_unknown(arrival, now);
    return nullptr;
}

// A packet with our id and token is the peer's own: it read our hello, and it is alive. false: it
// says too little to be used.
bool Transport::welcome(Context& context, const Arrival& arrival, Instant now) {
    if (context.state_ == State::unopened || context.state_ == State::opening) {
        if (!arrival.view.hello || !receive_answer(context, arrival, now)) {
            counters_.add(Counter::drop_malformed);
            return false;
        }
    }
    heard(context, now);
    if (context.state_ == State::accepted)
        proved(context, now);
    else if (!context.hello_done_)
        context.hello_done_ = true; // leaving: proved all the same
    touch_active(context, now);
    if (context.ways_) context.ways_->note_arrival(context.paths_, arrival.nic, arrival.from);
    return true;
}

void Transport::heard(Context& context, Instant now) {
    context.sign_of_life(now);
    context.answered_ = true;
    context.probe_pending_ = false;
    context.refused_at_ = kNever;
    context.refusals_ = 0;
    // It lives and does not take our packets (a full queue): that is asked for more often.
    context.backoff_ = std::min(context.backoff_, kBackoffAlive);
}

void Transport::receive_known(Context& context, Arrival& arrival, Instant now) {
    const wire::Header& h = arrival.view.header;
    context.count_arrival(h.path, arrival.bytes);
    if (h.type == wire::PacketType::data) return receive_data(context, arrival, now);
    if (h.flags & wire::kRetire) receive_refusal(context, h.psn, now);
    if (!arrival.view.addresses.empty()) receive_addresses(context, arrival.view.addresses, now);
    if (h.flags & wire::kAckNow) {
        answer_by_port(context, h.path);
        context.note_arrival(h, arrival.marked, now);
        request_ack(context, true, now);
    }
}

void Transport::receive_data(Context& context, Arrival& arrival, Instant now) {
    if (leaving_) return; // what is not acknowledged now is told to have failed
    const wire::Header& h = arrival.view.header;
    bool at_once = (h.flags & wire::kAckNow) || arrival.marked;
    Psn psn(h.psn);
    switch (context.received_.check(psn)) {
    case ReceiveWindow::Verdict::outside: return counters_.add(Counter::drop_window);
    case ReceiveWindow::Verdict::duplicate:
        counters_.add(Counter::rx_duplicates);
        if (h.flags & wire::kAckNow) turn_ack_port(context);
        break;
    case ReceiveWindow::Verdict::fresh:
        if (!arrival.view.records.empty() &&
            !client_.place(context, arrival.port, arrival.view.records)) {
            counters_.add(Counter::drop_no_room);
            // It does not count as received, but that we live should be known.
            if (at_once) request_ack(context, true, now);
            return;
        }
        at_once |= context.received_.mark(psn);
        if (context.state_ == State::agreed) set_state(context, Event::news);
        context.bytes_since_ack_ += static_cast<uint32_t>(arrival.bytes);
        at_once |= context.bytes_since_ack_ >= ack_every(context.granted_, config_.ack_bytes);
        context.used_at_ = now;
        if (context.idle_done_) {
            context.idle_done_ = false;
            arm(context);
        }
        break;
    }
    context.note_arrival(h, arrival.marked, now);
    request_ack(context, at_once, now);
}

// ---- acknowledgements -----------------------------------------------------------------------

void Transport::process_ack(Context& context, const Arrival& arrival, Instant now) {
    const wire::Header& h = arrival.view.header;
    Psn cumulative(h.cumulative_ack);
    if (cumulative > context.window_.next()) return counters_.add(Counter::drop_malformed);
    Psn base = context.window_.base();
    size_t acked = 0;
    auto settle = [&](Outgoing& packet) {
        context.path(packet.path).acked_bytes += packet.wire_bytes;
        ++acked;
        packet_acked(context, packet, now);
    };
    context.window_.ack_before(cumulative, settle);
    const wire::AckBlock& block = *arrival.view.ack;
    if (block.base % 64 == 0) {
        for (size_t i = 0; i < block.words; ++i)
            context.window_.ack_word(Psn(block.base + static_cast<uint32_t>(i * 64)),
                                     wire::load<uint64_t>(arrival.view.ack_words.data() + i * 8),
                                     settle);
        context.window_.skip_acked();
    }
    process_echoes(context, arrival, now);
    take_credit(context, h.timestamp_us, block.window_bytes);
    if (context.ways_) addresses_known(context, block.addresses, now);
    if (acked > 0 || context.window_.base() != base) {
        context.last_sent_ = now; // progress: probes and time-outs count from here
        context.backoff_ = 0;
        context.tail_probed_ = false;
        grow_windows(context);
    }
    detect_losses(context, now);
    if (context.blocked_ || !context.pending_.empty()) {
        if (now >= context.search_at_) look_for_routes(context, now);
        if (context.lazy_) request_flush(context);
        make_ready(context);
    }
}

// By what was acknowledged on each path, if its window was what held the path back.
void Transport::grow_windows(Context& context) {
    const bool alone = context.paths_.size() == 1;
    for (auto& path : context.paths_) {
        const size_t bytes = path->acked_bytes;
        if (bytes == 0) continue;
        const size_t before = path->in_flight_bytes + bytes;
        const bool limited = (alone && context.blocked_) || before * 2 >= path->window.bytes();
        path->window.set_ceiling(size_t{2} * context.credit_);
        path->window.acked(bytes, limited, alone ? 1 : context.coupling(*path));
    }
    for (auto& path : context.paths_)
        path->acked_bytes = 0;
}

// Packets overtake one another, so only the newest word on credit counts.
void Transport::take_credit(Context& context, uint32_t stamp_us, uint32_t window_bytes) {
    if (context.credit_known_ && static_cast<int32_t>(stamp_us - context.credit_stamp_) < 0) return;
    context.credit_known_ = true;
    context.credit_stamp_ = stamp_us;
    context.credit_ = window_bytes;
}

// A path with a longer queue than the others holds up the messages that it has a part of, and the
// window of PSNs for all.
void Transport::hold_back_slow(Context& context, Path& path, Instant now) {
    const Duration least = context.least_srtt();
    if (least == Duration::max() || path.rtt.srtt() <= least + kSpread) return;
    path.window.delayed(now, path.rtt.srtt(), least + kSpread);
}

void Transport::process_echoes(Context& context, const Arrival& arrival, Instant now) {
    const wire::AckBlock& block = *arrival.view.ack;
    for (size_t i = 0; i < block.echoes; ++i) {
        const wire::Echo& echo = arrival.view.echoes[i];
        if (echo.path >= context.paths_.size()) continue; // not one that we ever used
        Path& path = context.path(echo.path);
        auto rtt_us = static_cast<int32_t>(timestamp_us(now) - echo.timestamp_us - block.delay_us);
        if (rtt_us < kRttMax_us && path.delivered(echo.path_seq)) {
            Duration rtt = std::chrono::microseconds(std::max(rtt_us, 1));
            path.rtt.sample(rtt, now);
            const Instant sent = now - rtt - std::chrono::microseconds(block.delay_us);
            context.newest_delivered_ = std::max(context.newest_delivered_, sent);
            context.rtt_.sample(rtt, now);
            if (!path.health.up()) path_answered(context, path, echo.path_seq, now);
            if (context.ways_) hold_back_slow(context, path, now);
        }
        if (path.marks_grew(echo.marks)) {
            path.blame(Blame::mark, now);
            path.window.marked(now, path.rtt.srtt());
        }
    }
}

void Transport::packet_acked(Context& context, Outgoing& packet, Instant now) {
    Path& path = context.path(packet.path);
    bool resent = packet.transmissions > 1;
    if (packet.probe) context.probe_answered(now - packet.sent, timing(), now);
    // Sooner than a round trip after it was sent again: what arrived was an earlier copy.
    bool needless = resent && path.rtt.valid() && now - packet.sent < path.rtt.min_rtt();
    switch (packet.state) {
    case Outgoing::State::in_flight:
        context.left_flight(packet);
        if (resent && needless) break;
        path.delivered(packet.path_seq);
        context.newest_delivered_ = std::max(context.newest_delivered_, packet.sent);
        break;
    // Arrived after all; it stands in the queue, and does not go out again.
    case Outgoing::State::lost: needless = true; break;
    case Outgoing::State::fresh: break; // a hostile acknowledgement of what was never sent
    }
    if (needless && !packet.probe) {
        path.spurious();
        if (packet.state == Outgoing::State::in_flight) counters_.add(Counter::tx_spurious);
    }
    release(packet);
}

// ---- loss -----------------------------------------------------------------------------------

void Transport::detect_losses(Context& context, Instant now) {
    if (context.in_flight_packets_ == 0) return;
    bool several = context.paths_.size() > 1;
    for (auto& path : context.paths_) {
        const Duration train = path->train_time();
        bool swallowed = false;
        for (;;) {
            Outgoing* packet = path->next_lost(now, train);
            if (!packet && several) {
                packet = path->next_swallowed(context.newest_delivered_, train);
                swallowed |= packet != nullptr;
            }
            if (!packet) break;
            path->window.lost(packet->sent, now,
                              path->congested() ? CongestionWindow::Loss::congestive
                                                : CongestionWindow::Loss::isolated);
            path->blame(Blame::loss, now);
            lose(context, *packet);
        }
        if (swallowed) suspect(context, *path, now);
    }
}

void Transport::lose(Context& context, Outgoing& packet) {
    packet.unlink();
    context.left_flight(packet);
    packet.state = Outgoing::State::lost;
    packet.probe = false;
    ++context.path(packet.path).losses;
    context.pending_.push_back(packet);
    make_ready(context);
}

// ---- who is sending -------------------------------------------------------------------------

void Transport::touch_active(Context& context, Instant now) {
    bool listed = List<Context, ActiveTag>::contains(context);
    if (listed && now - context.active_at_ < kActiveGrain) return;
    if (listed)
        context.ListHook<ActiveTag>::unlink();
    else
        ++active_count_;
    context.active_at_ = now;
    active_.push_back(context);
}

size_t Transport::active_contexts(Instant now) {
    while (Context* context = active_.front()) {
        if (now - context->active_at_ < kActiveFor) break;
        context->ListHook<ActiveTag>::unlink();
        --active_count_;
    }
    return active_count_;
}

} // namespace rill::transport
