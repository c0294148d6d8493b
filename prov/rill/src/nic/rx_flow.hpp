// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "transport/transport.hpp"
#include "util/pool.hpp"
#include "util/seq.hpp"
#include "wire/packet.hpp"

#include <cstdint>
#include <unordered_map>

namespace rill::nic {

// The receiving end of an ordered stream of messages: one endpoint of a peer to one of ours.
struct RxFlow {
    transport::Peer* peer = nullptr;
    transport::Context* context = nullptr; // where its last packet came from
    transport::Context* watched = nullptr; // which the peer is watched through
    bool wanted = false;                   // something is expected of the peer: notice if it dies
    uint32_t number = 0;                   // the sender's
    uint32_t queue_pair = 0;               // ours
    uint32_t slot = 0;
    MsgNo turn{0};                // the message that is matched next
    uint64_t source = UINT64_MAX; // what posted receives call the sender
    bool introduced = false;      // the software has named the source
    wire::SourceInfo info;        // valid once message 0 has come
};

class RxFlowTable {
public:
    explicit RxFlowTable(uint32_t limit) : pool_(limit) {}

    RxFlow* find(const transport::Peer& peer, uint32_t number) {
        const uint64_t wanted = key(peer, number);
        if (last_ && last_key_ == wanted) return last_;
        auto it = by_key_.find(wanted);
        if (it == by_key_.end()) return nullptr;
        last_key_ = wanted;
        return last_ = it->second;
    }
    // Null when the table is full.
    RxFlow* make(transport::Peer& peer, uint32_t number, uint32_t queue_pair) {
        RxFlow* f = pool_.make();
        if (!f) return nullptr;
        f->peer = &peer;
        f->number = number;
        f->queue_pair = queue_pair;
        f->slot = pool_.handle(f).slot;
        by_key_.emplace(key(peer, number), f);
        return f;
    }
    RxFlow* at(uint32_t slot) { return pool_.at(slot); }
    void free(RxFlow& f) {
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
    Pool<RxFlow> pool_;
    std::unordered_map<uint64_t, RxFlow*> by_key_;
    RxFlow* last_ = nullptr; // found last, which most packets ask for again
    uint64_t last_key_ = 0;
};

} // namespace rill::nic
