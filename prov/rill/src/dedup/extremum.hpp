// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "dedup/cpu.hpp"
#include "dedup/cut.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace rill::dedup {

// Content-defined chunks without a hash: the asymmetric extremum (Zhang et al., "AE: An Asymmetric
// Extremum Content Defined Chunking Algorithm for Fast and Bandwidth-Efficient Data Deduplication",
// INFOCOM 2015). A value lies at every byte: it and the three before it, as a signed little-endian
// number. A chunk ends `window` bytes after its greatest value, the first of equals; so it is long
// enough once nothing greater came for that long.
//
// Nearly all of the work is to look for the first value above a bound, the range scan of
// Udayashankar, Baba and Al-Kiswany, "VectorCDC: Accelerating Data Deduplication with Vector
// Instructions", FAST 2025. Numbers of four bytes instead of single ones make ties rare, and a run
// of one value has an end: at `window`.
class Extremum {
public:
    Extremum() = default;
    Extremum(uint32_t min, uint32_t avg, uint32_t max, const Cpu& cpu);

    Cut next(CutState& state, std::span<const std::byte> data) const;

    uint32_t window() const { return window_; }

private:
    struct Scan;

    uint32_t skip_ = 0; // bytes at the start that are not looked at
    uint32_t window_ = 0;
    uint32_t max_ = 0;
    bool avx2_ = false;
};

inline constexpr size_t kValueBytes = 4;

// The value that ends with data[i]; i >= 3.
inline int32_t value_at(const std::byte* data, size_t i) {
    int32_t v; // little-endian machines only, as all that rill runs on
    std::memcpy(&v, data + i - (kValueBytes - 1), kValueBytes);
    return v;
}

// The first i in [from, to) whose value is greater than `bound`; `to` if there is none. from >= 3.
size_t find_greater_portable(const std::byte* data, size_t from, size_t to, int32_t bound);
#if defined(__x86_64__)
size_t find_greater_avx2(const std::byte* data, size_t from, size_t to, int32_t bound);
#endif

} // namespace rill::dedup
