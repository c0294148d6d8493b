// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The memory behind BAR2: statements R1, R3, R4 and R5 of the requirements.
#include "nic/device_memory.hpp"
#include "util/prng.hpp"

#include <criterion/criterion.h>

#include <cstring>
#include <map>

using namespace rill;
using rill::nic::DeviceMemory;

Test(device_memory, R1_a_size_is_answered_with_a_place) {
    DeviceMemory m(4096);
    uint32_t a = 1, b = 1;
    cr_assert(is_ok(m.allocate(0, 100, a)));
    cr_assert(is_ok(m.allocate(0, 64, b)));
    cr_assert_eq(a % DeviceMemory::kGranule, 0u);
    cr_assert_geq(b, a + 128, "rounded up to granules");
    cr_assert_not_null(m.at(0, a, 128));
    cr_assert_null(m.at(0, a, 129), "not into the next");
    cr_assert_eq(m.allocate(0, 0, a), Status::invalid);
}

Test(device_memory, R3_R4_nothing_overlaps_and_nothing_is_lost_over_long_sequences) {
    for (uint64_t seed = 1; seed <= 20; ++seed) {
        Prng random(seed);
        constexpr uint32_t kBytes = 1 << 16;
        DeviceMemory m(kBytes);
        struct Piece {
            uint32_t bytes;
            uint16_t owner;
        };
        std::map<uint32_t, Piece> model; // by offset
        uint32_t used = 0;
        const auto round = [](uint32_t n) { return (n + 63) / 64 * 64; };
        for (int step = 0; step < 5000; ++step) {
            const auto owner = static_cast<uint16_t>(random.below(3));
            if (random.chance(0.55)) {
                const auto bytes = static_cast<uint32_t>(
                    random.chance(0.1) ? random.below(kBytes + 2) : random.below(3000));
                uint32_t at = 12345;
                const uint32_t longest = m.longest_free();
                const Status s = m.allocate(owner, bytes, at);
                if (bytes == 0 || round(bytes) > longest) {
                    cr_assert_eq(s, bytes == 0 ? Status::invalid : Status::no_memory, "seed %lu",
                                 seed);
                    cr_assert_eq(at, 12345u, "nothing is written on failure");
                    continue;
                }
                cr_assert(is_ok(s), "seed %lu step %d", seed, step);
                const auto next = model.lower_bound(at);
                cr_assert(next == model.end() || at + round(bytes) <= next->first, "seed %lu",
                          seed);
                cr_assert(next == model.begin() ||
                              std::prev(next)->first + std::prev(next)->second.bytes <= at,
                          "seed %lu", seed);
                cr_assert_leq(at + round(bytes), kBytes);
                std::byte* p = m.at(owner, at, bytes);
                cr_assert_not_null(p);
                for (uint32_t i = 0; i < bytes; i += 61)
                    cr_assert_eq(p[i], std::byte{0}, "what is given is zero");
                std::memset(p, 0xa5, bytes);
                model[at] = {round(bytes), owner};
                used += round(bytes);
            } else if (!model.empty()) {
                auto it = model.lower_bound(static_cast<uint32_t>(random.below(kBytes)));
                if (it == model.end()) it = model.begin();
                const bool mine = it->second.owner == owner;
                cr_assert_eq(m.release(owner, it->first), mine ? Status::ok : Status::not_found);
                if (!mine) continue;
                cr_assert_eq(m.release(owner, it->first), Status::not_found, "twice");
                used -= it->second.bytes;
                model.erase(it);
            }
            cr_assert_eq(m.bytes_free(), kBytes - used, "seed %lu step %d", seed, step);
            cr_assert_eq(m.allocations(), model.size());
        }
        for (uint16_t owner = 0; owner < 3; ++owner)
            m.release_all(owner);
        cr_assert_eq(m.longest_free(), kBytes, "fragments are joined again: seed %lu", seed);
    }
}

Test(device_memory, R4_exhaustion_is_an_error_and_ends_with_a_release) {
    DeviceMemory m(64 * 10);
    uint32_t at[10], more = 7;
    for (uint32_t& a : at)
        cr_assert(is_ok(m.allocate(0, 64, a)));
    cr_assert_eq(m.allocate(0, 1, more), Status::no_memory);
    for (int i = 0; i < 10; i += 2)
        cr_assert(is_ok(m.release(0, at[i])));
    cr_assert_eq(m.bytes_free(), 320u);
    cr_assert_eq(m.allocate(0, 65, more), Status::no_memory, "free, but in pieces");
    cr_assert(is_ok(m.release(0, at[1])));
    cr_assert(is_ok(m.allocate(0, 192, more)));
    DeviceMemory none(0);
    cr_assert_eq(none.allocate(0, 64, more), Status::no_memory);
    cr_assert_null(none.at(0, 0, 0));
}

Test(device_memory, R5_what_one_function_has_another_cannot_touch) {
    DeviceMemory m(4096);
    uint32_t a = 0, b = 0;
    cr_assert(is_ok(m.allocate(1, 256, a)));
    cr_assert(is_ok(m.allocate(2, 256, b)));
    cr_assert_null(m.at(2, a, 1));
    cr_assert_null(m.at(1, a, 257), "nor by reaching over");
    cr_assert_null(m.at(1, b, 1));
    cr_assert_eq(m.release(2, a), Status::not_found);
    m.release_all(2);
    cr_assert_not_null(m.at(1, a, 256));
    cr_assert_null(m.at(1, UINT64_MAX, 1));
    cr_assert_null(m.at(1, a, UINT64_MAX));
}
