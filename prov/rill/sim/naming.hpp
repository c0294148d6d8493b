// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstdint>

namespace rill::sim {

// Operations' contexts are their numbers, never null; remote data are the message's number.
inline constexpr uint64_t kDataMark = 0xda7a5eed00000000ull;

inline void* context_of(uint32_t id) {
    return reinterpret_cast<void*>(uintptr_t{id} + 1);
}
inline uint64_t id_of(const void* context) {
    return reinterpret_cast<uintptr_t>(context) - 1;
}
constexpr uint64_t data_of(uint32_t message) {
    return kDataMark ^ message;
}

} // namespace rill::sim
