// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "nic/memory_regions.hpp"

#include <utility>

namespace rill::nic {

bool MemoryRegionTable::add(uint64_t key, MemoryRegion region) {
    return regions_.emplace(key, std::move(region)).second;
}

MemoryRegion* MemoryRegionTable::find(uint64_t key) {
    auto it = regions_.find(key);
    return it == regions_.end() ? nullptr : &it->second;
}

Status MemoryRegionTable::check(uint64_t key, uint8_t access, uint64_t address, uint64_t length,
                                const MemoryRegion*& region, uint64_t& offset) {
    const MemoryRegion* r = find(key);
    if (!r) return Status::bad_key;
    if ((r->access & access) != access) return Status::bad_access;
    if (address < r->base) return Status::bad_range;
    const uint64_t at = address - r->base;
    if (at > r->length || length > r->length - at) return Status::bad_range;
    region = r;
    offset = at;
    return Status::ok;
}

} // namespace rill::nic
