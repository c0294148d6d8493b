// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "dedup/cpu.hpp"
#include "dedup/cut.hpp"
#include "dedup/extremum.hpp"
#include "dedup/gear.hpp"
#include "util/status.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace rill::dedup {

enum class ChunkerKind : uint8_t {
    fixed,    // every `avg` bytes
    gear,     // content-defined by a rolling hash: gear.hpp
    extremum, // content-defined without a hash: extremum.hpp
};

// Bytes of a chunk. Only the last of a stream may be shorter than `min`.
struct ChunkLimits {
    uint32_t min = 4096;
    uint32_t avg = 4096;
    uint32_t max = 4096;
};

// Every chunker: 64 B to 16 MiB. Below, a record is as large as what it describes.
inline constexpr uint32_t kChunkMin = 64;
inline constexpr uint32_t kChunkMax = 16u << 20;

// Where chunks end. Immutable: one serves all streams of a store. Where a stream is cut does not
// depend on how it was divided into fragments, nor on the processor.
class Chunker {
public:
    // invalid: limits out of order or out of range; fixed wants them equal, gear a power of two as
    // `avg` (at least 256), extremum room between `min` and `avg`.
    [[nodiscard]] static Status make(ChunkerKind kind, const ChunkLimits& limits, const Cpu& cpu,
                                     Chunker& out);

    // The state of a stream whose first byte lies at `origin`, which matters to fixed chunks only:
    // their ends are aligned in the region, not in the message.
    CutState start(uint64_t origin) const;

    // Scans up to the end of the open chunk, or all of the data. After `done` the state is that of
    // the next chunk.
    Cut next(CutState& state, std::span<const std::byte> data) const;

    ChunkerKind kind() const { return kind_; }
    const ChunkLimits& limits() const { return limits_; }

private:
    ChunkerKind kind_ = ChunkerKind::fixed;
    ChunkLimits limits_;
    Gear gear_;
    Extremum extremum_;
};

} // namespace rill::dedup
