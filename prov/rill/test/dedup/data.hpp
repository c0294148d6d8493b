// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "util/prng.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace rill::dedup::test {

inline std::vector<std::byte> random_bytes(size_t n, uint64_t seed) {
    std::vector<std::byte> v(n);
    Prng random(seed);
    for (size_t i = 0; i < n; i += 8) {
        const uint64_t x = random.next();
        std::memcpy(v.data() + i, &x, std::min<size_t>(8, n - i));
    }
    return v;
}

// What chunkers find hard: runs of one value, short periods, counters, words from a small alphabet,
// noise.
inline std::vector<std::byte> mixed_bytes(size_t n, uint64_t seed) {
    std::vector<std::byte> v;
    Prng random(seed);
    while (v.size() < n) {
        const size_t run = 1 + random.below(6000);
        const uint64_t kind = random.below(5), base = random.next();
        for (size_t i = 0; i < run; ++i)
            switch (kind) {
            case 0: v.push_back(std::byte(base)); break;
            case 1: v.push_back(std::byte(base >> 8 * (i % (1 + base % 7)))); break;
            case 2: v.push_back(std::byte(i % 4 ? 0 : i / 4)); break;
            case 3: v.push_back(std::byte('a' + random.below(4))); break;
            case 4: v.push_back(std::byte(random.next())); break;
            }
    }
    v.resize(n);
    return v;
}

// Calls each(fragment) over all of the data, in order, in fragments of 1 to `longest` bytes.
template <class Each>
void for_fragments(std::span<const std::byte> data, size_t longest, uint64_t seed, Each&& each) {
    Prng random(seed);
    while (!data.empty()) {
        const size_t n = std::min<size_t>(data.size(), 1 + random.below(longest));
        each(data.first(n));
        data = data.subspan(n);
    }
}

} // namespace rill::dedup::test
