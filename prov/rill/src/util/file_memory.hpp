// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstddef>

namespace rill {

// Memory that is a file's, mapped from its start. What lies there the kernel can copy from the file,
// without a look at our page tables: see guarded_scatter().
struct FileMemory {
    int fd = -1;
    const std::byte* base = nullptr;
    size_t bytes = 0;

    bool holds(const std::byte* at, size_t n) const {
        return at >= base && n <= bytes && static_cast<size_t>(at - base) <= bytes - n;
    }
};

} // namespace rill
