// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

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

// Copies into the list from `offset` (counted over the whole list) on; bytes beyond its end are
// left out. Returns what was copied.
size_t scatter(IovView list, uint64_t offset, std::span<const std::byte> data);

// Copies out of the list; likewise.
size_t gather(IovView list, uint64_t offset, std::span<std::byte> out);

} // namespace rill
