// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/dedup_unit.hpp"
#include "util/iov.hpp"
#include "util/status.hpp"

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

namespace rill::nic {

enum RegionAccess : uint8_t {
    kRemoteReadable = 1 << 0,
    kRemoteWritable = 1 << 1,
};

// Memory that peers may name by a key. Its first byte has the address `base` for them: 0, or the
// virtual address of the first piece; further pieces follow without a gap.
struct MemoryRegion {
    using Pieces = std::vector<iovec>;

    uint64_t base = 0;
    uint64_t length = 0;
    uint8_t access = 0;
    DedupAttachment dedup;
    // Shared with answers on their way, which go on to read what they were granted.
    std::shared_ptr<const Pieces> pieces;

    IovView view() const { return {pieces->data(), static_cast<uint32_t>(pieces->size())}; }
};

class MemoryRegionTable {
public:
    // False: the key is taken.
    [[nodiscard]] bool add(uint64_t key, MemoryRegion region);
    void remove(uint64_t key) { regions_.erase(key); }
    MemoryRegion* find(uint64_t key);

    // Whether a peer may do that (bits of RegionAccess) with [address, address + length), and
    // where in the region it lies. bad_key, bad_access, bad_range. An empty range is allowed up to
    // the end of the region.
    [[nodiscard]] Status check(uint64_t key, uint8_t access, uint64_t address, uint64_t length,
                               const MemoryRegion*& region, uint64_t& offset);
    size_t size() const { return regions_.size(); }
    // f(key, region), in no order.
    template <class F>
    void for_each(F&& f) const {
        for (const auto& [key, region] : regions_)
            f(key, region);
    }

private:
    std::unordered_map<uint64_t, MemoryRegion> regions_;
};

} // namespace rill::nic
