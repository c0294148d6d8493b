// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "dedup/cpu.hpp"
#include "dedup/digest.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace rill::dedup {

// XXH3-128 in progress: the library's state, whose residue (up to 256 bytes) is shorter than one of
// its blocks of 1024 bytes. Must not outlive the hash function that began it.
struct alignas(64) Xxh3Progress {
    std::byte state[576];
};

// XXH3-128 of xxHash, compiled into rill: a quarter of the speed is left when it is called in
// Debian's shared library (compiled for SSE2, and not inlined). Digests are those of `xxh128sum`
// unless there is a key.
class Xxh3 {
public:
    static constexpr size_t kSecretBytes = 192;

    // Without a key.
    explicit Xxh3(const Cpu& cpu);
    // A key of any length makes the secret that the hash draws from.
    Xxh3(const Cpu& cpu, std::span<const std::byte> key);

    Digest of(std::span<const std::byte> data) const;

    void begin(Xxh3Progress& p) const;
    void update(Xxh3Progress& p, std::span<const std::byte> data) const;
    Digest finish(const Xxh3Progress& p) const;

    // One build of the library's code: secret is null without a key.
    struct Build {
        void (*secret)(std::byte* out, const std::byte* key, size_t bytes);
        Digest (*of)(const std::byte* data, size_t bytes, const std::byte* secret);
        void (*begin)(Xxh3Progress& p, const std::byte* secret);
        void (*update)(Xxh3Progress& p, const std::byte* data, size_t bytes);
        Digest (*finish)(const Xxh3Progress& p);
    };

private:
    const std::byte* secret() const { return keyed_ ? secret_ : nullptr; }

    const Build* build_;
    bool keyed_ = false;
    alignas(64) std::byte secret_[kSecretBytes] = {};
};

extern const Xxh3::Build kXxh3Portable;
#if defined(__x86_64__)
extern const Xxh3::Build kXxh3Avx2;
#endif

} // namespace rill::dedup
