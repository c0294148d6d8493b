// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "util/status.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

namespace rill::nic {

// The memory behind BAR2, shared out among the functions of a device: a request has a size, the answer
// an offset. First fit over the free extents, which are joined again when they touch.
class DeviceMemory {
public:
    static constexpr uint32_t kGranule = 64; // a queue entry, a cache line

    explicit DeviceMemory(uint32_t bytes);

    // Bytes are rounded up to granules; what is given is zero. invalid: 0 bytes; no_memory: no extent
    // is as long.
    [[nodiscard]] Status allocate(uint16_t owner, uint32_t bytes, uint32_t& offset);
    // not_found: no allocation of this owner begins there.
    [[nodiscard]] Status release(uint16_t owner, uint32_t offset);
    void release_all(uint16_t owner);
    // The bytes there, if they lie in one allocation of this owner; else null.
    std::byte* at(uint16_t owner, uint64_t offset, uint64_t bytes);

    uint32_t bytes() const { return bytes_; }
    uint32_t bytes_free() const;
    uint32_t longest_free() const;
    size_t allocations() const { return used_.size(); }
    // f(owner, offset, bytes), by offset.
    template <class F>
    void for_each(F&& f) const {
        for (const auto& [offset, extent] : used_)
            f(extent.owner, offset, extent.bytes);
    }

private:
    struct Extent {
        uint32_t bytes;
        uint16_t owner;
    };
    using Used = std::map<uint32_t, Extent>;
    void give_back(Used::iterator it);

    struct Unmap {
        size_t bytes;
        void operator()(std::byte* p) const;
    };
    uint32_t bytes_;
    std::unique_ptr<std::byte, Unmap> memory_;
    std::map<uint32_t, uint32_t> free_; // offset, bytes
    Used used_;
};

} // namespace rill::nic
