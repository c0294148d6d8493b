// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "transport/context.hpp"
#include "transport/evicted.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

namespace rill::transport {

// Contexts by the id that peers put into their packets: slot in the low half, generation in the
// high half, so that a late packet for a freed context finds nothing. Freed slots queue up, which
// makes an id come back as late as possible. A context that is evicted keeps its slot and id.
class ContextTable {
public:
    explicit ContextTable(uint32_t limit) : limit_(limit < kSlots ? limit : kSlots) {}

    // Null when the limit is reached, or all slots are taken.
    Context* make(uint64_t token, Psn first, size_t packet_bytes);
    // Takes it out of the table; it lives as long as the caller keeps it.
    std::unique_ptr<Context> take(const Context& context);
    // Likewise, and leaves what is to be known of it.
    std::unique_ptr<Context> evict(const Context& context, EvictedContext&& rest);
    // Back with its id, beyond the limit if need be; and what was known of it.
    std::pair<Context&, EvictedContext> revive(const EvictedContext& evicted, size_t packet_bytes);

    Context* find(uint32_t id) {
        uint32_t slot = id & (kSlots - 1);
        if (slot >= entries_.size()) return nullptr;
        Context* context = entries_[slot].context.get();
        return context && context->id() == id ? context : nullptr;
    }
    const EvictedContext* find_evicted(uint32_t id) const {
        uint32_t slot = id & (kSlots - 1);
        if (slot >= entries_.size()) return nullptr;
        const EvictedContext* evicted = entries_[slot].evicted.get();
        return evicted && evicted->id == id ? evicted : nullptr;
    }
    uint32_t live() const { return live_; }
    bool full() const { return live_ >= limit_; }
    template <class F>
    void for_each(F&& f) {
        for (size_t i = 0; i < entries_.size(); ++i)
            if (Context* context = entries_[i].context.get()) f(*context);
    }
    // `f` may bring them back.
    template <class F>
    void for_each_evicted(F&& f) {
        for (size_t i = 0; i < entries_.size(); ++i)
            if (const EvictedContext* evicted = entries_[i].evicted.get()) f(*evicted);
    }

private:
    static constexpr uint32_t kSlots = 1u << 16;
    struct Entry {
        std::unique_ptr<Context> context;
        std::unique_ptr<EvictedContext> evicted; // one of the two, or none
        uint16_t generation = 0;
    };

    uint32_t limit_;
    uint32_t live_ = 0;
    std::vector<Entry> entries_;
    std::deque<uint16_t> free_;
};

} // namespace rill::transport
