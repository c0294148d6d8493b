// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dedup/gear.hpp"

#if defined(__x86_64__)

#include <bit>
#include <immintrin.h>

#define RILL_AVX2 __attribute__((target("avx2")))
#define RILL_AVX2_INLINE __attribute__((target("avx2"), always_inline)) inline

namespace rill::dedup {
namespace {

constexpr size_t kBlock = 32; // bytes at a time

// 32 positions of 16 bits in the order of memory, as two registers: each has eight positions of
// either 16-byte half, so that packing them gives the order back.
struct Pair {
    __m256i first, second; // positions 0-7 and 16-23, 8-15 and 24-31
};

// The table's low 16 bits, one byte of them per register.
struct NibbleTables {
    __m256i low_l, low_h, high_l, high_h;

    RILL_AVX2_INLINE static __m256i bytes(const std::array<uint16_t, 16>& v, int shift) {
        alignas(16) uint8_t b[16];
        for (int i = 0; i < 16; ++i)
            b[i] = static_cast<uint8_t>(v[i] >> shift);
        return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(b)));
    }
    RILL_AVX2_INLINE NibbleTables()
        : low_l(bytes(kGearTable.low_nibble, 0)), low_h(bytes(kGearTable.low_nibble, 8)),
          high_l(bytes(kGearTable.high_nibble, 0)), high_h(bytes(kGearTable.high_nibble, 8)) {}

    RILL_AVX2_INLINE Pair look_up(__m256i data) const {
        const __m256i nibble = _mm256_set1_epi8(15);
        const __m256i low = _mm256_and_si256(data, nibble);
        const __m256i high = _mm256_and_si256(_mm256_srli_epi16(data, 4), nibble);
        const __m256i l =
            _mm256_xor_si256(_mm256_shuffle_epi8(low_l, low), _mm256_shuffle_epi8(high_l, high));
        const __m256i h =
            _mm256_xor_si256(_mm256_shuffle_epi8(low_h, low), _mm256_shuffle_epi8(high_h, high));
        return {_mm256_unpacklo_epi8(l, h), _mm256_unpackhi_epi8(l, h)};
    }
};

// sum + (sum of kPositions before << kPositions): twice as many bytes are in every sum then.
// `before` is `second` of the block before, and becomes that of this one.
template <int kPositions>
RILL_AVX2_INLINE Pair widen(Pair sum, __m256i& before) {
    // What comes before each half of `first`: the end of the block before, and the middle of this
    // one.
    const __m256i joined = _mm256_permute2x128_si256(before, sum.second, 0x21);
    __m256i a = joined, b = sum.first;
    if constexpr (kPositions < 8) {
        a = _mm256_alignr_epi8(sum.first, joined, 16 - 2 * kPositions);
        b = _mm256_alignr_epi8(sum.second, sum.first, 16 - 2 * kPositions);
    }
    before = sum.second;
    return {_mm256_add_epi16(sum.first, _mm256_slli_epi16(a, kPositions)),
            _mm256_add_epi16(sum.second, _mm256_slli_epi16(b, kPositions))};
}

// The low 16 bits of the hash at 32 positions at a time, by prefix sums over 1, 2, 4 and 8 bytes;
// no byte further back than 15 has a bit left there.
class Filter {
public:
    RILL_AVX2_INLINE explicit Filter(uint16_t mask)
        : mask_(_mm256_set1_epi16(static_cast<short>(mask))), zero_(_mm256_setzero_si256()) {
        for (__m256i& b : before_)
            b = zero_;
    }
    // A bit for each of the 32 positions from `data` on that has zeros under the mask.
    RILL_AVX2_INLINE uint32_t next(const std::byte* data) {
        Pair s = tables_.look_up(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(data)));
        s = widen<1>(s, before_[0]);
        s = widen<2>(s, before_[1]);
        s = widen<4>(s, before_[2]);
        s = widen<8>(s, before_[3]);
        const __m256i a = _mm256_cmpeq_epi16(_mm256_and_si256(s.first, mask_), zero_);
        const __m256i b = _mm256_cmpeq_epi16(_mm256_and_si256(s.second, mask_), zero_);
        return static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_packs_epi16(a, b)));
    }

private:
    NibbleTables tables_;
    __m256i mask_, zero_;
    __m256i before_[4];
};

// Whole hashes of ascending positions. Close ones go on from the last, so that data which always
// passes the filter is no slower than without one.
class Checker {
public:
    explicit Checker(const std::byte* data) : data_(data) {}
    bool matches(size_t at, uint64_t mask) {
        if (at >= end_ + Gear::kWindow) {
            hash_ = gear_hash(data_, at + 1);
        } else {
            for (; end_ <= at; ++end_)
                hash_ = gear_step(hash_, data_[end_]);
        }
        end_ = at + 1;
        return (hash_ & mask) == 0;
    }

private:
    const std::byte* data_;
    size_t end_ = 0;
    uint64_t hash_ = 0;
};

} // namespace

RILL_AVX2 size_t find_gear_avx2(const std::byte* data, size_t from, size_t to,
                                const Gear::Mask& mask) {
    Checker checker(data);
    const auto first_of = [&](uint32_t hits, size_t at) {
        for (; hits != 0; hits &= hits - 1) {
            const size_t hit = at + static_cast<size_t>(std::countr_zero(hits));
            if (checker.matches(hit, mask.all)) return hit;
        }
        return to;
    };
    // The block before gives the filter its past.
    Filter filter(mask.low);
    (void)filter.next(data + from - kBlock);
    size_t at = from;
    for (; at + kBlock <= to; at += kBlock)
        if (const uint32_t hits = filter.next(data + at); hits != 0)
            if (const size_t hit = first_of(hits, at); hit < to) return hit;
    if (at == to) return to;
    // Less than a block is left: the last whole one, without what was looked at.
    Filter last(mask.low);
    (void)last.next(data + to - 2 * kBlock);
    const uint32_t hits = last.next(data + to - kBlock) & ~0u << (at + kBlock - to);
    return first_of(hits, to - kBlock);
}

} // namespace rill::dedup

#endif
