// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/flow_table.hpp"
#include "util/seq.hpp"
#include "wire/packet.hpp"

#include <cstdint>

namespace rill::nic {

// The receiving end of an ordered stream of messages.
struct RxFlow : FlowEnd {
    transport::Context* watched = nullptr; // which the peer is watched through
    bool wanted = false;                   // something is expected of the peer: notice if it dies
    MsgNo turn{0};                         // the message that is matched next
    uint64_t source = UINT64_MAX;          // what posted receives call the sender
    bool introduced = false;               // the software has named the source
    bool told = false;                     // the software knows of this flow
    wire::SourceInfo info;                 // valid once message 0 has come
};

using RxFlowTable = FlowTable<RxFlow>;

} // namespace rill::nic
