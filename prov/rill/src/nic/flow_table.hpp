// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "transport/transport.hpp"
#include "util/pool.hpp"

#include <cstdint>
#include <unordered_map>

namespace rill::nic {

// The receiving end of a flow: from one endpoint of a peer to one of ours.
struct FlowEnd {
    transport::Peer* peer = nullptr;
    uint32_t context = 0;    // id of the one where its last packet came from
    uint32_t number = 0;     // the sender's
    uint32_t queue_pair = 0; // ours
    uint32_t slot = 0;       // in its table
};

// Receiving ends of one kind, by peer and the number that the peer gave them. Flow: a FlowEnd.
template <class Flow>
class FlowTable {
public:
    using Handle = typename Pool<Flow>::Handle;

    explicit FlowTable(uint32_t limit) : pool_(limit) {}

    Flow* find(const transport::Peer& peer, uint32_t number) {
        const uint64_t wanted = key(peer, number);
        if (last_ && last_key_ == wanted) return last_;
        auto it = by_key_.find(wanted);
        if (it == by_key_.end()) return nullptr;
        last_key_ = wanted;
        return last_ = it->second;
    }
    // The flow that a packet of `from` is about; a new one if there was none. Null when the table is
    // full, or the flow is another endpoint's: it has one for ever.
    Flow* get(transport::Context& from, uint32_t number, uint32_t queue_pair) {
        Flow* f = find(*from.peer(), number);
        if (!f) f = make(*from.peer(), number, queue_pair);
        if (!f || f->queue_pair != queue_pair) return nullptr;
        f->context = from.id();
        return f;
    }
    Flow* find(Handle h) { return pool_.find(h); }
    Flow* at(uint32_t slot) { return pool_.at(slot); }
    Handle handle(const Flow& f) const { return pool_.handle(&f); }
    void free(Flow& f) {
        if (last_ == &f) last_ = nullptr;
        by_key_.erase(key(*f.peer, f.number));
        pool_.free(&f);
    }
    bool full() const { return pool_.live() == pool_.limit(); }
    template <class F>
    void for_each(F&& f) {
        pool_.for_each(f);
    }

private:
    static uint64_t key(const transport::Peer& peer, uint32_t number) {
        return uint64_t{peer.ordinal} << 32 | number;
    }
    Flow* make(transport::Peer& peer, uint32_t number, uint32_t queue_pair) {
        Flow* f = pool_.make();
        if (!f) return nullptr;
        f->peer = &peer;
        f->number = number;
        f->queue_pair = queue_pair;
        f->slot = pool_.handle(f).slot;
        by_key_.emplace(key(peer, number), f);
        return f;
    }

    Pool<Flow> pool_;
    std::unordered_map<uint64_t, Flow*> by_key_;
    Flow* last_ = nullptr; // found last, which most packets ask for again
    uint64_t last_key_ = 0;
};

} // namespace rill::nic
