// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "util/iov.hpp"

#include <algorithm>
#include <cstring>

namespace rill {
namespace {

// Calls copy(entry address, position in the caller's bytes, length) for every piece of
// [offset, offset + bytes) that the list covers.
template <class Copy>
size_t for_pieces(IovView list, uint64_t offset, size_t bytes, Copy&& copy) {
    size_t done = 0;
    for (uint32_t i = 0; i < list.count && done < bytes; ++i) {
        const iovec& e = list.entries[i];
        if (offset >= e.iov_len) {
            offset -= e.iov_len;
            continue;
        }
        size_t n = std::min<size_t>(e.iov_len - offset, bytes - done);
        copy(static_cast<std::byte*>(e.iov_base) + offset, done, n);
        done += n;
        offset = 0;
    }
    return done;
}

} // namespace

uint64_t total_bytes(IovView list) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < list.count; ++i)
        sum += list.entries[i].iov_len;
    return sum;
}

size_t scatter(IovView list, uint64_t offset, std::span<const std::byte> data) {
    return for_pieces(list, offset, data.size(), [&](std::byte* at, size_t pos, size_t n) {
        std::memcpy(at, data.data() + pos, n);
    });
}

size_t gather(IovView list, uint64_t offset, std::span<std::byte> out) {
    return for_pieces(list, offset, out.size(), [&](const std::byte* at, size_t pos, size_t n) {
        std::memcpy(out.data() + pos, at, n);
    });
}

} // namespace rill
