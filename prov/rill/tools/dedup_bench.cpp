// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Speed of the dedup engine on one core, as ratios to memcpy and to the plain hash functions. Every
// row is the median of rounds that take turns with the rows it is compared with, in processor time
// of the thread.
//
//   dedup_bench [ROUNDS]        9 by default

#include "dedup/engine.hpp"
#include "util/prng.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <openssl/evp.h>
#include <string>
#include <time.h>
#include <vector>
#include <xxhash.h>

using namespace rill;
using namespace rill::dedup;

namespace {

constexpr size_t kCache = 64 << 10; // what the second-level cache holds beside its copy
constexpr size_t kMemory =
    256 << 20; // what no cache holds, hashed or copied in pieces of kFragment
constexpr size_t kFragment = 64 << 10; // a train of packets, coalesced
constexpr size_t kChunk = 4096;

double now_s() {
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// Keeps a result from being optimised away.
void keep(const void* p) {
    asm volatile("" : : "r"(p) : "memory");
}

std::vector<std::byte> random_bytes(size_t n, uint64_t seed) {
    std::vector<std::byte> v(n);
    Prng random(seed);
    for (size_t i = 0; i + 8 <= n; i += 8) {
        const uint64_t x = random.next();
        std::memcpy(v.data() + i, &x, 8);
    }
    return v;
}

struct Row {
    std::string name;
    size_t work;               // bytes or operations of one call
    std::function<void()> run; // once
    size_t base = 0;           // the row it is compared with
    std::vector<double> rates = {};

    double median() const {
        auto r = rates;
        std::sort(r.begin(), r.end());
        return r[r.size() / 2];
    }
};

// One table: all rows take turns. Work below `least` is repeated until a round has that much.
void table(const char* title, const char* unit, double scale, size_t least, int rounds,
           std::vector<Row> rows) {
    for (int round = 0; round <= rounds; ++round)
        for (Row& row : rows) {
            const size_t repeats = std::max<size_t>(1, least / row.work);
            const double from = now_s();
            for (size_t i = 0; i < repeats; ++i)
                row.run();
            const double rate = static_cast<double>(row.work * repeats) / (now_s() - from);
            if (round > 0) row.rates.push_back(rate); // the first warms up
        }
    std::printf("\n%s\n", title);
    for (const Row& row : rows)
        std::printf("  %-44s %8.2f %s  %5.2f x\n", row.name.c_str(), row.median() / scale, unit,
                    row.median() / rows[row.base].median());
    std::fflush(stdout);
}

Chunker make_chunker(ChunkerKind kind, ChunkLimits limits, const Cpu& cpu) {
    Chunker c;
    if (!is_ok(Chunker::make(kind, limits, cpu, c))) std::abort();
    return c;
}

// FastCDC's loop as the paper has it (algorithm 1): from `min` on, a byte at a time, hash from
// zero.
__attribute__((noinline)) size_t fastcdc(std::span<const std::byte> d, size_t min, size_t avg,
                                         size_t max) {
    constexpr uint64_t kHard = 0x0003590703530000ull, kEasy = 0x0000d90003530000ull; // for 8 KiB
    const size_t end = std::min(d.size(), max), middle = std::min(avg, end);
    uint64_t hash = 0;
    size_t i = std::min(min, end);
    for (; i < middle; ++i) {
        hash = gear_step(hash, d[i]);
        if ((hash & kHard) == 0) return i + 1;
    }
    for (; i < end; ++i) {
        hash = gear_step(hash, d[i]);
        if ((hash & kEasy) == 0) return i + 1;
    }
    return end;
}

void chunkers(int rounds) {
    static constexpr ChunkLimits kLimits{2048, 8192, 65536};
    const auto data = random_bytes(1 << 20, 1);
    const auto scan = [&](ChunkerKind kind, const Cpu& cpu) {
        return [&data, c = make_chunker(kind, kLimits, cpu)] {
            CutState state = c.start(0);
            for (std::span<const std::byte> rest = data; !rest.empty();)
                rest = rest.subspan(c.next(state, rest).bytes);
            keep(&state);
        };
    };
    const auto paper = [&data] {
        for (std::span<const std::byte> rest = data; !rest.empty();) {
            rest = rest.subspan(fastcdc(rest, kLimits.min, kLimits.avg, kLimits.max));
            keep(rest.data());
        }
    };
    table("Chunkers: 2, 8, 64 KiB, 1 MiB of random bytes in the cache", "GB/s", 1e9, 32 << 20,
          rounds,
          {{"FastCDC, the paper's loop", data.size(), paper},
           {"gear, portable", data.size(), scan(ChunkerKind::gear, Cpu{})},
           {"gear", data.size(), scan(ChunkerKind::gear, this_cpu())},
           {"extremum, portable", data.size(), scan(ChunkerKind::extremum, Cpu{})},
           {"extremum", data.size(), scan(ChunkerKind::extremum, this_cpu())}});
}

void digests(int rounds) {
    static const auto data = random_bytes(kCache, 2);
    const auto chunk = [](size_t i) { return std::span(data).subspan(i * kChunk, kChunk); };
    const auto evp = [](std::span<const std::byte> d) {
        Digest out;
        EVP_Digest(d.data(), d.size(), out.bytes.data(), nullptr, EVP_sha256(), nullptr);
        keep(&out);
    };
    const Sha256 sha(this_cpu());
    const auto batch = [&] {
        constexpr size_t kCount = kCache / kChunk;
        Sha256Progress progress[kCount];
        Sha256Job jobs[kCount];
        Digest out[kCount];
        for (size_t i = 0; i < kCount; ++i) {
            sha.begin(progress[i]);
            jobs[i] = {&progress[i], chunk(i), &out[i]};
        }
        sha.run(jobs);
        keep(out);
    };
    table("SHA-256, 64 KiB in the cache", "GB/s", 1e9, 8 << 20, rounds,
          {{"OpenSSL, one stream (sha256sum)", kCache, [&] { evp(data); }},
           {"OpenSSL, 4 KiB chunks one after the other", kCache,
            [&] {
                for (size_t i = 0; i < kCache / kChunk; ++i)
                    evp(chunk(i));
            }},
           {"rill, 4 KiB chunks one after the other", kCache,
            [&] {
                for (size_t i = 0; i < kCache / kChunk; ++i) {
                    const Digest d = sha.of(chunk(i));
                    keep(&d);
                }
            }},
           {"rill, 4 KiB chunks side by side", kCache, batch}});

    const auto xxh3 = [&](const Cpu& cpu) {
        return [x = Xxh3(cpu), &chunk] {
            for (size_t i = 0; i < kCache / kChunk; ++i) {
                const Digest d = x.of(chunk(i));
                keep(&d);
            }
        };
    };
    static std::vector<std::byte> copy(kCache);
    table("XXH3-128, 64 KiB in the cache, 4 KiB chunks", "GB/s", 1e9, 64 << 20, rounds,
          {{"shared library (xxh128sum)", kCache,
            [&] {
                for (size_t i = 0; i < kCache / kChunk; ++i) {
                    const XXH128_hash_t h = XXH3_128bits(chunk(i).data(), kChunk);
                    keep(&h);
                }
            }},
           {"rill, portable", kCache, xxh3(Cpu{})},
           {"rill", kCache, xxh3(this_cpu())},
           {"memcpy", kCache, [&] {
                std::memcpy(copy.data(), data.data(), kCache);
                keep(copy.data());
            }}});
}

// A message of kMemory, placed fragment by fragment and digested while it is in the cache.
void engine(int rounds) {
    static const auto from = random_bytes(kMemory, 3);
    static std::vector<std::byte> to(kMemory);
    const auto plain = [] {
        for (size_t i = 0; i < kMemory; i += kFragment)
            std::memcpy(to.data() + i, from.data() + i, kFragment);
    };
    const auto bare = [x = Xxh3(this_cpu())] {
        for (size_t i = 0; i < kMemory; i += kFragment) {
            std::memcpy(to.data() + i, from.data() + i, kFragment);
            for (size_t k = 0; k < kFragment; k += kChunk) {
                const Digest d = x.of(std::span(to).subspan(i + k, kChunk));
                keep(&d);
            }
        }
    };
    const auto with = [](DigestKind kind, ChunkerKind chunker, ChunkLimits limits) {
        struct Bench {
            Store store{kMemory / kChunk};
            RecordMemory ring{1024};
            RecordRing written{ring.header(), 1024};
            Engine engine;
            explicit Bench(const EngineSettings& s) : engine(store, written, s, this_cpu()) {
                if (!is_ok(store.attach(to))) std::abort();
            }
        };
        EngineSettings s;
        s.chunker = make_chunker(chunker, limits, this_cpu());
        s.digest = kind;
        return [b = std::make_shared<Bench>(s)] {
            Stream* stream = b->engine.open(1, 0, 0, Instant{});
            for (size_t i = 0; i < kMemory; i += kFragment) {
                std::memcpy(to.data() + i, from.data() + i, kFragment);
                if (!is_ok(b->engine.place(*stream, i, std::span(to).subspan(i, kFragment), {})))
                    std::abort();
                b->engine.run();
                while (!b->ring.empty())
                    b->ring.pop();
            }
            if (!is_ok(b->engine.finish(*stream))) std::abort();
        };
    };
    constexpr ChunkLimits kFixed{kChunk, kChunk, kChunk}, kVaried{1024, 4096, 32768};
    table(
        "Copy, chunk, digest, look up, store: 256 MiB from memory, 64 KiB at a time", "GB/s", 1e9,
        kMemory, rounds,
        {{"copy alone", kMemory, plain},
         {"4 KiB XXH3-128, nothing looked up or stored", kMemory, bare},
         {"fixed 4 KiB, XXH3-128", kMemory, with(DigestKind::xxh3_128, ChunkerKind::fixed, kFixed)},
         {"gear 4 KiB, XXH3-128", kMemory, with(DigestKind::xxh3_128, ChunkerKind::gear, kVaried)},
         {"extremum 4 KiB, XXH3-128", kMemory,
          with(DigestKind::xxh3_128, ChunkerKind::extremum, kVaried)},
         {"fixed 4 KiB, SHA-256", kMemory, with(DigestKind::sha256, ChunkerKind::fixed, kFixed)}});
}

void look_ups(int rounds) {
    constexpr uint32_t kKeys = 1 << 20;
    static Store store(kKeys);
    static const std::vector<std::byte> memory(uint64_t{kKeys} * kStoredMin);
    if (!is_ok(store.attach(memory))) std::abort();
    static std::vector<Store::Key> keys(kKeys);
    Prng random(4);
    for (uint32_t i = 0; i < kKeys; ++i) {
        for (size_t k = 0; k < 32; k += 8) {
            const uint64_t x = random.next();
            std::memcpy(keys[i].digest.bytes.data() + k, &x, 8);
        }
        keys[i].length = kStoredMin;
        (void)store.insert(keys[i], memory.data() + uint64_t{i} * kStoredMin);
    }
    for (uint32_t i = kKeys; i > 1; --i)
        std::swap(keys[i - 1], keys[random.below(i)]);
    constexpr size_t kBatch = 32;
    table("Look-ups that hit, a million chunks", "M/s", 1e6, kKeys, rounds,
          {{"one at a time", kKeys,
            [] {
                for (const auto& k : keys) {
                    const auto f = store.find(k);
                    keep(&f);
                }
            }},
           {"32 at a time", kKeys, [] {
                for (size_t i = 0; i < kKeys; i += kBatch) {
                    store.warm({keys.data() + i, kBatch});
                    for (size_t k = 0; k < kBatch; ++k) {
                        const auto f = store.find(keys[i + k]);
                        keep(&f);
                    }
                }
            }}});
}

} // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 9;
    if (argc > 2 || rounds < 1 || rounds > 1000) {
        std::fprintf(stderr, "usage: dedup_bench [ROUNDS]\n");
        return 2;
    }
    const auto has = [](bool there) { return there ? "yes" : "no"; };
    std::printf("AVX2: %s, AVX-512: %s, SHA-NI: %s\n", has(this_cpu().avx2), has(this_cpu().avx512),
                has(this_cpu().sha));
    chunkers(rounds);
    digests(rounds);
    look_ups(rounds);
    engine(rounds);
    return 0;
}
