// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dedup/sha256.hpp"
#include "dedup/xxh3.hpp"

#include "test/dedup/data.hpp"

#include <criterion/criterion.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string>
#include <xxhash.h>

using namespace rill;
using namespace rill::dedup;
using namespace rill::dedup::test;

namespace {

std::vector<Cpu> cpus() {
    Cpu without_avx512 = this_cpu();
    without_avx512.avx512 = false;
    return {Cpu{}, without_avx512, this_cpu()};
}

std::string hex(const Digest& d, size_t bytes) {
    std::string out;
    for (size_t i = 0; i < bytes; ++i) {
        char two[3];
        snprintf(two, sizeof two, "%02x", d.bytes[i]);
        out += two;
    }
    return out;
}

// By the libraries' own one-shot functions, the shared ones.
Digest library_sha256(std::span<const std::byte> data) {
    Digest d;
    EVP_Digest(data.data(), data.size(), d.bytes.data(), nullptr, EVP_sha256(), nullptr);
    return d;
}

Digest library_hmac(std::span<const std::byte> key, std::span<const std::byte> data) {
    Digest d;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(data.data()), data.size(), d.bytes.data(), nullptr);
    return d;
}

Digest library_xxh3(std::span<const std::byte> data) {
    Digest d;
    XXH128_canonical_t c;
    XXH128_canonicalFromHash(&c, XXH3_128bits(data.data(), data.size()));
    std::memcpy(d.bytes.data(), c.digest, sizeof c.digest);
    return d;
}

// Lengths around every boundary of both hashes: 16, 64, 128, 240, 256, 1024 bytes.
std::vector<size_t> telling_lengths() {
    std::vector<size_t> out;
    for (size_t n = 0; n <= 1100; ++n)
        out.push_back(n);
    for (const size_t n : {2047, 2048, 4095, 4096, 4097, 65536, 65537})
        out.push_back(n);
    return out;
}

} // namespace

// As `printf abc | sha256sum` and `printf abc | xxh128sum` print them.
Test(digests, d4_known_answers) {
    const auto abc = std::as_bytes(std::span("abc", 3));
    for (const Cpu& cpu : cpus()) {
        cr_assert_eq(hex(Sha256(cpu).of(abc), 32),
                     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        cr_assert_eq(hex(Sha256(cpu).of({}), 32),
                     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        cr_assert_eq(hex(Xxh3(cpu).of(abc), 16), "06b05ab6733a618578af5f94892f3950");
        cr_assert_eq(hex(Xxh3(cpu).of({}), 16), "99aa06d3014798d86001c324468d497f");
    }
}

Test(digests, d4_every_length_is_as_the_libraries_say) {
    const auto data = random_bytes(65537, 3);
    for (const Cpu& cpu : cpus())
        for (const size_t n : telling_lengths()) {
            const auto part = std::span(data).first(n);
            cr_assert(Sha256(cpu).of(part) == library_sha256(part), "SHA-256 of %zu", n);
            cr_assert(Xxh3(cpu).of(part) == library_xxh3(part), "XXH3 of %zu", n);
        }
}

Test(digests, d3_any_fragmentation_gives_the_digest_of_one_go) {
    const auto data = random_bytes(5000, 4);
    for (const Cpu& cpu : cpus()) {
        const Sha256 sha(cpu);
        const Xxh3 xxh(cpu);
        for (const size_t longest : {1, 2, 63, 64, 65, 300, 3000}) {
            Sha256Progress s;
            Xxh3Progress x;
            sha.begin(s);
            xxh.begin(x);
            for_fragments(data, longest, longest, [&](std::span<const std::byte> part) {
                const Sha256Job job{&s, part, nullptr};
                sha.run({&job, 1});
                xxh.update(x, part);
            });
            Digest d;
            const Sha256Job end{&s, {}, &d};
            sha.run({&end, 1});
            cr_assert(d == library_sha256(data), "fragments up to %zu", longest);
            cr_assert(xxh.finish(x) == library_xxh3(data), "fragments up to %zu", longest);
        }
    }
}

// Seeds decide how many streams there are, how long they are and in what portions they come, some
// of them side by side.
Test(digests, d3_interleaved_streams_do_not_mix) {
    for (uint64_t seed = 1; seed <= 200; ++seed) {
        Prng random(seed);
        const Sha256 sha(cpus()[seed % 3]);
        const size_t streams = 1 + random.below(40);
        std::vector<std::vector<std::byte>> data;
        std::vector<size_t> at(streams);
        std::vector<Sha256Progress> progress(streams);
        std::vector<Digest> digests(streams);
        for (size_t i = 0; i < streams; ++i) {
            data.push_back(random_bytes(random.below(3000), random.next()));
            sha.begin(progress[i]);
        }
        for (size_t open = streams; open > 0;) {
            std::vector<Sha256Job> jobs;
            for (size_t i = 0; i < streams; ++i) {
                if (at[i] > data[i].size() || random.chance(0.3)) continue;
                const size_t left = data[i].size() - at[i];
                const size_t n = random.chance(0.2) ? left : random.below(left + 1);
                const bool end = n == left;
                jobs.push_back({&progress[i], std::span(data[i]).subspan(at[i], n),
                                end ? &digests[i] : nullptr});
                at[i] += end ? n + 1 : n;
                open -= end;
            }
            sha.run(jobs);
        }
        for (size_t i = 0; i < streams; ++i)
            cr_assert(digests[i] == library_sha256(data[i]), "seed %lu, stream %zu", seed, i);
    }
}

Test(digests, a_key_makes_sha256_an_hmac) {
    const auto data = random_bytes(300, 5);
    for (const Cpu& cpu : cpus())
        for (const size_t bytes : {1, 20, 63, 64, 65, 200}) {
            const auto key = random_bytes(bytes, bytes);
            const Sha256 sha(cpu, key);
            for (size_t n = 0; n <= data.size(); ++n) {
                const auto part = std::span(data).first(n);
                cr_assert(sha.of(part) == library_hmac(key, part), "key of %zu, %zu bytes", bytes,
                          n);
            }
        }
}

Test(digests, a_key_changes_xxh3_in_every_build_alike) {
    const auto data = random_bytes(5000, 6), key = random_bytes(16, 7), other = random_bytes(16, 8);
    for (const size_t n : telling_lengths()) {
        if (n > data.size()) continue;
        const auto part = std::span(data).first(n);
        const Digest d = Xxh3(this_cpu(), key).of(part);
        cr_assert(d == Xxh3(Cpu{}, key).of(part), "%zu bytes", n);
        cr_assert(d != Xxh3(this_cpu()).of(part), "%zu bytes", n);
        cr_assert(d != Xxh3(this_cpu(), other).of(part), "%zu bytes", n);
        const Xxh3 keyed(this_cpu(), key);
        Xxh3Progress p;
        keyed.begin(p);
        keyed.update(p, part.first(n / 3));
        keyed.update(p, part.subspan(n / 3));
        cr_assert(keyed.finish(p) == d, "%zu bytes in two parts", n);
    }
}
