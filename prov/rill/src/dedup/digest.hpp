// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <array>
#include <compare>
#include <cstdint>

namespace rill::dedup {

enum class DigestKind : uint8_t {
    xxh3_128, // a hint: equal bytes are compared before anything is called a duplicate
    sha256,   // trusted by itself
};

// In the order in which the standard tools print it. XXH3-128 has 16 bytes; zeros follow.
struct Digest {
    std::array<uint8_t, 32> bytes{};

    bool operator==(const Digest&) const = default;
};
static_assert(sizeof(Digest) == 32);

} // namespace rill::dedup
