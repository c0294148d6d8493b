// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstdint>

namespace rill {

// splitmix64 (Steele, Lea, Flood 2014): small, seedable, replayable. Not for secrets: tokens and
// cookies come from SipHash over a key that the owner got from the kernel.
class Prng {
public:
    explicit constexpr Prng(uint64_t seed) : state_(seed) {}

    constexpr uint64_t next() {
        uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
        return z ^ (z >> 31);
    }
    // Uniform in [0, n); n > 0. The modulo bias is below 2^-32 for n < 2^32.
    constexpr uint64_t below(uint64_t n) { return next() % n; }
    constexpr double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
    constexpr bool chance(double p) { return unit() < p; }

private:
    uint64_t state_;
};

} // namespace rill
