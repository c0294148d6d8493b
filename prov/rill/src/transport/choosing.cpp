// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/context.hpp"

#include <algorithm>

// Which path the next train takes.

namespace rill::transport {
namespace {
constexpr size_t kActivePathsMax = 16;
constexpr uint32_t kDownPenalty = 1000; // more than any path that is up can have
} // namespace

// With less than a train out, the best path, whose socket and whose receiver's coalescing are warm,
// and where no queue has formed. Beyond it the emptiest of as many as there are trains out, each
// pair of addresses at least once.
uint16_t Context::choose_among(const Outgoing* again, size_t bytes, size_t charge, Instant now) {
    // A queue pair of which only the endpoint's port tells: that is at the first address.
    if (again && ways_ && to_endpoint(*again)) return 0;
    if (candidates() == 0) return best_path(again, now);
    const size_t trains = in_flight_bytes_ / wire::kTrainBytesMax;
    if (trains == 0) {
        const uint16_t best = best_path(again, now);
        if (path(best).stalled_until <= now && may_send_train(path(best), bytes, charge))
            return best;
    }
    size_t active = std::min(std::max(trains, ways_ ? ways_->pairs : size_t{1}), kActivePathsMax);
    active = std::min(active, candidates());
    const uint16_t chosen = emptiest_path(again, active, bytes, charge, now);
    if (chosen != kNoPath || trains > 0) return chosen;
    return emptiest_path(again, candidates(), bytes, charge, now);
}

// The one in use, unless it was blamed or another pair of addresses is faster.
uint16_t Context::best_path(const Outgoing* again, Instant now) {
    if (candidates() == 0) // none is known to work: each in turn
        return static_cast<uint16_t>(again ? (again->path + 1u) % paths_.size() : path_);
    const auto blame = [&](uint16_t number) {
        Path& p = path(number);
        const uint32_t again_there = again && number == again->path;
        const bool closed = !p.health.up() || p.stalled_until > now;
        return p.penalty(now) + (closed ? kDownPenalty : 0) + again_there * kDownPenalty / 2;
    };
    uint16_t best = path_;
    uint32_t least = blame(best);
    const size_t looked_at = least == 0 ? (ways_ ? ways_->pairs : 0) : candidates();
    for (size_t i = 0; i < looked_at; ++i) {
        const uint16_t number = candidate(i);
        const uint32_t blamed = blame(number);
        if (blamed > least || (blamed == least && !path(number).faster_than(path(best)))) continue;
        best = number;
        least = blamed;
    }
    return best;
}

// When the kernel may have room again on the first path that it has none on; kNever: it has.
Instant Context::stalled_until(Instant now) const {
    Instant first = kNever;
    for (auto& path : paths_)
        if (path->stalled_until > now) first = std::min(first, path->stalled_until);
    return first;
}

// Ports that rest or are on trial do not count: with one path left, that is taken without asking.
void Context::choose_usable() {
    if (!ways_) return;
    ways_->choose_usable(paths_);
    const bool several = std::any_of(paths_.begin() + 1, paths_.end(), [](auto& path) {
        const PathHealth::State state = path->health.state();
        return state != PathHealth::State::resting && state != PathHealth::State::trial;
    });
    path_limit_ = several ? static_cast<uint16_t>(paths_.size()) : uint16_t{1};
}

// By fullness, then blame, then in turn.
uint16_t Context::emptiest_path(const Outgoing* again, size_t count, size_t bytes, size_t charge,
                                Instant now) {
    uint16_t best = kNoPath;
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < count; ++i) {
        const uint16_t number = candidate((turn_ + i) % count);
        Path& p = path(number);
        if (!p.health.up() || p.stalled_until > now || !may_send_train(p, bytes, charge)) continue;
        uint64_t cost = uint64_t{p.fullness()} << 32 | p.penalty(now);
        if (again && number == again->path) cost += uint64_t{1} << 40;
        if (cost >= least) continue;
        best = number;
        least = cost;
    }
    ++turn_;
    return best;
}

} // namespace rill::transport
