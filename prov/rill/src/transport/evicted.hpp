// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "util/seq.hpp"
#include "wire/address.hpp"

#include <cstdint>
#include <vector>

namespace rill::transport {

struct Peer;

// Of a path number: what the other side compares later packets with.
struct PathNumbers {
    uint16_t next_seq = 0; // as sender
    uint32_t marks = 0;    // as receiver: congestion marks counted
};

// What is kept of an idle context that gave its memory back. The peer is not told and need not do the
// same: both numberings go on where they were, so nothing that was delivered can pass for new.
struct EvictedContext {
    uint64_t token = 0;
    uint64_t peer_token = 0;
    Peer* peer = nullptr;
    uint32_t id = 0;
    uint32_t peer_id = 0;
    Psn tx_next;
    Psn rx_next;
    wire::Address data; // where the peer's device receives
    uint16_t peer_packet_max = 0;
    bool opener = false;
    bool knows_addresses = false;
    std::vector<PathNumbers> paths;
};
static_assert(sizeof(EvictedContext) <= 96, "one per peer that was ever talked to");

} // namespace rill::transport
