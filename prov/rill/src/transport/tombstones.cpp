// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/tombstones.hpp"

namespace rill::transport {
namespace {
// Farewells are repeated for 200 ms only. What needs the time is an opener that was stopped while
// we gave it up: it goes on where it was, with packets that were delivered long ago.
constexpr Duration kKeep = std::chrono::minutes(10);
// An opener that never read our answer goes on opening for as long as it lives, and it may have
// been stopped in between.
constexpr Duration kKeepUnproven = std::chrono::hours(1);
constexpr size_t kMost = 16384; // a job of that size may leave at once
} // namespace

void Tombstones::add(const Tombstone& stone, Instant now) {
    expire(now);
    if (by_id_.size() >= kMost) drop_oldest(order_.empty() ? unproven_ : order_);
    by_id_[stone.id] = stone;
    if (stone.peer_token) peer_tokens_.insert(stone.peer_token);
    if (stone.unproven)
        unproven_.push_back({now + kKeepUnproven, stone.id});
    else
        order_.push_back({now + kKeep, stone.id});
}

const Tombstone* Tombstones::find(uint32_t id, uint64_t token) const {
    auto it = by_id_.find(id);
    return it != by_id_.end() && it->second.token == token ? &it->second : nullptr;
}

void Tombstones::expire(Instant now) {
    for (auto* order : {&order_, &unproven_})
        while (!order->empty() && order->front().at <= now)
            drop_oldest(*order);
}

void Tombstones::drop_oldest(std::deque<Due>& order) {
    auto it = by_id_.find(order.front().id);
    order.pop_front();
    if (it == by_id_.end()) return;
    peer_tokens_.erase(it->second.peer_token);
    by_id_.erase(it);
}

} // namespace rill::transport
