// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/flow_table.hpp"
#include "util/iov.hpp"
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

// The target's end of remote operations.
struct RemoteFlow : FlowEnd {
    uint32_t order = 0;      // of the atomic that is executed next
    wire::SourceInfo source; // valid once an operation with an immediate has come
    std::unordered_map<uint32_t, RemotePartial> partial; // by message number
    std::map<uint32_t, EarlyAtomic> early;               // by order
};

using RemoteFlowTable = FlowTable<RemoteFlow>;

// The initiator's end of a read, or of an atomic operation with a result: where the bytes go.
struct Fetch {
    uint32_t request = 0;
    uint32_t handle = 0; // address handle of the peer that answers
    IovView iov;
    uint64_t total = 0;
    uint64_t got = 0;
};

} // namespace rill::nic
