// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/remote_flows.hpp"
#include "util/guarded_copy.hpp"

#include <vector>

namespace rill::nic {

// Payload of peers' writes that lies in the packets of one train and belongs into regions: copied
// together, since a call of the kernel is what a guarded copy costs beyond a plain one. Written by
// Device::on_write, emptied by Device::settle_writes.
struct WriteBatch {
    struct Owner {
        RemoteFlowTable::Handle flow;
        uint32_t msg_no = 0;
    };
    static constexpr size_t kPiecesMax = 64;

    std::vector<GuardedPiece> pieces;
    std::vector<Owner> owners; // of the pieces

    bool empty() const { return pieces.empty(); }
    bool takes(size_t more) const { return pieces.size() + more <= kPiecesMax; }
    void clear() {
        pieces.clear();
        owners.clear();
    }
};

} // namespace rill::nic
