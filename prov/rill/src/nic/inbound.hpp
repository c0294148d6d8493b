// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/dedup_unit.hpp"
#include "nic/rx_flow.hpp"
#include "util/iov.hpp"
#include "util/pool.hpp"
#include "wire/packet.hpp"

#include <cstdint>
#include <unordered_map>

namespace rill::nic {

// A message of more than one packet on its way in. Where its bytes go:
//
//   bounce --steer--> user        matched later: what has arrived is copied once
//   discard --steer--> user       no bounce memory: the grant asks for everything
//   user                          matched by its first packet
enum class Destination : uint8_t { bounce, discard, user };

struct Inbound {
    RxFlow* flow = nullptr;
    MsgNo msg_no;
    Destination destination = Destination::discard;
    bool has_envelope = false;
    uint32_t request = 0;     // of the receive, once matched
    uint32_t unscheduled = 0; // bytes that come without a grant
    uint32_t unscheduled_got = 0;
    std::byte* bounce = nullptr; // `unscheduled` bytes
    IovView iov;                 // user buffer
    uint64_t iov_base = 0;       // multi-receive: where this message starts in it
    uint64_t capacity = 0;       // bytes of the buffer that are this message's
    uint64_t grant_offset = 0;
    uint64_t grant_length = 0;
    uint64_t grant_got = 0;
    DedupUnit::Transfer* chunked = nullptr; // its bytes are reported as chunks

    bool arrived() const { return unscheduled_got == unscheduled; }
};

class InboundTable {
public:
    explicit InboundTable(uint32_t limit) : pool_(limit) {}

    Inbound* find(const RxFlow& flow, MsgNo no) {
        if (by_key_.empty()) return nullptr;
        auto it = by_key_.find(key(flow, no));
        return it == by_key_.end() ? nullptr : it->second;
    }
    Inbound* find(wire::GrantId id) { return pool_.find({id.slot, id.generation}); }
    wire::GrantId id(const Inbound& in) const {
        auto h = pool_.handle(&in);
        return {h.slot, h.generation};
    }
    Inbound* make(RxFlow& flow, MsgNo no) {
        Inbound* in = pool_.make();
        if (!in) return nullptr;
        in->flow = &flow;
        in->msg_no = no;
        by_key_.emplace(key(flow, no), in);
        return in;
    }
    void free(Inbound& in) {
        by_key_.erase(key(*in.flow, in.msg_no));
        pool_.free(&in);
    }
    bool room(uint32_t n) const { return pool_.live() + n <= pool_.limit(); }
    uint32_t live() const { return pool_.live(); }
    template <class F>
    void for_each(F&& f) {
        pool_.for_each(f);
    }

private:
    static uint64_t key(const RxFlow& flow, MsgNo no) {
        return uint64_t{flow.slot} << 32 | no.raw();
    }
    Pool<Inbound> pool_;
    std::unordered_map<uint64_t, Inbound*> by_key_;
};

} // namespace rill::nic
