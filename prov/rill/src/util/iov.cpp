// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "util/iov.hpp"

#include <cstring>

namespace rill {

uint64_t total_bytes(IovView list) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < list.count; ++i)
        sum += list.entries[i].iov_len;
    return sum;
}

size_t scatter(IovView list, uint64_t offset, std::span<const std::byte> data) {
    return for_pieces(list, offset, data.size(), [&](std::byte* at, size_t pos, size_t n) {
        std::memcpy(at, data.data() + pos, n);
        return true;
    });
}

size_t gather(IovView list, uint64_t offset, std::span<std::byte> out) {
    return for_pieces(list, offset, out.size(), [&](const std::byte* at, size_t pos, size_t n) {
        std::memcpy(out.data() + pos, at, n);
        return true;
    });
}

} // namespace rill
