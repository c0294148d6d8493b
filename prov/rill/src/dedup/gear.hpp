// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "dedup/cpu.hpp"
#include "dedup/cut.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rill::dedup {

// One table of random numbers: hash = (hash << 1) + table[byte], so a byte has left after 64 steps.
// The low 16 bits of an entry are the exclusive or of one number per nibble, which a vector
// register can look up; the upper 48 are free. The numbers are splitmix64's from a fixed seed.
struct GearTable {
    std::array<uint64_t, 256> entry;
    std::array<uint16_t, 16> low_nibble, high_nibble;
};
extern const GearTable kGearTable;

// Content-defined chunks by a gear hash, in the manner of FastCDC (Xia et al., "FastCDC: a Fast and
// Efficient Content-Defined Chunking Approach for Data Deduplication", USENIX ATC 2016): nothing is
// looked for in the first `min` bytes, and a chunk shorter than `avg` asks for more zero bits than
// a longer one, so that lengths gather around `avg`.
//
// A cut lies after byte i of a chunk if the hash over exactly the last 64 bytes has zeros under the
// mask. That makes it a function of 64 bytes wherever the chunk began. Of the mask's bits, up to
// eleven are among bits 5 to 15, which 16 bytes determine: vectors test those, 32 bytes at a time,
// and the few that pass are checked with all of the hash.
class Gear {
public:
    static constexpr uint32_t kAvgMin = 256; // leaves the easier mask six bits
    static constexpr size_t kWindow = 64;    // bytes in a hash

    struct Mask {
        uint64_t all = 0;
        uint16_t low = 0; // the bits of it that the filter tests
    };

    Gear() = default;
    Gear(uint32_t min, uint32_t avg, uint32_t max, const Cpu& cpu);

    Cut next(CutState& state, std::span<const std::byte> data) const;

private:
    struct Scan;

    uint32_t min_ = 0, avg_ = 0, max_ = 0;
    Mask before_avg_, after_avg_;
    bool avx2_ = false;
};

inline uint64_t gear_step(uint64_t hash, std::byte b) {
    return (hash << 1) + kGearTable.entry[static_cast<uint8_t>(b)];
}

// The hash over data[end - kWindow, end).
uint64_t gear_hash(const std::byte* data, size_t end);

// The first i in [from, to) such that the hash that ends with data[i] has zeros under the mask;
// `to` if there is none. from >= kWindow.
size_t find_gear_portable(const std::byte* data, size_t from, size_t to, const Gear::Mask& mask);
#if defined(__x86_64__)
size_t find_gear_avx2(const std::byte* data, size_t from, size_t to, const Gear::Mask& mask);
#endif

} // namespace rill::dedup
