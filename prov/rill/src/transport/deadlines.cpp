// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/deadlines.hpp"

namespace rill::transport {

void Deadlines::arm(DeadlineHook& hook, Instant at) {
    if (at == kNever) return;
    if (hook.heap_slot == UINT32_MAX) {
        hook.armed_at = at;
        heap_.push_back(&hook);
        put(heap_.size() - 1, &hook);
        up(heap_.size() - 1);
    } else if (at < hook.armed_at) {
        hook.armed_at = at;
        up(hook.heap_slot);
    }
}

void Deadlines::remove(DeadlineHook& hook) {
    if (hook.heap_slot == UINT32_MAX) return;
    size_t i = hook.heap_slot;
    hook.heap_slot = UINT32_MAX;
    DeadlineHook* last = heap_.back();
    heap_.pop_back();
    if (last == &hook) return;
    put(i, last);
    up(i);
    down(last->heap_slot);
}

DeadlineHook* Deadlines::pop_due(Instant now) {
    if (heap_.empty() || heap_.front()->armed_at > now) return nullptr;
    DeadlineHook* hook = heap_.front();
    remove(*hook);
    return hook;
}

void Deadlines::up(size_t i) {
    DeadlineHook* hook = heap_[i];
    while (i > 0 && hook->armed_at < heap_[(i - 1) / 2]->armed_at) {
        put(i, heap_[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put(i, hook);
}

void Deadlines::down(size_t i) {
    DeadlineHook* hook = heap_[i];
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= heap_.size()) break;
        if (child + 1 < heap_.size() && heap_[child + 1]->armed_at < heap_[child]->armed_at)
            ++child;
        if (hook->armed_at <= heap_[child]->armed_at) break;
        put(i, heap_[child]);
        i = child;
    }
    put(i, hook);
}

} // namespace rill::transport
