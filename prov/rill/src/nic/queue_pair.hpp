// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/entries.hpp"
#include "nic/match_table.hpp"
#include "util/ring.hpp"
#include "wire/address.hpp"
#include "wire/link.hpp"

#include <cstdint>

namespace rill::nic {

inline constexpr uint32_t kNoQueuePair = 0;

// An endpoint's queues. The host fills the rings and rings the doorbell; the device empties them in
// the doorbell store (inline mode), so their size bounds what one doorbell announces.
struct QueuePair {
    static constexpr uint32_t kEntries = 64;
    static constexpr size_t kSendBytes = kEntries * sizeof(SendEntry);

    // The send queue lies in memory that the host names: kSendBytes, kept until the end.
    QueuePair(SendEntry* send_queue, uint32_t receives_max)
        : send(send_queue, kEntries), receive(kEntries), tagged(receives_max),
          untagged(receives_max) {}

    uint32_t number = 0;
    wire::PortId port = 0; // kDataPort: none, a shared receive queue that belongs to no endpoint
    wire::Address address;
    Ring<SendEntry> send;
    Ring<ReceiveEntry> receive;
    MatchTable tagged;
    MatchTable untagged;

    QueuePair* shared = nullptr; // whose receives messages to this one take; null: its own

    MatchTable& table(bool is_tagged) {
        QueuePair& of = shared ? *shared : *this;
        return is_tagged ? of.tagged : of.untagged;
    }
};

} // namespace rill::nic
