// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dedup/regions.hpp"

#include <algorithm>

namespace rill::dedup {

size_t Regions::first_ending_after(uintptr_t address) const {
    const auto it = std::partition_point(sorted_.begin(), sorted_.end(),
                                         [&](const Region& r) { return r.end <= address; });
    return static_cast<size_t>(it - sorted_.begin());
}

bool Regions::attach(std::span<const std::byte> memory) {
    if (memory.empty()) return false;
    const auto begin = reinterpret_cast<uintptr_t>(memory.data());
    const size_t i = first_ending_after(begin);
    if (i < sorted_.size() && sorted_[i].begin < begin + memory.size()) return false;
    Region r{begin, begin + memory.size(), 0, {}};
    r.first_of.assign((memory.size() + kGranule - 1) / kGranule, kNone);
    sorted_.insert(sorted_.begin() + static_cast<ptrdiff_t>(i), std::move(r));
    return true;
}

Regions::Region* Regions::beginning_at(uintptr_t begin) {
    const size_t i = first_ending_after(begin);
    return i < sorted_.size() && sorted_[i].begin == begin ? &sorted_[i] : nullptr;
}

void Regions::detach(uintptr_t begin) {
    sorted_.erase(sorted_.begin() + (beginning_at(begin) - sorted_.data()));
}

Regions::Region* Regions::find(uintptr_t address, size_t bytes) {
    const size_t i = first_ending_after(address);
    if (i == sorted_.size() || address < sorted_[i].begin) return nullptr;
    return bytes <= sorted_[i].end - address ? &sorted_[i] : nullptr;
}

} // namespace rill::dedup
