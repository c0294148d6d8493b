// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dedup/sha256.hpp"

#if defined(__x86_64__)

// GCC 12's own header for AVX-512 is warned of wherever it is inlined (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#define RILL_AVX512 __attribute__((target("avx512f,avx512bw")))
#define RILL_AVX512_INLINE __attribute__((target("avx512f,avx512bw"), always_inline)) inline

namespace rill::dedup {
namespace {

constexpr size_t kLanes = 16;

// Row i has sixteen words of lane i; then word i of sixteen lanes.
RILL_AVX512_INLINE void transpose(__m512i (&r)[kLanes]) {
    __m512i t[kLanes];
#pragma GCC unroll 8
    for (size_t i = 0; i < kLanes; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < kLanes; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; ++j) {
        const __m512i even_a = _mm512_shuffle_i32x4(r[j], r[4 + j], 0x88);
        const __m512i even_b = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0x88);
        const __m512i odd_a = _mm512_shuffle_i32x4(r[j], r[4 + j], 0xdd);
        const __m512i odd_b = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0xdd);
        r[j] = _mm512_shuffle_i32x4(even_a, even_b, 0x88);
        r[8 + j] = _mm512_shuffle_i32x4(even_a, even_b, 0xdd);
        r[4 + j] = _mm512_shuffle_i32x4(odd_a, odd_b, 0x88);
        r[12 + j] = _mm512_shuffle_i32x4(odd_a, odd_b, 0xdd);
    }
}

// Truth tables for vpternlog.
constexpr int kXor3 = 0x96, kChoose = 0xca, kMajority = 0xe8;

// The functions of FIPS 180-4, 4.1.2: three rotations, or two and a shift.
template <int kA, int kB, int kC>
RILL_AVX512_INLINE __m512i big_sigma(__m512i x) {
    return _mm512_ternarylogic_epi32(_mm512_ror_epi32(x, kA), _mm512_ror_epi32(x, kB),
                                     _mm512_ror_epi32(x, kC), kXor3);
}

template <int kA, int kB, int kShift>
RILL_AVX512_INLINE __m512i small_sigma(__m512i x) {
    return _mm512_ternarylogic_epi32(_mm512_ror_epi32(x, kA), _mm512_ror_epi32(x, kB),
                                     _mm512_srli_epi32(x, kShift), kXor3);
}

RILL_AVX512_INLINE void one_block(__m512i (&state)[8], __m512i (&w)[kLanes]) {
    __m512i s[8];
#pragma GCC unroll 8
    for (size_t i = 0; i < 8; ++i)
        s[i] = state[i];
        // Word a is s[-t mod 8] in round t: names move, not values.
#pragma GCC unroll 64
    for (size_t t = 0; t < 64; ++t) {
        __m512i& now = w[t % 16];
        if (t >= 16)
            now = _mm512_add_epi32(
                _mm512_add_epi32(now, small_sigma<7, 18, 3>(w[(t + 1) % 16])),
                _mm512_add_epi32(w[(t + 9) % 16], small_sigma<17, 19, 10>(w[(t + 14) % 16])));
        const size_t at = 64 - t;
        const __m512i a = s[at % 8], b = s[(at + 1) % 8], c = s[(at + 2) % 8];
        const __m512i e = s[(at + 4) % 8], f = s[(at + 5) % 8], g = s[(at + 6) % 8];
        __m512i &d = s[(at + 3) % 8], &h = s[(at + 7) % 8];
        const __m512i k = _mm512_set1_epi32(static_cast<int>(kSha256RoundConstants[t]));
        const __m512i choose = _mm512_ternarylogic_epi32(e, f, g, kChoose);
        const __m512i sum = _mm512_add_epi32(
            _mm512_add_epi32(_mm512_add_epi32(h, _mm512_add_epi32(now, k)), choose),
            big_sigma<6, 11, 25>(e));
        d = _mm512_add_epi32(d, sum);
        h = _mm512_add_epi32(_mm512_add_epi32(sum, _mm512_ternarylogic_epi32(a, b, c, kMajority)),
                             big_sigma<2, 13, 22>(a));
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < 8; ++i)
        state[i] = _mm512_add_epi32(state[i], s[i]);
}

} // namespace

RILL_AVX512 void sha256_rounds_avx512(Sha256Words* const words[], const std::byte* const data[],
                                      size_t lanes, size_t blocks) {
    const __m512i swap =
        _mm512_broadcast_i32x4(_mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
    // Lanes that nobody uses repeat the first, and are thrown away.
    alignas(64) uint32_t transposed[8][kLanes];
    const std::byte* at[kLanes];
    for (size_t l = 0; l < kLanes; ++l) {
        at[l] = data[l < lanes ? l : 0];
        for (size_t i = 0; i < 8; ++i)
            transposed[i][l] = (*words[l < lanes ? l : 0])[i];
    }
    __m512i state[8];
    for (size_t i = 0; i < 8; ++i)
        state[i] = _mm512_load_si512(transposed[i]);
    for (size_t b = 0; b < blocks; ++b) {
        __m512i w[kLanes];
#pragma GCC unroll 16
        for (size_t l = 0; l < kLanes; ++l)
            w[l] =
                _mm512_shuffle_epi8(_mm512_loadu_si512(at[l] + b * Sha256Progress::kBlock), swap);
        transpose(w);
        one_block(state, w);
    }
    for (size_t i = 0; i < 8; ++i)
        _mm512_store_si512(transposed[i], state[i]);
    for (size_t l = 0; l < lanes; ++l)
        for (size_t i = 0; i < 8; ++i)
            (*words[l])[i] = transposed[i][l];
}

} // namespace rill::dedup

#endif
