// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dedup/sha256.hpp"

#if defined(__x86_64__)

#include <immintrin.h>

#define RILL_SHA __attribute__((target("sha,sse4.1,ssse3")))

namespace rill::dedup {
namespace {

// FIPS 180-4, 4.2.2.
alignas(16) constexpr uint32_t kRoundConstants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

// The instructions want the words a to h as (a b e f) and (c d g h), most significant first.
template <size_t kLanes>
RILL_SHA void run(Sha256Words* const words[], const std::byte* const data[], size_t blocks) {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i abef[kLanes], cdgh[kLanes];
    const std::byte* at[kLanes];
#pragma GCC unroll 3
    for (size_t l = 0; l < kLanes; ++l) {
        const auto* w = reinterpret_cast<const __m128i*>(words[l]->data());
        const __m128i badc = _mm_shuffle_epi32(_mm_loadu_si128(w), 0xb1);
        const __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128(w + 1), 0x1b);
        abef[l] = _mm_alignr_epi8(badc, hgfe, 8);
        cdgh[l] = _mm_blend_epi16(hgfe, badc, 0xf0);
        at[l] = data[l];
    }
    for (; blocks > 0; --blocks) {
        __m128i abef_before[kLanes], cdgh_before[kLanes], w[kLanes][4];
#pragma GCC unroll 3
        for (size_t l = 0; l < kLanes; ++l) {
            abef_before[l] = abef[l];
            cdgh_before[l] = cdgh[l];
        }
        // Four rounds at a time; w has the last sixteen words of the message schedule, oldest at g.
#pragma GCC unroll 16
        for (size_t g = 0; g < 16; ++g) {
            const __m128i k =
                _mm_load_si128(reinterpret_cast<const __m128i*>(kRoundConstants + 4 * g));
#pragma GCC unroll 3
            for (size_t l = 0; l < kLanes; ++l) {
                __m128i& now = w[l][g % 4];
                const __m128i& before = w[l][(g + 3) % 4];
                if (g < 4) {
                    const auto* p = reinterpret_cast<const __m128i*>(at[l]) + g;
                    now = _mm_shuffle_epi8(_mm_loadu_si128(p), swap);
                } else {
                    const __m128i seven_back = _mm_alignr_epi8(before, w[l][(g + 2) % 4], 4);
                    now = _mm_sha256msg2_epu32(
                        _mm_add_epi32(_mm_sha256msg1_epu32(now, w[l][(g + 1) % 4]), seven_back),
                        before);
                }
                const __m128i sum = _mm_add_epi32(now, k);
                cdgh[l] = _mm_sha256rnds2_epu32(cdgh[l], abef[l], sum);
                abef[l] = _mm_sha256rnds2_epu32(abef[l], cdgh[l], _mm_shuffle_epi32(sum, 0x0e));
            }
        }
#pragma GCC unroll 3
        for (size_t l = 0; l < kLanes; ++l) {
            abef[l] = _mm_add_epi32(abef[l], abef_before[l]);
            cdgh[l] = _mm_add_epi32(cdgh[l], cdgh_before[l]);
            at[l] += Sha256Progress::kBlock;
        }
    }
#pragma GCC unroll 3
    for (size_t l = 0; l < kLanes; ++l) {
        const __m128i feba = _mm_shuffle_epi32(abef[l], 0x1b);
        const __m128i dchg = _mm_shuffle_epi32(cdgh[l], 0xb1);
        auto* w = reinterpret_cast<__m128i*>(words[l]->data());
        _mm_storeu_si128(w, _mm_blend_epi16(feba, dchg, 0xf0));
        _mm_storeu_si128(w + 1, _mm_alignr_epi8(dchg, feba, 8));
    }
}

} // namespace

constinit const Sha256Rounds kSha256Ni{2, {run<1>, run<2>, run<3>}};

} // namespace rill::dedup

#endif
