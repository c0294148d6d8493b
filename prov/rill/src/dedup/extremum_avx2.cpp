// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dedup/extremum.hpp"

#if defined(__x86_64__)

#include <immintrin.h>

#define RILL_AVX2 __attribute__((target("avx2")))

namespace rill::dedup {

// 32 positions at a time: four loads, each a byte further on, have a value each of every fourth.
RILL_AVX2 size_t find_greater_avx2(const std::byte* data, size_t from, size_t to, int32_t bound) {
    constexpr size_t kBlock = 32;
    const __m256i limit = _mm256_set1_epi32(bound);
    size_t at = from;
    for (; at + kBlock <= to; at += kBlock) {
        __m256i any = _mm256_setzero_si256();
        for (size_t k = 0; k < kValueBytes; ++k) {
            const std::byte* p = data + at - (kValueBytes - 1) + k;
            const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
            any = _mm256_or_si256(any, _mm256_cmpgt_epi32(v, limit));
        }
        if (!_mm256_testz_si256(any, any)) break;
    }
    return find_greater_portable(data, at, to, bound);
}

} // namespace rill::dedup

#endif
