// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "util/time.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace rill::transport {

// What can wait for a time: at most one entry each.
struct DeadlineHook {
    uint32_t heap_slot = UINT32_MAX; // written by Deadlines
    Instant armed_at{};              // when it will be looked at, not later than it must be
};

// A min-heap of deadlines, re-armed lazily: a deadline that moves later (as every acknowledgement
// makes it) leaves the entry where it is, and whoever pops it asks for the true time and arms anew.
class Deadlines {
public:
    // Looks at the hook no later than `at`.
    void arm(DeadlineHook& hook, Instant at);
    void remove(DeadlineHook& hook);
    // A hook whose time has come, taken out; null when there is none.
    DeadlineHook* pop_due(Instant now);
    Instant earliest() const { return heap_.empty() ? kNever : heap_.front()->armed_at; }
    size_t size() const { return heap_.size(); }

private:
    void up(size_t i);
    void down(size_t i);
    void put(size_t i, DeadlineHook* hook) {
        heap_[i] = hook;
        hook->heap_slot = static_cast<uint32_t>(i);
    }

    std::vector<DeadlineHook*> heap_;
};

} // namespace rill::transport
