// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rill::fuzz {

// A fuzzer's bytes, taken from the front. Behind the end all is zero, so that every input means
// something and a shorter one means less.
class Input {
public:
    Input(const uint8_t* data, size_t size) : rest_(data, size) {}

    bool empty() const { return rest_.empty(); }
    template <class T>
    T take() {
        T v{};
        const size_t n = std::min(sizeof v, rest_.size());
        std::memcpy(static_cast<void*>(&v), rest_.data(), n);
        rest_ = rest_.subspan(n);
        return v;
    }
    uint8_t byte() { return take<uint8_t>(); }
    // One of `count` (at most 256) choices.
    uint8_t below(unsigned count) { return static_cast<uint8_t>(byte() % count); }
    // Fewer than asked for at the end.
    std::span<const uint8_t> bytes(size_t n) {
        const auto taken = rest_.first(std::min(n, rest_.size()));
        rest_ = rest_.subspan(taken.size());
        return taken;
    }
    std::string_view text() const {
        return {reinterpret_cast<const char*>(rest_.data()), rest_.size()};
    }
    // A number of any size, small ones and those at the edges of words more often than others.
    uint64_t number() {
        switch (const uint8_t kind = byte(); kind >> 4) {
        case 0:
        case 1:
        case 2:
        case 3: return kind & 0x3f;
        case 4:
        case 5: return take<uint16_t>();
        case 6: return take<uint32_t>();
        case 7: return take<uint64_t>();
        case 8:
        case 9:
        case 10:
        case 11: return uint64_t{1} << (kind & 0x3f);
        default: return (uint64_t{1} << (kind & 0x3f)) - 1;
        }
    }

private:
    std::span<const uint8_t> rest_;
};

// What honest machines send: messages around the borders of the protocol.
inline std::vector<std::string> payloads() {
    std::vector<std::string> all;
    for (const size_t n : {0, 1, 64, 65, 300, 1500, 5000, 20000})
        all.emplace_back(n, 'h');
    return all;
}

// What holds whatever the input is.
inline void expect(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

} // namespace rill::fuzz
