// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace rill::nic {

// What of the host's memory a function may touch, as an IOMMU would hold it: the device knows bus
// addresses only, and an address outside of every window has no memory behind it.
class DmaMap {
public:
    // Windows are apart by at least a page: no run of bytes reaches from one into the next.
    static constexpr uint64_t kGap = 4096;

    uint64_t map(std::span<std::byte> memory) {
        const uint64_t at = next_;
        next_ += (memory.size() + 2 * kGap - 1) & ~(kGap - 1);
        windows_.push_back({at, memory});
        return at;
    }
    void unmap(uint64_t at) {
        std::erase_if(windows_, [at](const Window& w) { return w.at == at; });
    }
    uint64_t bytes_at(uint64_t at) const {
        for (const Window& w : windows_)
            if (w.at == at) return w.memory.size();
        return 0;
    }
    // Null: not all of it is mapped, it is not aligned to 8 bytes, or the function is no bus master.
    std::byte* translate(uint64_t at, uint64_t bytes) const {
        if (!master_ || at % 8 != 0) return nullptr;
        for (const Window& w : windows_)
            if (at >= w.at && at - w.at <= w.memory.size() &&
                bytes <= w.memory.size() - (at - w.at))
                return w.memory.data() + (at - w.at);
        return nullptr;
    }
    void set_master(bool on) { master_ = on; }

private:
    struct Window {
        uint64_t at;
        std::span<std::byte> memory;
    };
    std::vector<Window> windows_;
    uint64_t next_ = 1u << 20; // 0 is never an address
    bool master_ = false;
};

} // namespace rill::nic
