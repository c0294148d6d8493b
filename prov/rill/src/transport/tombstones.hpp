// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "util/time.hpp"
#include "wire/address.hpp"

#include <cstdint>
#include <deque>
#include <unordered_map>
#include <unordered_set>

namespace rill::transport {

// What is left of a context for a while: enough to answer a repeated farewell, and to know a late
// copy of an opening packet for what it is (as a new opening it would deliver its records twice).
struct Tombstone {
    uint32_t id = 0; // ours
    uint64_t token = 0;
    uint32_t peer_id = 0;
    uint64_t peer_token = 0;
    wire::Address peer;
    bool unproven = false; // the peer opened it, and never showed that it knew of us
};

class Tombstones {
public:
    void add(const Tombstone& stone, Instant now);
    const Tombstone* find(uint32_t id, uint64_t token) const;
    bool knows_peer_token(uint64_t token) const { return peer_tokens_.contains(token); }
    void expire(Instant now);
    size_t size() const { return by_id_.size(); }

private:
    struct Due {
        Instant at;
        uint32_t id;
    };
    void drop_oldest(std::deque<Due>& order);

    std::deque<Due> order_; // both by time
    std::deque<Due> unproven_;
    std::unordered_map<uint32_t, Tombstone> by_id_;
    std::unordered_set<uint64_t> peer_tokens_;
};

} // namespace rill::transport
