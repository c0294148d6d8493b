// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#if defined(__x86_64__)

// What both includes need, before anything is compiled for AVX2: a function of the standard library
// that came out of this file must run everywhere.
#include "dedup/xxh3.hpp"

#include <immintrin.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif

#define XXH_INLINE_ALL
#define XXH_VECTOR 2 // XXH_AVX2
#include <xxhash.h>

#include "dedup/xxh3_build.hpp"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace rill::dedup {

constinit const Xxh3::Build kXxh3Avx2 = kBuild;

} // namespace rill::dedup

#endif
