// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace rill::dedup {

// Memory whose owner lets chunks in it be referred to until it is detached. Per region, the chunks
// that begin in each granule, as a list through the chunks: so what a write overwrites is found by
// where it is.
class Regions {
public:
    static constexpr uint32_t kGranule = 4096;
    static constexpr uint32_t kNone = UINT32_MAX;

    struct Region {
        uintptr_t begin = 0, end = 0;
        uint32_t longest = 0;           // bytes of the longest chunk that it ever had
        std::vector<uint32_t> first_of; // by granule: a chunk's entry, or kNone

        uint32_t& list_at(uintptr_t address) { return first_of[(address - begin) / kGranule]; }
    };

    // false: empty, or overlaps one that is there.
    [[nodiscard]] bool attach(std::span<const std::byte> memory);
    // The region that begins there must exist.
    void detach(uintptr_t begin);

    // The region that holds all of [address, address + bytes), or null. Valid until the next attach
    // or detach.
    Region* find(uintptr_t address, size_t bytes);
    // The regions that hold some of it, in order: calls each(region).
    template <class Each>
    void for_each_in(uintptr_t address, size_t bytes, Each&& each) {
        for (size_t i = first_ending_after(address); i < sorted_.size(); ++i) {
            if (sorted_[i].begin >= address + bytes) return;
            each(sorted_[i]);
        }
    }
    Region* beginning_at(uintptr_t begin);

private:
    size_t first_ending_after(uintptr_t address) const;

    std::vector<Region> sorted_; // by address, disjoint
};

} // namespace rill::dedup
