// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/payload.hpp"

#include <algorithm>
#include <cstring>

namespace rill::sim {
namespace {

std::byte payload_byte(uint64_t seed, uint64_t offset) {
    return static_cast<std::byte>(payload_word(seed, offset / 8) >> (offset % 8 * 8));
}

// Calls piece(position, span) for every part of [start, start + length) until one answers false.
template <class F>
void for_parts(const std::vector<iovec>& iov, uint64_t start, uint64_t length, F&& piece) {
    uint64_t at = 0;
    for (const iovec& v : iov) {
        const uint64_t from = std::max(at, start);
        const uint64_t to = std::min(at + v.iov_len, start + length);
        if (from < to) {
            auto* base = static_cast<std::byte*>(v.iov_base) + (from - at);
            if (!piece(from - start, std::span(base, static_cast<size_t>(to - from)))) return;
        }
        at += v.iov_len;
    }
}

} // namespace

uint64_t payload_word(uint64_t seed, uint64_t index) {
    uint64_t x = seed + index * 0x9e3779b97f4a7c15ull;
    x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93ull;
    return x ^ (x >> 32);
}

void payload_fill(uint64_t seed, uint64_t offset, std::span<std::byte> out) {
    size_t i = 0;
    for (; i < out.size() && (offset + i) % 8; ++i)
        out[i] = payload_byte(seed, offset + i);
    for (; i + 8 <= out.size(); i += 8) {
        const uint64_t word = payload_word(seed, (offset + i) / 8);
        std::memcpy(out.data() + i, &word, sizeof word);
    }
    for (; i < out.size(); ++i)
        out[i] = payload_byte(seed, offset + i);
}

uint64_t payload_mismatch(uint64_t seed, uint64_t offset, std::span<const std::byte> bytes) {
    size_t i = 0;
    for (; i < bytes.size() && (offset + i) % 8; ++i)
        if (bytes[i] != payload_byte(seed, offset + i)) return offset + i;
    for (; i + 8 <= bytes.size(); i += 8) {
        const uint64_t word = payload_word(seed, (offset + i) / 8);
        if (std::memcmp(bytes.data() + i, &word, sizeof word) != 0) break;
    }
    for (; i < bytes.size(); ++i)
        if (bytes[i] != payload_byte(seed, offset + i)) return offset + i;
    return UINT64_MAX;
}

void Buffer::add_piece(size_t bytes) {
    pieces_.push_back(std::make_unique_for_overwrite<std::byte[]>(bytes));
    iov_.push_back({pieces_.back().get(), bytes});
    bytes_ += bytes;
}

void Buffer::release() {
    // Poison first: without a sanitizer, a late reader then sends what the receiver must notice.
    for (const iovec& v : iov_)
        if (v.iov_len) std::memset(v.iov_base, 0xee, v.iov_len);
    pieces_.clear();
    iov_.clear();
    bytes_ = 0;
}

void Buffer::fill(uint64_t seed) {
    for_parts(iov_, 0, bytes_, [&](uint64_t at, std::span<std::byte> part) {
        payload_fill(seed, at, part);
        return true;
    });
}

void Buffer::fill_untouched() {
    for (const iovec& v : iov_)
        if (v.iov_len) std::memset(v.iov_base, static_cast<int>(kUntouched), v.iov_len);
}

uint64_t Buffer::mismatch(uint64_t seed, uint64_t start, uint64_t length) const {
    uint64_t found = UINT64_MAX;
    for_parts(iov_, start, length, [&](uint64_t at, std::span<std::byte> part) {
        found = payload_mismatch(seed, at, part);
        return found == UINT64_MAX;
    });
    return found;
}

bool Buffer::untouched_from(uint64_t start) const {
    bool clean = true;
    for_parts(iov_, start, bytes_, [&](uint64_t, std::span<std::byte> part) {
        clean = std::ranges::all_of(part, [](std::byte b) { return b == kUntouched; });
        return clean;
    });
    return clean;
}

uint64_t Buffer::peek_word(uint64_t start, size_t bytes) const {
    uint64_t word = 0;
    for_parts(iov_, start, bytes, [&](uint64_t at, std::span<std::byte> part) {
        for (size_t i = 0; i < part.size(); ++i)
            word |= static_cast<uint64_t>(part[i]) << ((at + i) * 8);
        return true;
    });
    return word;
}

} // namespace rill::sim
