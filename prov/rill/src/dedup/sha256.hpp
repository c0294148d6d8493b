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

// FIPS 180-4, 4.2.2.
alignas(16) inline constexpr uint32_t kSha256RoundConstants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

// Runs `blocks` blocks each of `lanes` independent digests side by side; one alone leaves most of
// the processor idle, because every round waits for the one before.
using Sha256Run = void (*)(Sha256Words* const words[], const std::byte* const data[], size_t lanes,
                           size_t blocks);

struct Sha256Rounds {
    static constexpr size_t kLanesMax = 16;

    size_t lanes; // at most so many at a time
    Sha256Run run;
};

// OpenSSL's, one at a time; it chooses for the processor by itself.
extern const Sha256Rounds kSha256Portable;
#if defined(__x86_64__)
extern const Sha256Rounds kSha256Ni; // two at a time
// Sixteen at a time in AVX-512, few by SHA-NI.
extern const Sha256Rounds kSha256Avx512;
void sha256_rounds_ni(Sha256Words* const words[], const std::byte* const data[], size_t lanes,
                      size_t blocks);
void sha256_rounds_avx512(Sha256Words* const words[], const std::byte* const data[], size_t lanes,
                          size_t blocks);
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
