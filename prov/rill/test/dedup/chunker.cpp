// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dedup/chunker.hpp"

#include "test/dedup/data.hpp"

#include <criterion/criterion.h>

#include <set>
#include <string_view>

using namespace rill;
using namespace rill::dedup;
using namespace rill::dedup::test;

namespace {

struct Setting {
    ChunkerKind kind;
    ChunkLimits limits;
};

constexpr Setting kSettings[] = {
    {ChunkerKind::fixed, {4096, 4096, 4096}},   {ChunkerKind::fixed, {100, 100, 100}},
    {ChunkerKind::gear, {64, 256, 2048}},       {ChunkerKind::gear, {1024, 4096, 32768}},
    {ChunkerKind::gear, {100, 512, 600}},       {ChunkerKind::gear, {4096, 4096, 8192}},
    {ChunkerKind::extremum, {64, 256, 2048}},   {ChunkerKind::extremum, {1024, 4096, 32768}},
    {ChunkerKind::extremum, {900, 1000, 1100}}, {ChunkerKind::extremum, {64, 2000, 2000}},
};

Chunker make(const Setting& s, const Cpu& cpu) {
    Chunker c;
    cr_assert(is_ok(Chunker::make(s.kind, s.limits, cpu, c)));
    return c;
}

// Lengths of the chunks, that of the open rest last.
std::vector<size_t> lengths(const Chunker& chunker, std::span<const std::byte> data, size_t longest,
                            uint64_t seed) {
    std::vector<size_t> out{0};
    CutState state = chunker.start(0);
    for_fragments(data, longest, seed, [&](std::span<const std::byte> rest) {
        while (!rest.empty()) {
            const Cut cut = chunker.next(state, rest);
            cr_assert(cut.bytes > 0);
            out.back() += cut.bytes;
            if (cut.done) out.push_back(0);
            rest = rest.subspan(cut.bytes);
        }
    });
    return out;
}

// From the rules as gear.hpp and extremum.hpp state them, position by position, over a whole chunk
// in memory.
size_t reference_length(const Setting& s, std::span<const std::byte> data) {
    const auto [min, avg, max] = s.limits;
    const size_t end = std::min<size_t>(data.size(), max);
    switch (s.kind) {
    case ChunkerKind::fixed: return end;
    case ChunkerKind::gear: {
        const auto mask = [](int bits) {
            uint64_t m = 0xffff & (0xffff << (16 - std::min(bits, 11)));
            for (int i = 11; i < bits; ++i)
                m |= 1ull << (63 - 3 * (i - 11));
            return m;
        };
        const int bits = __builtin_ctz(avg);
        for (size_t length = min + 1; length <= end; ++length) {
            uint64_t hash = 0;
            for (size_t k = 64; k > 0; --k)
                hash = 2 * hash + kGearTable.entry[static_cast<uint8_t>(data[length - k])];
            if ((hash & mask(length <= avg ? bits + 2 : bits - 2)) == 0) return length;
        }
        return end;
    }
    case ChunkerKind::extremum: {
        const size_t window = Extremum(min, avg, max, Cpu{}).window();
        const size_t first = (min > window ? min - window : 0) + 3;
        size_t greatest = first;
        for (size_t i = first; i < end; ++i) {
            if (value_at(data.data(), i) > value_at(data.data(), greatest)) greatest = i;
            if (i - greatest == window) return i + 1;
        }
        return end;
    }
    }
    return 0;
}

} // namespace

Test(chunker, limits_that_make_no_sense_are_refused) {
    Chunker c;
    const auto refused = [&](ChunkerKind kind, ChunkLimits limits) {
        return Chunker::make(kind, limits, Cpu{}, c) == Status::invalid;
    };
    cr_assert(refused(ChunkerKind::fixed, {32, 32, 32}), "shorter than a record");
    cr_assert(refused(ChunkerKind::fixed, {4096, 4096, 8192}));
    cr_assert(refused(ChunkerKind::fixed, {32u << 20, 32u << 20, 32u << 20}));
    cr_assert(refused(ChunkerKind::gear, {1024, 5000, 10000}), "no power of two");
    cr_assert(refused(ChunkerKind::gear, {64, 128, 1024}), "no bits left for the mask");
    cr_assert(refused(ChunkerKind::gear, {4096, 1024, 8192}));
    cr_assert(refused(ChunkerKind::gear, {0, 1024, 8192}));
    cr_assert(refused(ChunkerKind::extremum, {1000, 1000, 1000}), "no room for a window");
}

// One byte at a time and any other way, in vectors and without: the rules' own cuts.
Test(chunker, d3_cuts_do_not_depend_on_fragments_nor_on_the_processor) {
    for (const Setting& s : kSettings) {
        const Chunker portable = make(s, Cpu{}), fast = make(s, this_cpu());
        for (uint64_t seed = 1; seed <= 4; ++seed) {
            const auto data = seed % 2 ? mixed_bytes(120000, seed) : random_bytes(120000, seed);
            std::vector<size_t> want;
            for (std::span<const std::byte> rest = data;;) {
                const size_t n = reference_length(s, rest);
                want.push_back(n);
                if (n == rest.size() && n < s.limits.max) break;
                rest = rest.subspan(n);
            }
            for (const Chunker* c : {&portable, &fast})
                for (const size_t longest : {1, 3, 50, 200, 1500, 9000, 1 << 20}) {
                    auto got = lengths(*c, data, longest, seed);
                    // A chunk that ends with the data leaves an empty rest.
                    if (got.back() == 0 && want.back() != 0) got.pop_back();
                    cr_assert(got == want, "chunker %d of %u, seed %lu, fragments up to %zu",
                              static_cast<int>(s.kind), s.limits.avg, seed, longest);
                }
        }
    }
}

Test(chunker, lengths_keep_the_limits_and_gather_around_the_average) {
    const auto data = random_bytes(8 << 20, 7);
    for (const Setting& s : kSettings) {
        auto got = lengths(make(s, this_cpu()), data, 65536, 1);
        got.pop_back();
        for (const size_t n : got)
            cr_assert(s.limits.min <= n && n <= s.limits.max);
        if (s.limits.max < 4 * s.limits.avg) continue; // then the limit shapes the mean
        const size_t mean = data.size() / got.size();
        cr_assert(mean > s.limits.avg * 3 / 4 && mean < s.limits.avg * 5 / 4,
                  "chunker %d of %u: mean %zu", static_cast<int>(s.kind), s.limits.avg, mean);
    }
}

// What content-defined chunks are for: bytes put in near the front leave nearly all chunks as they
// were.
Test(chunker, an_insertion_changes_few_content_defined_chunks) {
    const auto data = random_bytes(4 << 20, 11);
    auto shifted = data;
    shifted.insert(shifted.begin() + 5000, 17, std::byte{42});
    for (const Setting& s : {kSettings[3], kSettings[7]}) {
        const Chunker c = make(s, this_cpu());
        const auto contents = [&](const std::vector<std::byte>& d) {
            std::vector<std::string_view> out;
            size_t at = 0;
            for (const size_t n : lengths(c, d, d.size(), 1)) {
                out.emplace_back(reinterpret_cast<const char*>(d.data()) + at, n);
                at += n;
            }
            return out;
        };
        const auto before = contents(data), after = contents(shifted);
        const std::set<std::string_view> known(before.begin(), before.end());
        const auto found = std::count_if(after.begin(), after.end(), [&](std::string_view chunk) {
            return known.contains(chunk);
        });
        cr_assert(static_cast<size_t>(found) + 12 > after.size(), "chunker %d: %zu of %zu found",
                  static_cast<int>(s.kind), static_cast<size_t>(found), after.size());
    }
}

Test(chunker, fixed_chunks_are_aligned_in_the_region) {
    const Chunker c = make(kSettings[0], this_cpu());
    const std::vector<std::byte> data(10000);
    CutState state = c.start(3 * 4096 + 100);
    cr_assert_eq(c.next(state, data).bytes, 4096u - 100);
    cr_assert_eq(c.next(state, data).bytes, 4096u);
}
