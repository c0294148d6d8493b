// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstddef>
#include <cstdint>

namespace rill::nic {

// Memory for payload whose place is not known yet. Bounded in two ways: buffers of at most
// kEnvelopeBytes (they keep an envelope's payload) by number, larger ones by their sum, so that
// refused payload never keeps an envelope out. malloc does the rest: this path copies twice anyway.
class BouncePool {
public:
    static constexpr size_t kEnvelopeBytes = 64;

    BouncePool(uint32_t envelopes_max, uint64_t bytes_max)
        : envelopes_max_(envelopes_max), bytes_max_(bytes_max) {}
    BouncePool(const BouncePool&) = delete;
    BouncePool& operator=(const BouncePool&) = delete;

    // Null beyond the bound (or out of memory).
    [[nodiscard]] std::byte* take(size_t bytes);
    void give_back(std::byte* buffer);

    bool envelope_room(uint32_t n) const { return envelopes_ + n <= envelopes_max_; }
    uint64_t bytes_in_use() const { return bytes_; }
    uint32_t envelopes_in_use() const { return envelopes_; }

private:
    uint32_t envelopes_max_;
    uint64_t bytes_max_;
    uint32_t envelopes_ = 0;
    uint64_t bytes_ = 0;
};

} // namespace rill::nic
