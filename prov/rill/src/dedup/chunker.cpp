// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dedup/chunker.hpp"

#include <algorithm>
#include <bit>

namespace rill::dedup {
namespace {

Cut cut_fixed(uint32_t size, CutState& state, size_t available) {
    const size_t n = std::min<size_t>(available, size - state.length);
    state.length += static_cast<uint32_t>(n);
    if (state.length < size) return {n, false, false};
    state.length = 0;
    return {n, true, false};
}

bool in_order(const ChunkLimits& l) {
    return kChunkMin <= l.min && l.min <= l.avg && l.avg <= l.max && l.max <= kChunkMax;
}

} // namespace

Status Chunker::make(ChunkerKind kind, const ChunkLimits& limits, const Cpu& cpu, Chunker& out) {
    if (!in_order(limits)) return Status::invalid;
    Chunker made;
    made.kind_ = kind;
    made.limits_ = limits;
    switch (kind) {
    case ChunkerKind::fixed:
        if (limits.min != limits.max) return Status::invalid;
        break;
    case ChunkerKind::gear:
        if (!std::has_single_bit(limits.avg) || limits.avg < Gear::kAvgMin) return Status::invalid;
        made.gear_ = Gear(limits.min, limits.avg, limits.max, cpu);
        break;
    case ChunkerKind::extremum:
        if (limits.avg - limits.min < kChunkMin) return Status::invalid;
        made.extremum_ = Extremum(limits.min, limits.avg, limits.max, cpu);
        break;
    }
    out = made;
    return Status::ok;
}

CutState Chunker::start(uint64_t origin) const {
    CutState state;
    if (kind_ == ChunkerKind::fixed) state.length = static_cast<uint32_t>(origin % limits_.avg);
    return state;
}

Cut Chunker::next(CutState& state, std::span<const std::byte> data) const {
    switch (kind_) {
    case ChunkerKind::fixed: return cut_fixed(limits_.avg, state, data.size());
    case ChunkerKind::gear: return gear_.next(state, data);
    case ChunkerKind::extremum: return extremum_.next(state, data);
    }
    return {};
}

} // namespace rill::dedup
