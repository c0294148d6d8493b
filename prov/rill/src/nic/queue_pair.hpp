// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/dedup_unit.hpp"
#include "nic/entries.hpp"
#include "nic/match_table.hpp"
#include "wire/address.hpp"
#include "wire/link.hpp"

#include <cstdint>

namespace rill::nic {

// Where the rings of a queue pair lie: memory that the host names, kQueueBytes each, kept until the
// end.
struct QueueMemory {
    SendEntry* send = nullptr;
    ReceiveEntry* receive = nullptr;
};

// An endpoint's queues. The host fills the rings and rings the doorbell; the device empties them in
// the doorbell store (inline mode).
struct QueuePair {
    QueuePair(const QueueMemory& rings, uint32_t receives_max)
        : memory(rings), tagged(receives_max), untagged(receives_max) {}

    uint32_t number = 0;
    wire::PortId port = 0; // kDataPort: none, a shared receive queue that belongs to no endpoint
    wire::Address address;
    QueueMemory memory;
    uint16_t send_head = 0; // entries taken so far
    uint16_t receive_head = 0;
    MatchTable tagged;
    MatchTable untagged;

    DedupAttachment dedup; // what receives posted here may report to

    QueuePair* shared = nullptr; // whose receives messages to this one take; null: its own

    // Where receives are posted.
    QueuePair& receiver() { return shared ? *shared : *this; }
    MatchTable& table(bool is_tagged) {
        return is_tagged ? receiver().tagged : receiver().untagged;
    }
};

} // namespace rill::nic
