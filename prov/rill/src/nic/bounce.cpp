// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "nic/bounce.hpp"

#include <cstdlib>
#include <cstring>

namespace rill::nic {
namespace {

// In front of every buffer; 16 bytes keep malloc's alignment.
struct alignas(16) BlockHeader {
    uint64_t bytes;
};

} // namespace

std::byte* BouncePool::take(size_t bytes) {
    bool envelope = bytes <= kEnvelopeBytes;
    if (envelope ? envelopes_ >= envelopes_max_ : bytes_ + bytes > bytes_max_) return nullptr;
    auto* block = static_cast<BlockHeader*>(std::malloc(sizeof(BlockHeader) + bytes));
    if (!block) return nullptr;
    block->bytes = bytes;
    if (envelope)
        ++envelopes_;
    else
        bytes_ += bytes;
    return reinterpret_cast<std::byte*>(block + 1);
}

void BouncePool::give_back(std::byte* buffer) {
    if (!buffer) return;
    auto* block = reinterpret_cast<BlockHeader*>(buffer) - 1;
    if (block->bytes <= kEnvelopeBytes)
        --envelopes_;
    else
        bytes_ -= block->bytes;
    std::free(block);
}

} // namespace rill::nic
