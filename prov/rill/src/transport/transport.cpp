// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/transport.hpp"

#include <algorithm>
#include <array>

namespace rill::transport {
namespace {
// Packets that are filled and not yet acknowledged, over all contexts: 64 MiB of memory at most.
constexpr uint32_t kPacketsMax = 128 * 1024;
// Between two looks at what came in: more would let acknowledgements wait.
constexpr size_t kTrainsPerPass = 16;
constexpr Duration kAbsence = std::chrono::seconds(1); // when peers never time out
// A deadline this near is left where it is: the first that a packet can need, its tail probe's, is
// no nearer, and whoever is looked at too early is armed anew.
constexpr Duration kNear = std::chrono::milliseconds(1);
constexpr Duration kExpireEvery = std::chrono::seconds(1); // tombstones, which are kept for minutes
constexpr Duration kLeave = std::chrono::milliseconds(200);
} // namespace

Transport::Transport(const Config& config, wire::Link& link, const SipKey& secret, Client& client,
                     obs::Counters& counters)
    : config_(config),
      absence_(config.peer_timeout == Duration::zero() ? kAbsence : config.peer_timeout / 10),
      link_(link), client_(client), counters_(counters), secrets_(secret),
      device_id_(secrets_.device_id(0)), contexts_(config.contexts_max), packets_(kPacketsMax),
      credit_(link.receive_buffer_bytes()), charges_(link),
      ack_scratch_(sizeof(wire::AckBlock) + wire::kEchoesMax * sizeof(wire::Echo) +
                   wire::kAckWordsMax * 8 + sizeof(wire::AddressBlock) +
                   wire::kAddressesMax * sizeof(wire::PathAddress)) {}

Transport::~Transport() = default;

Context* Transport::connect(const wire::Address& endpoint) {
    Context* context = make_context(endpoint);
    if (!context) return nullptr;
    context->opener_ = true;
    context->endpoint_ = endpoint;
    add_address(*context, endpoint);
    counters_.add(obs::Counter::contexts_opened);
    return context;
}

// Null when too many are open, and none of them can be evicted.
Context* Transport::make_context(const wire::Address& to) {
    if (contexts_.full()) make_room();
    Context* context = contexts_.make(secrets_.token(), first_psn(), packet_limit(to));
    if (!context) return nullptr;
    context->initial_window_ = config_.initial_window_bytes;
    context->path_limit_ = path_limit();
    context->used_at_ = now_;
    return context;
}

uint16_t Transport::path_limit() const {
    uint16_t paths = link_.paths();
    if (config_.paths) paths = std::min(paths, config_.paths);
    return std::clamp<uint16_t>(paths, 1, kPathsMax);
}

size_t Transport::packet_limit(const wire::Address& to) const {
    size_t bytes = link_.max_packet_bytes(to);
    if (config_.max_packet) bytes = std::min<size_t>(bytes, config_.max_packet);
    return std::clamp<size_t>(bytes, kPacketMin, wire::kTrainBytesMax);
}

void Transport::ready(Context& context, bool lazily) {
    if (context.ended()) return;
    if (!lazily) return make_ready(context);
    if (!sends_records(context.state_)) context.held_ = true;
    set_lazy(context, true);
    request_flush(context);
}

// An acknowledgement's time is when lazy records leave at the latest.
void Transport::request_flush(Context& context) {
    if (context.ListHook<AckTag>::linked()) return;
    context.ack_at_ = now_ + config_.ack_delay;
    acks_delayed_.push_back(context);
}

void Transport::make_ready(Context& context) {
    if (context.ended()) return;
    if (!sends_records(context.state_)) {
        context.held_ = true;
        return;
    }
    if (!List<Context, ReadyTag>::contains(context)) ready_.push_back(context);
}

void Transport::set_blocked(Context& context, bool blocked) {
    if (context.blocked_ == blocked) return;
    context.blocked_ = blocked;
    blocked_count_ += blocked ? 1u : ~0u;
}

void Transport::set_lazy(Context& context, bool lazy) {
    if (context.lazy_ == lazy) return;
    context.lazy_ = lazy;
    lazy_count_ += lazy ? 1u : ~0u;
}

void Transport::watch(Context& context, bool on) {
    if (context.ended()) return;
    context.watchers_ = static_cast<uint16_t>(context.watchers_ + (on ? 1 : -1));
    if (on) arm(context);
}

void Transport::abandon(Context& context) {
    if (context.untouched()) end(context, Status::ok, now_);
}

// ---- passes ---------------------------------------------------------------------------------

// Also finds out whether we were away (SIGSTOP, a paused machine): later than the last pass and
// later than what we had asked to be woken for. Silence meanwhile says nothing about the peers.
void Transport::start_pass(Instant now) {
    if (!ended_.empty()) free_ended();
    if (now == now_) return;
    if (now - now_ > absence_ && now - deadlines_.earliest() > absence_) resumed_ = now;
    now_ = now;
}

Context::Timing Transport::timing() const {
    return {config_.ack_delay, config_.rto_min, config_.rto_max, config_.peer_timeout, resumed_};
}

void Transport::arm(Context& context) {
    if (!context.ended()) deadlines_.arm(context, context.next_deadline(timing()));
}

// As arm(), for what only moves deadlines later or sets one at least that far away.
void Transport::arm_unless_near(Context& context) {
    if (context.heap_slot == UINT32_MAX || context.armed_at > now_ + kNear) arm(context);
}

size_t Transport::receive(Instant now, bool poll_all) {
    settle(); // the link takes the packet's bytes back
    start_pass(now);
    size_t count = link_.receive(rx_trains_, poll_all);
    if (count == 0) return 0;
    size_t packets = 0;
    for (size_t i = 0; i < count; ++i)
        packets += receive_train(rx_trains_[i], now);
    if (uint64_t drops = credit_.drops(link_.receive_drops(), now))
        counters_.add(obs::Counter::drop_kernel, drops);
    return packets;
}

void Transport::tick(Instant now) {
    settle();
    start_pass(now);
    wire::Address address;
    while (link_.next_refusal(address))
        refused(address, now);
    while (DeadlineHook* hook = deadlines_.pop_due(now))
        service(static_cast<Context&>(*hook), now);
    send_due_acks(now);
    if (now >= expire_at_) {
        expire_at_ = now + kExpireEvery;
        tombstones_.expire(now);
    }
}

void Transport::service(Context& context, Instant now) {
    Context::Timing t = timing();
    if (context.death_deadline(t) <= now) {
        end(context, context.answered_ ? Status::dead : Status::unreachable, now);
        return;
    }
    if (context.reorder_deadline() <= now) detect_losses(context, now);
    if (context.data_deadline(t) <= now) {
        bool first = !context.tail_probed_ && context.backoff_ == 0;
        if (first)
            tail_probe(context, now);
        else
            time_out(context, now);
    }
    if (context.keep_alive_deadline(t) <= now) probe(context, now);
    if (context.path_deadline() <= now) {
        if (context.ways_ && context.ways_->announce_at <= now) announce(context, now);
        probe_paths(context, now);
    }
    if (context.repeat_at_ <= now) repeat(context, now);
    if (context.refused_probe_at_ <= now) {
        context.refused_probe_at_ = kNever;
        if (context.refused_at_ != kNever) probe(context, now);
    }
    if (context.idle_deadline() <= now) idle(context, now);
    arm(context);
}

size_t Transport::transmit(Instant now) {
    start_pass(now);
    if (stalled_until_ <= now) stalled_until_ = kNever;
    size_t packets = 0;
    for (size_t trains = 0; trains < kTrainsPerPass && stalled_until_ == kNever; ++trains) {
        Context* context = ready_.pop_front();
        if (!context) break;
        Sent sent = send_train(*context, false, now);
        packets += sent.packets;
        switch (sent.stop) {
        case Stop::train:
        case Stop::stalled: make_ready(*context); break;
        case Stop::blocked:
            set_blocked(*context, true);
            settle(); // which may open it
            break;
        case Stop::nothing: break;
        }
        if (sent.packets) arm_unless_near(*context);
    }
    send_due_acks(now);
    return packets;
}

Instant Transport::next_deadline() const {
    Instant at = deadlines_.earliest();
    if (leaving_) return std::min(at, leave_until_);
    if (!acks_due_.empty()) at = std::min(at, now_);
    if (Context* context = const_cast<Transport*>(this)->acks_delayed_.front())
        at = std::min(at, context->ack_at_);
    if (!ready_.empty()) at = std::min(at, now_);
    // With the link's queue full, trying again at once would only burn the processor.
    return stalled_until_ == kNever ? at : std::max(at, stalled_until_);
}

bool Transport::outstanding() const {
    return packets_.live() > 0 || !ready_.empty() || blocked_count_ > 0 || lazy_count_ > 0 ||
           opening_count_ > 0;
}

void Transport::leave(Instant now) {
    settle();
    start_pass(now);
    revive_all(); // also who was not heard of for long is told
    leaving_ = true;
    leave_until_ = now + kLeave;
    contexts_.for_each([&](Context& context) {
        set_state(context, Event::leave);
        if (context.state_ != State::leaving) return;
        ++farewells_open_;
        context.repeat_at_ = now;
        repeat(context, now);
        arm(context);
    });
}

bool Transport::left(Instant now) const {
    return leaving_ && (farewells_open_ == 0 || now >= leave_until_);
}

void Transport::stall(Instant now) {
    stalled_until_ = now + link_.again_after();
}

} // namespace rill::transport
