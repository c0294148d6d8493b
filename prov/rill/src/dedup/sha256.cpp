// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only The low-level interface is deprecated since
// OpenSSL 3.0 in favour of EVP, whose contexts are allocated one by one and cannot be looked into:
// a digest in progress could not be plain data then, nor go on with another code's rounds.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "dedup/sha256.hpp"

#include <algorithm>
#include <cstring>
#include <openssl/sha.h>

namespace rill::dedup {
namespace {

constexpr size_t kBlock = Sha256Progress::kBlock;

// FIPS 180-4, 5.3.3.
constexpr Sha256Words kInitial{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                               0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

void openssl_rounds(Sha256Words* const words[], const std::byte* const data[], size_t,
                    size_t blocks) {
    SHA256_CTX context;
    SHA256_Init(&context);
    std::copy(words[0]->begin(), words[0]->end(), context.h);
    SHA256_Update(&context, data[0], blocks * kBlock);
    std::copy(context.h, context.h + 8, words[0]->begin());
}

void store_be64(std::byte* out, uint64_t v) {
    v = __builtin_bswap64(v);
    std::memcpy(out, &v, sizeof v);
}

Digest digest_of(const Sha256Words& words) {
    Digest d;
    for (size_t i = 0; i < words.size(); ++i) {
        const uint32_t v = __builtin_bswap32(words[i]);
        std::memcpy(d.bytes.data() + 4 * i, &v, sizeof v);
    }
    return d;
}

// A job on its way through the rounds: up to three runs of whole blocks. The first completes the
// residue, the last is the padding (FIPS 180-4, 5.1.1).
struct Lane {
    struct Blocks {
        const std::byte* data;
        size_t count;
    };
    Blocks blocks[3];
    size_t next = 0, count = 0;
    const Sha256Job* job = nullptr;
    std::span<const std::byte> tail; // the residue to come, if this is not the end
    std::byte padding[2 * kBlock];

    void load(const Sha256Job& j) {
        job = &j;
        next = count = 0;
        Sha256Progress& p = *j.progress;
        std::span<const std::byte> data = j.data;
        size_t residue = p.residue_bytes();
        p.bytes += data.size();
        if (residue > 0) {
            const size_t n = std::min(data.size(), kBlock - residue);
            if (n > 0) std::memcpy(p.residue + residue, data.data(), n);
            data = data.subspan(n);
            residue += n;
            if (residue == kBlock) {
                blocks[count++] = {p.residue, 1};
                residue = 0;
            }
        }
        add(data.data(), data.size() / kBlock);
        const auto rest = data.last(data.size() % kBlock);
        if (j.digest)
            pad(residue > 0 ? std::span(p.residue, residue) : rest, p.bytes);
        else
            tail = rest;
    }
    void add(const std::byte* data, size_t n) {
        if (n > 0) blocks[count++] = {data, n};
    }
    void pad(std::span<const std::byte> rest, uint64_t bytes) {
        const size_t size = rest.size() + 9 <= kBlock ? kBlock : 2 * kBlock;
        std::memset(padding, 0, size);
        if (!rest.empty()) std::memcpy(padding, rest.data(), rest.size());
        padding[rest.size()] = std::byte{0x80};
        store_be64(padding + size - 8, bytes * 8);
        add(padding, size / kBlock);
    }
    bool done() const { return next == count; }
    void finish() {
        Sha256Progress& p = *job->progress;
        if (job->digest)
            *job->digest = digest_of(p.words);
        else if (!tail.empty())
            std::memcpy(p.residue, tail.data(), tail.size());
    }
    void advance(size_t n) {
        Blocks& b = blocks[next];
        b.data += n * kBlock;
        b.count -= n;
        if (b.count == 0) ++next;
    }
};

void run_side_by_side(const Sha256Rounds& rounds, std::span<const Sha256Job> jobs) {
    Lane all[Sha256Rounds::kLanesMax];
    Lane* lanes[Sha256Rounds::kLanesMax]; // the busy ones in front
    for (size_t l = 0; l < rounds.lanes; ++l)
        lanes[l] = &all[l];
    size_t busy = 0;
    for (;;) {
        while (busy < rounds.lanes && !jobs.empty()) {
            lanes[busy]->load(jobs.front());
            jobs = jobs.subspan(1);
            if (lanes[busy]->done())
                lanes[busy]->finish();
            else
                ++busy;
        }
        if (busy == 0) return;
        Sha256Words* words[Sha256Rounds::kLanesMax];
        const std::byte* data[Sha256Rounds::kLanesMax];
        size_t blocks = SIZE_MAX;
        for (size_t l = 0; l < busy; ++l) {
            const Lane::Blocks& b = lanes[l]->blocks[lanes[l]->next];
            words[l] = &lanes[l]->job->progress->words;
            data[l] = b.data;
            blocks = std::min(blocks, b.count);
        }
        rounds.run(words, data, busy, blocks);
        for (size_t l = busy; l-- > 0;) {
            lanes[l]->advance(blocks);
            if (!lanes[l]->done()) continue;
            lanes[l]->finish();
            std::swap(lanes[l], lanes[--busy]);
        }
    }
}

} // namespace

constinit const Sha256Rounds kSha256Portable{1, openssl_rounds};

#if defined(__x86_64__)
constinit const Sha256Rounds kSha256Avx512{
    16, [](Sha256Words* const words[], const std::byte* const data[], size_t lanes, size_t blocks) {
        // What sixteen cost in AVX-512, about nine cost in SHA-NI.
        constexpr size_t kAvx512Least = 10;
        (lanes < kAvx512Least ? sha256_rounds_ni : sha256_rounds_avx512)(words, data, lanes,
                                                                         blocks);
    }};
#endif

Sha256::Sha256(const Cpu& cpu) : Sha256(cpu, {}) {}

Sha256::Sha256([[maybe_unused]] const Cpu& cpu, std::span<const std::byte> key)
    : rounds_(&kSha256Portable), inner_(kInitial), outer_(kInitial) {
#if defined(__x86_64__)
    if (cpu.sha) rounds_ = cpu.avx512 ? &kSha256Avx512 : &kSha256Ni;
#endif
    if (key.empty()) return;
    // RFC 2104: a key longer than a block is its digest.
    Digest shortened;
    if (key.size() > kBlock) {
        shortened = of(key);
        key = std::as_bytes(std::span(shortened.bytes));
    }
    std::byte block[kBlock];
    const auto start = [&](Sha256Words& words, std::byte pad) {
        std::fill(std::begin(block), std::end(block), pad);
        for (size_t i = 0; i < key.size(); ++i)
            block[i] ^= key[i];
        const std::byte* data = block;
        Sha256Words* w = &words;
        rounds_->run(&w, &data, 1, 1);
    };
    start(inner_, std::byte{0x36});
    start(outer_, std::byte{0x5c});
    keyed_ = true;
}

void Sha256::begin(Sha256Progress& p) const {
    p.words = inner_;
    p.bytes = keyed_ ? kBlock : 0;
}

void Sha256::run(std::span<const Sha256Job> jobs) const {
    run_side_by_side(*rounds_, jobs);
    if (keyed_) close_hmac(jobs);
}

// The outer hash over the inner one's digest, in place.
void Sha256::close_hmac(std::span<const Sha256Job> jobs) const {
    constexpr size_t kBatch = 16;
    Sha256Progress outer[kBatch];
    Sha256Job batch[kBatch];
    size_t n = 0;
    const auto flush = [&] {
        run_side_by_side(*rounds_, {batch, n});
        n = 0;
    };
    for (const Sha256Job& job : jobs) {
        if (!job.digest) continue;
        outer[n].words = outer_;
        outer[n].bytes = kBlock;
        batch[n] = {&outer[n], std::as_bytes(std::span(job.digest->bytes)), job.digest};
        if (++n == kBatch) flush();
    }
    flush();
}

Digest Sha256::of(std::span<const std::byte> data) const {
    Sha256Progress p;
    Digest d;
    begin(p);
    const Sha256Job job{&p, data, &d};
    run({&job, 1});
    return d;
}

} // namespace rill::dedup
