// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dedup/engine.hpp"

#include "test/dedup/data.hpp"

#include <criterion/criterion.h>

#include <map>

using namespace rill;
using namespace rill::dedup;
using namespace rill::dedup::test;
using namespace std::chrono_literals;

namespace {

constexpr Instant kStart{};

Chunker chunker(ChunkerKind kind, ChunkLimits limits) {
    Chunker c;
    cr_assert(is_ok(Chunker::make(kind, limits, this_cpu(), c)));
    return c;
}

EngineSettings settings(DigestKind digest, const Chunker& c) {
    EngineSettings s;
    s.chunker = c;
    s.digest = digest;
    return s;
}

const Chunker kFixed = chunker(ChunkerKind::fixed, {4096, 4096, 4096});
constexpr DigestKind kDigests[] = {DigestKind::xxh3_128, DigestKind::sha256};

struct Bench {
    Store store{4096};
    RecordMemory ring{4096};
    RecordRing written{ring.header(), 4096};
    Engine engine;

    explicit Bench(const EngineSettings& s, const Cpu& cpu = this_cpu())
        : engine(store, written, s, cpu) {}
    std::vector<Record> records() {
        std::vector<Record> out;
        for (; !ring.empty(); ring.pop())
            out.push_back(ring.front());
        return out;
    }
    // In order and in one go.
    std::vector<Record> pass(uint32_t name, std::span<const std::byte> data, Scope scope = 0) {
        Stream* s = engine.open(name, scope, 0, kStart);
        cr_assert(is_ok(engine.place(*s, 0, data, kStart)));
        cr_assert(is_ok(engine.finish(*s)));
        return records();
    }
};

Digest digest_of(DigestKind kind, std::span<const std::byte> data) {
    return kind == DigestKind::sha256 ? Sha256(Cpu{}).of(data) : Xxh3(Cpu{}).of(data);
}

// Records of one stream, against a computation in one go over its data: contiguous chunks that
// cover it.
void check(std::span<const Record> records, DigestKind kind, const Chunker& c,
           std::span<const std::byte> data, const char* what, uint64_t seed) {
    CutState state = c.start(0);
    uint32_t sequence = 0;
    auto rest = data;
    for (const Record& r : records) {
        const Cut cut = c.next(state, rest);
        cr_assert_eq(r.sequence, sequence++, "%s, seed %lu", what, seed);
        cr_assert_eq(r.length, cut.bytes, "%s, seed %lu", what, seed);
        cr_assert(r.digest == digest_of(kind, rest.first(cut.bytes)), "%s, seed %lu", what, seed);
        cr_assert_eq((r.flags & kLast) != 0, !cut.done);
        cr_assert_eq((r.flags & kForcedCut) != 0, cut.forced);
        rest = rest.subspan(cut.bytes);
    }
    cr_assert(rest.empty(), "%s, seed %lu: %zu bytes without a record", what, seed, rest.size());
}

} // namespace

// The digest goes on as bytes come: nothing of an open chunk but the residue is kept by value.
Test(engine, d1_d2_state_is_a_digest_in_progress_and_a_residue) {
    cr_assert(sizeof(Stream) <= 1024);
    Bench b(settings(DigestKind::sha256, kFixed));
    auto data = random_bytes(4096, 1);
    const Digest want = Sha256(Cpu{}).of(data);
    Stream* s = b.engine.open(1, 0, 0, kStart);
    cr_assert(is_ok(b.engine.place(*s, 0, std::span(data).first(3000), kStart)));
    b.engine.run();
    cr_assert_eq(s->sha256.bytes, 3000u, "hashed before the chunk is complete");
    // What was digested is not looked at again.
    std::fill(data.begin(), data.begin() + 3000, std::byte{0});
    cr_assert(is_ok(b.engine.place(*s, 3000, std::span(data).subspan(3000), kStart)));
    cr_assert(is_ok(b.engine.finish(*s)));
    cr_assert(b.records().at(0).digest == want);
}

Test(engine, d3_d4_any_fragmentation_gives_the_records_of_one_go) {
    const auto data = mixed_bytes(60000, 2);
    const Chunker chunkers[] = {kFixed, chunker(ChunkerKind::gear, {256, 1024, 4096}),
                                chunker(ChunkerKind::extremum, {256, 1024, 4096})};
    for (const Cpu& cpu : {Cpu{}, this_cpu()})
        for (const Chunker& c : chunkers)
            for (const DigestKind kind : kDigests)
                for (const size_t longest : {1, 63, 64, 65, 1500, 9000, 60000}) {
                    Bench b(settings(kind, c), cpu);
                    Stream* s = b.engine.open(9, 0, 0, kStart);
                    uint64_t at = 0;
                    for_fragments(data, longest, longest, [&](std::span<const std::byte> part) {
                        cr_assert(is_ok(b.engine.place(*s, at, part, kStart)));
                        at += part.size();
                        if (at % 3 == 0 || longest == 1) b.engine.run();
                    });
                    cr_assert(is_ok(b.engine.finish(*s)));
                    check(b.records(), kind, c, data, "fragments", longest);
                }
}

// Several streams, each in pieces that come in any order, some of them twice, and run() now and
// then; some streams' memory is scattered. Seeds decide.
Test(engine, d3_interleaved_and_reordered_streams_over_seeds) {
    for (uint64_t seed = 1; seed <= 150; ++seed) {
        Prng random(seed);
        const DigestKind kind = kDigests[seed % 2];
        const Chunker c = seed % 3 == 0   ? kFixed
                          : seed % 3 == 1 ? chunker(ChunkerKind::gear, {128, 512, 2048})
                                          : chunker(ChunkerKind::extremum, {128, 512, 2048});
        Bench b(settings(kind, c), seed % 5 ? this_cpu() : Cpu{});
        struct Piece {
            size_t stream, at;
            std::vector<std::byte>
                elsewhere; // where it was placed, if not in one piece with the others
            size_t bytes;
        };
        const size_t streams = 1 + random.below(5);
        std::vector<std::vector<std::byte>> data;
        std::vector<Stream*> open;
        std::vector<Piece> pieces;
        for (size_t i = 0; i < streams; ++i) {
            data.push_back(mixed_bytes(random.below(20000), random.next()));
            open.push_back(b.engine.open(static_cast<uint32_t>(i), 0, 0, kStart));
            size_t at = 0;
            const bool scattered = random.chance(0.3);
            for_fragments(data[i], 1 + random.below(3000), random.next(), [&](auto part) {
                for (int copies = random.chance(0.1) ? 2 : 1; copies > 0; --copies) {
                    pieces.push_back({i, at, {}, part.size()});
                    if (scattered) pieces.back().elsewhere.assign(part.begin(), part.end());
                }
                at += part.size();
            });
        }
        for (size_t i = pieces.size(); i > 1; --i)
            std::swap(pieces[i - 1], pieces[random.below(i)]);
        for (const Piece& p : pieces) {
            const auto bytes =
                p.elsewhere.empty()
                    ? std::span<const std::byte>(data[p.stream]).subspan(p.at, p.bytes)
                    : std::span<const std::byte>(p.elsewhere);
            cr_assert(is_ok(b.engine.place(*open[p.stream], p.at, bytes, kStart)));
            if (random.chance(0.2)) b.engine.run();
        }
        for (Stream* s : open)
            cr_assert(is_ok(b.engine.finish(*s)));
        cr_assert_eq(b.engine.streams() + b.engine.held_spans(), 0u);
        std::map<uint32_t, std::vector<Record>> of;
        for (const Record& r : b.records())
            of[r.stream].push_back(r);
        for (size_t i = 0; i < streams; ++i)
            check(of[static_cast<uint32_t>(i)], kind, c, data[i], "interleaved", seed);
    }
}

Test(engine, d4_an_empty_stream_has_the_digest_of_nothing) {
    for (const DigestKind kind : kDigests) {
        Bench b(settings(kind, kFixed));
        const auto got = b.pass(1, {});
        cr_assert_eq(got.size(), 1u);
        cr_assert(got[0].digest == digest_of(kind, {}));
        cr_assert_eq(got[0].length, 0u);
    }
}

Test(engine, d5_known_chunks_are_not_stored_again) {
    for (const DigestKind kind : kDigests) {
        Bench b(settings(kind, kFixed));
        auto memory = random_bytes(16 * 4096, 3);
        std::copy_n(memory.begin(), 8 * 4096, memory.begin() + 8 * 4096);
        cr_assert(is_ok(b.store.attach(memory)));
        const auto first = b.pass(1, std::span(memory).first(8 * 4096));
        cr_assert_eq(b.store.size(), 8u);
        const auto second = b.pass(2, std::span(memory).subspan(8 * 4096));
        cr_assert_eq(b.store.size(), 8u);
        cr_assert_eq(second.size(), 8u);
        for (size_t i = 0; i < 8; ++i) {
            cr_assert_eq(first[i].flags & kDuplicate, 0);
            cr_assert(second[i].flags & kDuplicate);
            cr_assert_eq((second[i].flags & kVerified) != 0, kind == DigestKind::xxh3_128);
            cr_assert(second[i].reference == first[i].reference);
            cr_assert_eq(b.store.resolve(second[i].reference).bytes, memory.data() + 4096 * i);
        }
        cr_assert_eq(b.engine.counters().duplicate_bytes, 8u * 4096);
    }
}

Test(engine, d5_equal_chunks_of_one_batch_are_stored_once) {
    Bench b(settings(DigestKind::xxh3_128, kFixed));
    const std::vector<std::byte> zeros(20 * 4096);
    cr_assert(is_ok(b.store.attach(zeros)));
    const auto got = b.pass(1, zeros);
    cr_assert_eq(b.store.size(), 1u);
    for (size_t i = 0; i < got.size(); ++i) {
        cr_assert(got[i].flags & kZero);
        cr_assert_eq((got[i].flags & kDuplicate) != 0, i > 0);
    }
}

// The program wrote into memory that a reference leads to: the bytes are compared, and it is no
// duplicate.
Test(engine, d5_equal_digests_with_other_bytes_are_no_duplicates) {
    for (const bool verify : {false, true})
        for (const DigestKind kind : kDigests) {
            auto s = settings(kind, kFixed);
            s.verify = verify;
            Bench b(s);
            auto memory = random_bytes(2 * 4096, 4);
            std::copy_n(memory.begin(), 4096, memory.begin() + 4096);
            cr_assert(is_ok(b.store.attach(memory)));
            (void)b.pass(1, std::span(memory).first(4096));
            memory[17] ^= std::byte{1};
            const auto got = b.pass(2, std::span(memory).subspan(4096));
            const bool trusts = kind == DigestKind::sha256 && !verify;
            cr_assert_eq((got[0].flags & kDuplicate) != 0, trusts);
            cr_assert_eq(b.engine.counters().mismatches, trusts ? 0u : 1u);
            if (!trusts)
                cr_assert_eq(b.store.resolve(got[0].reference).bytes, memory.data() + 4096,
                             "the newer took its place");
        }
}

Test(engine, a_placement_over_a_known_chunk_makes_it_unknown) {
    Bench b(settings(DigestKind::sha256, kFixed));
    auto memory = random_bytes(2 * 4096, 5);
    cr_assert(is_ok(b.store.attach(memory)));
    const auto first = b.pass(1, std::span(memory).first(4096));
    const auto again = b.pass(2, std::span(memory).first(4096));
    cr_assert_eq(again[0].flags & kDuplicate, 0);
    cr_assert_null(b.store.resolve(first[0].reference).bytes);
    cr_assert_not_null(b.store.resolve(again[0].reference).bytes);
}

// A chunk in two pieces of memory has a digest, and nothing can lead to it.
Test(engine, a_scattered_chunk_is_reported_and_not_stored) {
    for (const DigestKind kind : kDigests) {
        Bench b(settings(kind, kFixed));
        const auto memory = random_bytes(3 * 4096, 9);
        cr_assert(is_ok(b.store.attach(memory)));
        std::vector<std::byte> whole(memory.begin(), memory.begin() + 1000);
        whole.insert(whole.end(), memory.begin() + 5000, memory.begin() + 5000 + 3096);
        Stream* s = b.engine.open(1, 0, 0, kStart);
        cr_assert(is_ok(b.engine.place(*s, 0, std::span(memory).first(1000), kStart)));
        cr_assert(is_ok(b.engine.place(*s, 1000, std::span(memory).subspan(5000, 3096), kStart)));
        cr_assert(is_ok(b.engine.finish(*s)));
        const auto got = b.records();
        cr_assert_eq(got.size(), 1u);
        cr_assert(got[0].flags & kScattered);
        cr_assert(got[0].digest == digest_of(kind, whole));
        cr_assert_not(got[0].reference);
        cr_assert_eq(b.store.size(), 0u);
    }
}

Test(engine, no_duplicates_across_scopes) {
    Bench b(settings(DigestKind::sha256, kFixed));
    auto memory = random_bytes(2 * 4096, 6);
    std::copy_n(memory.begin(), 4096, memory.begin() + 4096);
    cr_assert(is_ok(b.store.attach(memory)));
    (void)b.pass(1, std::span(memory).first(4096), 1);
    cr_assert_eq(b.pass(2, std::span(memory).subspan(4096), 2)[0].flags & kDuplicate, 0);
}

Test(engine, d6_contexts_are_bounded_and_freed_on_abort_and_timeout) {
    auto s = settings(DigestKind::sha256, kFixed);
    s.limits = {2, 3, 10s};
    Bench b(s);
    const auto data = random_bytes(20000, 7);
    const auto part = [&](size_t at) { return std::span(data).subspan(at, 10); };
    Stream* one = b.engine.open(1, 0, 0, kStart);
    Stream* two = b.engine.open(2, 0, 0, kStart);
    cr_assert_null(b.engine.open(3, 0, 0, kStart), "two at most");
    cr_assert(is_ok(b.engine.place(*one, 100, part(100), kStart)));
    cr_assert(is_ok(b.engine.place(*one, 300, part(300), kStart)));
    cr_assert(is_ok(b.engine.place(*one, 310, part(310), kStart)), "joins what is held");
    cr_assert(is_ok(b.engine.place(*two, 100, part(100), kStart + 4s)));
    cr_assert_eq(b.engine.place(*two, 500, part(500), kStart + 4s), Status::again);
    cr_assert_eq(b.engine.finish(*one), Status::busy, "there is a gap");
    cr_assert_eq(b.engine.held_spans(), 3u);

    cr_assert(b.engine.deadline() == kStart + 10s);
    std::vector<uint32_t> gone;
    const auto note = [&](const Stream& s) { gone.push_back(s.name); };
    b.engine.expire(kStart + 10s - 1ns, note);
    cr_assert(gone.empty());
    b.engine.expire(kStart + 10s, note);
    cr_assert_eq(gone.size(), 1u);
    cr_assert_eq(gone[0], 1u);
    cr_assert_eq(b.engine.held_spans(), 1u);
    b.engine.abort(*two);
    cr_assert_eq(b.engine.streams() + b.engine.held_spans(), 0u);
    cr_assert(b.engine.deadline() == kNever);
    cr_assert(b.records().empty());
}

Test(engine, a_full_ring_drops_records_and_counts_them) {
    Store store(100);
    RecordMemory ring(4);
    RecordRing written(ring.header(), 4);
    Engine engine(store, written, settings(DigestKind::sha256, kFixed), this_cpu());
    const auto data = random_bytes(10 * 4096, 8);
    Stream* s = engine.open(1, 0, 0, kStart);
    cr_assert(is_ok(engine.place(*s, 0, data, kStart)));
    cr_assert(is_ok(engine.finish(*s)));
    cr_assert_eq(ring.size(), 4u);
    cr_assert_eq(engine.counters().records_dropped, 6u);
}
