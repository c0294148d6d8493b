// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/address_handles.hpp"
#include "nic/entries.hpp"
#include "transport/context.hpp"

#include <cstdint>
#include <vector>

namespace rill::nic {

// Whom the software's flows go to: grants and completion notices count only from there. A flow is
// introduced by its message 0, and stays until another takes its slot.
class SendFlows {
public:
    void introduce(uint32_t number, uint32_t handle) {
        const uint32_t slot = number & kMask;
        if (slots_.size() <= slot) slots_.resize(slot + 1);
        slots_[slot] = {number, handle, nullptr};
    }
    // Whether the peer at the other end of a context may speak of it.
    bool is_theirs(uint32_t number, const transport::Context& from, AddressHandleTable& handles) {
        const uint32_t slot = number & kMask;
        if (slot >= slots_.size() || slots_[slot].number != number) return false;
        Slot& s = slots_[slot];
        if (!s.peer && handles.valid(s.handle)) {
            // It may speak before our opening is answered, over a context of its own.
            if (!handles[s.handle].peer) return true;
            s.peer = handles[s.handle].peer;
        }
        if (!s.peer) s.peer = from.peer(); // its name was taken back before it was known
        return s.peer == from.peer();
    }
    // A destination's name goes; what is under way to it goes on.
    void forget(uint32_t handle, transport::Peer* peer) {
        for (Slot& s : slots_) {
            if (s.handle != handle) continue;
            s.handle = UINT32_MAX;
            if (!s.peer) s.peer = peer;
        }
    }
    void clear() { slots_.clear(); }

private:
    static constexpr uint32_t kMask = (1u << kFlowSlotBits) - 1;
    struct Slot {
        uint32_t number = 0;
        uint32_t handle = UINT32_MAX;
        transport::Peer* peer = nullptr; // once known
    };
    std::vector<Slot> slots_;
};

} // namespace rill::nic
