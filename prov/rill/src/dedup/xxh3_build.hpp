// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The functions of one build of XXH3, for the source that has chosen what they are compiled for.
// <xxhash.h> is included before, with XXH_INLINE_ALL, which makes all of it static there.

#include "dedup/xxh3.hpp"

namespace rill::dedup {
namespace {

static_assert(sizeof(XXH3_state_t) == sizeof(Xxh3Progress));
static_assert(alignof(XXH3_state_t) <= alignof(Xxh3Progress));

XXH3_state_t* state_of(Xxh3Progress& p) {
    return reinterpret_cast<XXH3_state_t*>(p.state);
}

Digest digest_of(XXH128_hash_t hash) {
    Digest d;
    XXH128_canonicalFromHash(reinterpret_cast<XXH128_canonical_t*>(d.bytes.data()), hash);
    return d;
}

constexpr Xxh3::Build kBuild{
    .secret = [](std::byte* out, const std::byte* key,
                 size_t bytes) { XXH3_generateSecret(out, Xxh3::kSecretBytes, key, bytes); },
    .of =
        [](const std::byte* data, size_t bytes, const std::byte* secret) {
            return digest_of(secret
                                 ? XXH3_128bits_withSecret(data, bytes, secret, Xxh3::kSecretBytes)
                                 : XXH3_128bits(data, bytes));
        },
    .begin =
        [](Xxh3Progress& p, const std::byte* secret) {
            if (secret)
                XXH3_128bits_reset_withSecret(state_of(p), secret, Xxh3::kSecretBytes);
            else
                XXH3_128bits_reset(state_of(p));
        },
    .update = [](Xxh3Progress& p, const std::byte* data,
                 size_t bytes) { XXH3_128bits_update(state_of(p), data, bytes); },
    .finish =
        [](const Xxh3Progress& p) {
            return digest_of(XXH3_128bits_digest(reinterpret_cast<const XXH3_state_t*>(p.state)));
        },
};

} // namespace
} // namespace rill::dedup
