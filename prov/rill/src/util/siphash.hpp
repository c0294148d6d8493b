// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace rill {

struct SipKey {
    uint64_t k0 = 0, k1 = 0;
};

// SipHash-2-4 (Aumasson, Bernstein 2012): the keyed hash behind tokens and stateless cookies.
uint64_t siphash(const SipKey& key, std::span<const std::byte> data);

} // namespace rill
