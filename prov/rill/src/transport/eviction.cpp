// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/transport.hpp"

#include <algorithm>
#include <utility>

// Idle contexts give their memory back, and are there again when either side has something to say.

namespace rill::transport {
namespace {
// Finding the least recently used looks at all contexts, so that some are evicted at a time.
constexpr size_t kShare = 16;
} // namespace

using obs::Counter;

// Nothing is under way, in either direction, and nobody waits for a sign of the peer. Of several
// contexts to one peer none: which of them is used, and which is to be retired, is known only while
// they are there.
bool Transport::may_evict(const Context& context) const {
    if (context.state_ != State::established || !context.drained() || context.watchers_ > 0)
        return false;
    if (context.received_.gap() || context.ack_pending_ || context.probe_pending_ ||
        context.refused_at_ != kNever || &context == unsettled_)
        return false;
    auto& contexts = context.peer_->contexts;
    return contexts.front() == &context && contexts.back() == &context &&
           !client_.has_records(context, true);
}

void Transport::evict(Context& context) {
    Peer& peer = *context.peer_;
    EvictedContext rest;
    rest.token = context.token_;
    rest.peer_token = context.peer_token_;
    rest.peer = &peer;
    rest.id = context.id_;
    rest.peer_id = context.peer_id_;
    rest.tx_next = context.window_.next();
    rest.rx_next = context.received_.next();
    rest.data = context.data_;
    rest.peer_packet_max = context.peer_packet_max_;
    rest.opener = context.opener_;
    rest.knows_addresses = context.knows_addresses_;
    rest.paths = context.path_numbers();

    client_.evicted(context);
    unlink(context);
    remove_address(context, context.endpoint_);
    forget_remotes(context);
    List<Context, PeerTag>::remove(context);
    peer.preferred = nullptr;
    peer.evicted = context.id_;
    context.state_ = State::ended; // whoever still holds it in this pass leaves it alone
    ended_.push_back(contexts_.evict(context, std::move(rest)));
    counters_.add(Counter::contexts_evicted);
}

// As it was when nothing had been sent for long: the network is not known any more, the numbers are.
Context& Transport::revive(const EvictedContext& evicted) {
    const size_t bytes = std::min<size_t>(packet_limit(evicted.data), evicted.peer_packet_max);
    auto [context, rest] = contexts_.revive(evicted, bytes);
    Peer& peer = *rest.peer;
    context.state_ = State::established;
    context.opener_ = rest.opener;
    context.hello_done_ = context.address_proven_ = context.answered_ = true;
    context.peer_ = &peer;
    context.peer_id_ = rest.peer_id;
    context.peer_token_ = rest.peer_token;
    context.data_ = rest.data;
    context.peer_packet_max_ = rest.peer_packet_max;
    context.knows_addresses_ = rest.knows_addresses;
    context.initial_window_ = config_.initial_window_bytes;
    context.path_limit_ = path_limit();
    context.received_ = ReceiveWindow(rest.rx_next);
    context.resume_paths(std::move(rest.paths));
    context.last_heard_ = context.used_at_ = now_;
    context.idle_done_ = false;
    peer.contexts.push_back(context);
    peer.evicted = 0;
    peer.preferred = &context;
    counters_.add(Counter::contexts_revived);
    look_for_ways(context, now_);
    arm(context);
    return context;
}

Context* Transport::context_of(uint32_t id) {
    if (Context* context = contexts_.find(id)) return context;
    const EvictedContext* evicted = contexts_.find_evicted(id);
    if (!evicted) return nullptr;
    if (contexts_.full()) make_room();
    return &revive(*evicted);
}

// For one more: those that were used least recently go. What was used in this pass may still be.
void Transport::make_room() {
    std::vector<Context*> idle;
    contexts_.for_each([&](Context& context) {
        if (context.last_used() != now_ && may_evict(context)) idle.push_back(&context);
    });
    if (idle.empty()) return;
    const auto end = idle.begin() + static_cast<ptrdiff_t>((idle.size() + kShare - 1) / kShare);
    std::nth_element(idle.begin(), end - 1, idle.end(), [](const Context* a, const Context* b) {
        return a->last_used() < b->last_used();
    });
    std::for_each(idle.begin(), end, [&](Context* context) { evict(*context); });
}

void Transport::evict_idle() {
    contexts_.for_each([&](Context& context) {
        if (may_evict(context)) evict(context);
    });
}

// For what concerns all peers.
void Transport::revive_all() {
    contexts_.for_each_evicted([&](const EvictedContext& evicted) { revive(evicted); });
}

} // namespace rill::transport
