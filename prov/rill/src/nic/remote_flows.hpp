// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "transport/transport.hpp"
#include "util/pool.hpp"
#include "util/seq.hpp"
#include "util/status.hpp"
#include "wire/packet.hpp"

#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

namespace rill::nic {

// An operation of more than one record, some of which have come.
struct RemotePartial {
    uint64_t got = 0; // bytes worked on, refused ones included
    Status status = Status::ok;
    bool aborted = false; // what still comes is dropped
};

// An atomic operation that an earlier one of its flow has not overtaken yet: its record, immediate
// fields left out, and its payload.
struct EarlyAtomic {
    wire::Atomic record;
    std::vector<std::byte> payload;
};

// The target's end of the remote operations from one endpoint of a peer to one of ours.
struct RemoteFlow {
    transport::Peer* peer = nullptr;
    transport::Context* context = nullptr; // where its last packet came from
    uint32_t number = 0;                   // the sender's
    uint32_t queue_pair = 0;               // ours
    uint32_t order = 0;                    // of the atomic that is executed next
    wire::SourceInfo source;               // valid once an operation with an immediate has come
    std::unordered_map<uint32_t, RemotePartial> partial; // by message number
    std::map<uint32_t, EarlyAtomic> early;               // by order
};

class RemoteFlowTable {
public:
    using Handle = Pool<RemoteFlow>::Handle;

    explicit RemoteFlowTable(uint32_t limit) : pool_(limit) {}

    RemoteFlow* find(const transport::Peer& peer, uint32_t number) {
        const uint64_t wanted = key(peer, number);
        if (last_ && last_key_ == wanted) return last_;
        auto it = by_key_.find(wanted);
        if (it == by_key_.end()) return nullptr;
        last_key_ = wanted;
        return last_ = it->second;
    }
    RemoteFlow* find(Handle h) { return pool_.find(h); }
    Handle handle(const RemoteFlow& f) const { return pool_.handle(&f); }
    // Null when the table is full.
    RemoteFlow* make(transport::Peer& peer, uint32_t number, uint32_t queue_pair) {
        RemoteFlow* f = pool_.make();
        if (!f) return nullptr;
        f->peer = &peer;
        f->number = number;
        f->queue_pair = queue_pair;
        by_key_.emplace(key(peer, number), f);
        return f;
    }
    void free(RemoteFlow& f) {
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
    Pool<RemoteFlow> pool_;
    std::unordered_map<uint64_t, RemoteFlow*> by_key_;
    RemoteFlow* last_ = nullptr; // found last
    uint64_t last_key_ = 0;
};

// The initiator's end of a read, or of an atomic operation with a result: where the bytes go.
struct Fetch {
    uint32_t request = 0;
    uint32_t handle = 0; // address handle of the peer that answers
    IovView iov;
    uint64_t total = 0;
    uint64_t got = 0;
};

} // namespace rill::nic
