// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dedup/sha256.hpp"

#if defined(__x86_64__)

#include <immintrin.h>

#define RILL_SHA __attribute__((target("sha,sse4.1,ssse3")))

namespace rill::dedup {
namespace {

// The instructions want the words a to h as (a b e f) and (c d g h), most significant first.
template <size_t kLanes>
RILL_SHA void run(Sha256Words* const words[], const std::byte* const data[], size_t blocks) {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i abef[kLanes], cdgh[kLanes];
    const std::byte* at[kLanes];
#pragma GCC unroll 2
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
#pragma GCC unroll 2
        for (size_t l = 0; l < kLanes; ++l) {
            abef_before[l] = abef[l];
            cdgh_before[l] = cdgh[l];
        }
        // Four rounds at a time; w has the last sixteen words of the message schedule, oldest at g.
#pragma GCC unroll 16
        for (size_t g = 0; g < 16; ++g) {
            const __m128i k =
                _mm_load_si128(reinterpret_cast<const __m128i*>(kSha256RoundConstants + 4 * g));
#pragma GCC unroll 2
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
#pragma GCC unroll 2
        for (size_t l = 0; l < kLanes; ++l) {
            abef[l] = _mm_add_epi32(abef[l], abef_before[l]);
            cdgh[l] = _mm_add_epi32(cdgh[l], cdgh_before[l]);
            at[l] += Sha256Progress::kBlock;
        }
    }
#pragma GCC unroll 2
    for (size_t l = 0; l < kLanes; ++l) {
        const __m128i feba = _mm_shuffle_epi32(abef[l], 0x1b);
        const __m128i dchg = _mm_shuffle_epi32(cdgh[l], 0xb1);
        auto* w = reinterpret_cast<__m128i*>(words[l]->data());
        _mm_storeu_si128(w, _mm_blend_epi16(feba, dchg, 0xf0));
        _mm_storeu_si128(w + 1, _mm_alignr_epi8(dchg, feba, 8));
    }
}

} // namespace

void sha256_rounds_ni(Sha256Words* const words[], const std::byte* const data[], size_t lanes,
                      size_t blocks) {
    size_t l = 0;
    for (; l + 2 <= lanes; l += 2)
        run<2>(words + l, data + l, blocks);
    if (l < lanes) run<1>(words + l, data + l, blocks);
}

constinit const Sha256Rounds kSha256Ni{2, sha256_rounds_ni};

} // namespace rill::dedup

#endif
