// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/context_table.hpp"

#include <utility>

namespace rill::transport {

Context* ContextTable::make(uint64_t token, Psn first, size_t packet_bytes) {
    if (full() || (free_.empty() && entries_.size() == kSlots)) return nullptr;
    uint32_t slot;
    if (!free_.empty()) {
        slot = free_.front();
        free_.pop_front();
    } else {
        slot = static_cast<uint32_t>(entries_.size());
        entries_.emplace_back();
    }
    Entry& entry = entries_[slot];
    if (++entry.generation == 0) entry.generation = 1; // id 0 means "not known" on the wire
    uint32_t id = uint32_t{entry.generation} << 16 | slot;
    entry.context = std::make_unique<Context>(id, token, first, packet_bytes);
    ++live_;
    return entry.context.get();
}

std::unique_ptr<Context> ContextTable::take(const Context& context) {
    uint32_t slot = context.id() & (kSlots - 1);
    free_.push_back(static_cast<uint16_t>(slot));
    --live_;
    return std::exchange(entries_[slot].context, nullptr);
}

std::unique_ptr<Context> ContextTable::evict(const Context& context, EvictedContext&& rest) {
    Entry& entry = entries_[context.id() & (kSlots - 1)];
    entry.evicted = std::make_unique<EvictedContext>(std::move(rest));
    --live_;
    return std::exchange(entry.context, nullptr);
}

std::pair<Context&, EvictedContext> ContextTable::revive(const EvictedContext& evicted,
                                                         size_t packet_bytes) {
    Entry& entry = entries_[evicted.id & (kSlots - 1)];
    const std::unique_ptr<EvictedContext> rest = std::exchange(entry.evicted, nullptr);
    entry.context = std::make_unique<Context>(rest->id, rest->token, rest->tx_next, packet_bytes);
    ++live_;
    return {*entry.context, std::move(*rest)};
}

} // namespace rill::transport
