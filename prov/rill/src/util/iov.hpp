// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <sys/uio.h>

namespace rill {

// A scatter list owned by somebody else, at most a few dozen entries.
struct IovView {
    const iovec* entries = nullptr;
    uint32_t count = 0;
};

uint64_t total_bytes(IovView list);

// Calls each(memory, position in the range, length) for every piece of [offset, offset + bytes) that
// the list covers, until one answers false. Returns the bytes of those that did not.
template <class Each>
size_t for_pieces(IovView list, uint64_t offset, size_t bytes, Each&& each) {
    size_t done = 0;
    for (uint32_t i = 0; i < list.count && done < bytes; ++i) {
        const iovec& e = list.entries[i];
        if (offset >= e.iov_len) {
            offset -= e.iov_len;
            continue;
        }
        const size_t n = std::min<size_t>(e.iov_len - offset, bytes - done);
        if (!each(static_cast<std::byte*>(e.iov_base) + offset, done, n)) break;
        done += n;
        offset = 0;
    }
    return done;
}

// Copies into the list from `offset` (counted over the whole list) on; bytes beyond its end are
// left out. Returns what was copied.
size_t scatter(IovView list, uint64_t offset, std::span<const std::byte> data);

// Copies out of the list; likewise.
size_t gather(IovView list, uint64_t offset, std::span<std::byte> out);

} // namespace rill
