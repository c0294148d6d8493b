// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dedup/gear.hpp"

#include "util/prng.hpp"

#include <algorithm>
#include <bit>

namespace rill::dedup {
namespace {

constexpr GearTable make_table() {
    GearTable t{};
    Prng random(0x67656172); // "gear"
    for (uint16_t& v : t.low_nibble)
        v = static_cast<uint16_t>(random.next() >> 48);
    for (uint16_t& v : t.high_nibble)
        v = static_cast<uint16_t>(random.next() >> 48);
    for (size_t b = 0; b < 256; ++b)
        t.entry[b] = random.next() << 16 | (t.low_nibble[b & 15] ^ t.high_nibble[b >> 4]);
    return t;
}

// Chunks shorter than `avg` need four times as many bytes as it to be cut, longer ones a quarter:
// level 2 of the paper's normalisation.
constexpr int kNormalisation = 2;

// The low bits from the top, where most bytes take part; what does not fit there over the upper 48,
// so that the far end of the window has its say.
Gear::Mask make_mask(int bits) {
    constexpr int kLowBits = 11, kHighStride = 3;
    Gear::Mask mask;
    const int low = std::min(bits, kLowBits);
    mask.low = static_cast<uint16_t>(0xffff << (16 - low));
    mask.all = mask.low;
    for (int i = low; i < bits; ++i)
        mask.all |= 1ull << (63 - kHighStride * (i - low));
    return mask;
}

} // namespace

constinit const GearTable kGearTable = make_table();

Gear::Gear(uint32_t min, uint32_t avg, uint32_t max, const Cpu& cpu)
    : min_(min), avg_(avg), max_(max),
      before_avg_(make_mask(std::countr_zero(avg) + kNormalisation)),
      after_avg_(make_mask(std::countr_zero(avg) - kNormalisation)), avx2_(cpu.avx2) {}

uint64_t gear_hash(const std::byte* data, size_t end) {
    uint64_t hash = 0;
    for (size_t i = end - Gear::kWindow; i < end; ++i)
        hash = gear_step(hash, data[i]);
    return hash;
}

size_t find_gear_portable(const std::byte* data, size_t from, size_t to, const Gear::Mask& mask) {
    uint64_t hash = gear_hash(data, from);
    for (size_t i = from; i < to; ++i) {
        hash = gear_step(hash, data[i]);
        if ((hash & mask.all) == 0) return i;
    }
    return to;
}

// One pass over one fragment: `at` is the place in it, `length` that in the chunk.
struct Gear::Scan {
    const Gear& gear;
    const std::byte* data;
    size_t end; // of the fragment, or where the chunk must end
    size_t at = 0;
    uint32_t length;
    uint64_t hash;

    void advance(size_t n) {
        at += n;
        length += static_cast<uint32_t>(n);
    }
    // Up to a length of the chunk, or the end of the data, without looking for a cut.
    size_t room(uint32_t up_to) const {
        return length < up_to ? std::min<size_t>(up_to - length, end - at) : 0;
    }
    void roll(size_t n) {
        for (size_t i = 0; i < n; ++i)
            hash = gear_step(hash, data[at + i]);
        advance(n);
    }
    // Whether there is a cut before the chunk is `up_to` long. While the window still reaches into
    // an earlier fragment the hash is carried; then it comes from memory.
    bool find(uint32_t up_to, const Mask& mask) {
        for (size_t n = room(up_to); n > 0 && at < kWindow; --n) {
            roll(1);
            if ((hash & mask.all) == 0) return true;
        }
        const size_t n = room(up_to);
        if (n == 0) return false;
#if defined(__x86_64__)
        const size_t found = gear.avx2_ ? find_gear_avx2(data, at, at + n, mask)
                                        : find_gear_portable(data, at, at + n, mask);
#else
        const size_t found = find_gear_portable(data, at, at + n, mask);
#endif
        const bool cut = found < at + n;
        advance(cut ? found + 1 - at : n);
        return cut;
    }
};

Cut Gear::next(CutState& state, std::span<const std::byte> data) const {
    const size_t end = std::min<size_t>(data.size(), max_ - state.length);
    Scan scan{*this, data.data(), end, 0, state.length, state.hash};
    // Bytes before the first window count for nothing; those of the window, only once.
    scan.advance(scan.room(min_ - kWindow));
    if (scan.at + kWindow <= end && scan.length <= min_ - kWindow)
        scan.advance(kWindow);
    else
        scan.roll(scan.room(min_));
    if (scan.find(avg_, before_avg_) || scan.find(max_, after_avg_)) {
        state = {};
        return {scan.at, true, false};
    }
    if (scan.length == max_) {
        state = {};
        return {scan.at, true, true};
    }
    state.length = scan.length;
    // Within the first window the carried hash is right; after it, it is that of the last 64 bytes.
    state.hash =
        scan.at >= kWindow && scan.length >= min_ ? gear_hash(data.data(), scan.at) : scan.hash;
    return {scan.at, false, false};
}

} // namespace rill::dedup
