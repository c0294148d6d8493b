// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "dedup/cpu.hpp"
#include "dedup/digest.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rill::dedup {

using Sha256Words = std::array<uint32_t, 8>;

// SHA-256 in progress: what was hashed, and a residue shorter than one block of 64 bytes.
struct Sha256Progress {
    static constexpr size_t kBlock = 64;

    Sha256Words words;
    uint64_t bytes; // so far, the residue included
    std::byte residue[kBlock];

    size_t residue_bytes() const { return bytes % kBlock; }
};
static_assert(sizeof(Sha256Progress) == 104);

// More bytes of one digest. No two jobs of one run may have the same progress.
struct Sha256Job {
    Sha256Progress* progress = nullptr;
    std::span<const std::byte> data;
    Digest* digest = nullptr; // if this is the end; null: more will come
};

// Runs whole blocks of up to `lanes` independent digests side by side. rounds[n - 1] takes n of
// them, `blocks` each: one digest leaves most of the processor's SHA unit idle, because every round
// waits for the one before.
struct Sha256Rounds {
    static constexpr size_t kLanesMax = 3;
    using Run = void (*)(Sha256Words* const words[], const std::byte* const data[], size_t blocks);

    size_t lanes;
    Run rounds[kLanesMax];
};

// OpenSSL's, one at a time; it chooses for the processor by itself.
extern const Sha256Rounds kSha256Portable;
#if defined(__x86_64__)
extern const Sha256Rounds kSha256Ni;
#endif

// SHA-256 (FIPS 180-4) of many chunks at a time, or HMAC-SHA-256 (RFC 2104) with a key. Digests are
// those of `sha256sum`, and with a key those of `openssl dgst -hmac`.
class Sha256 {
public:
    explicit Sha256(const Cpu& cpu);
    Sha256(const Cpu& cpu, std::span<const std::byte> key);

    void begin(Sha256Progress& p) const;
    void run(std::span<const Sha256Job> jobs) const;

    Digest of(std::span<const std::byte> data) const;

private:
    void close_hmac(std::span<const Sha256Job> jobs) const;

    const Sha256Rounds* rounds_;
    bool keyed_ = false;
    Sha256Words inner_, outer_; // states behind the padded key
};

} // namespace rill::dedup
