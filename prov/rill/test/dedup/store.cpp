// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dedup/store.hpp"

#include "test/dedup/data.hpp"

#include <criterion/criterion.h>

#include <map>

using namespace rill;
using namespace rill::dedup;
using namespace rill::dedup::test;

namespace {

Store::Key key_of(uint64_t n, Scope scope = 0, uint32_t length = 100) {
    Store::Key k;
    Prng random(n);
    for (size_t i = 0; i < 32; i += 8) {
        const uint64_t x = random.next();
        std::memcpy(k.digest.bytes.data() + i, &x, 8);
    }
    k.scope = scope;
    k.length = length;
    return k;
}

struct Memory {
    std::vector<std::byte> bytes = std::vector<std::byte>(1 << 20);
    explicit Memory(Store& s) { cr_assert(is_ok(s.attach(bytes))); }
    const std::byte* at(size_t i) const { return bytes.data() + i; }
    std::span<const std::byte> part(size_t i, size_t n) const {
        return std::span(bytes).subspan(i, n);
    }
};

} // namespace

Test(store, d5_what_was_entered_is_found_and_nothing_else) {
    Store store(100);
    Memory m(store);
    const Reference r = store.insert(key_of(1), m.at(500));
    cr_assert(r);
    const auto found = store.find(key_of(1));
    cr_assert_eq(found.bytes, m.at(500));
    cr_assert(found.reference == r);
    cr_assert_null(store.find(key_of(2)).bytes);
    cr_assert_null(store.find(key_of(1, 0, 101)).bytes, "another length");
    cr_assert_eq(store.resolve(r).length, 100u);
    cr_assert_eq(store.size(), 1u);
}

Test(store, no_hit_across_scopes) {
    Store store(8); // one set: that scopes go to different ones does not help here
    Memory m(store);
    (void)store.insert(key_of(1, 7), m.at(0));
    cr_assert_null(store.find(key_of(1, 8)).bytes);
    cr_assert_null(store.find(key_of(1, 0)).bytes);
    cr_assert_not_null(store.find(key_of(1, 7)).bytes);
}

Test(store, only_attached_memory_is_referred_to) {
    Store store(100);
    Memory m(store);
    const std::vector<std::byte> other(1000);
    cr_assert_not(store.insert(key_of(1), other.data()));
    cr_assert_not(store.insert(key_of(1), m.at(m.bytes.size() - 50)), "reaches out of the region");
    cr_assert_not(store.insert(key_of(1, 0, kStoredMin - 1), m.at(0)), "too short");
    cr_assert_eq(store.attach(m.part(10, 20)), Status::invalid, "overlaps");
    cr_assert_eq(store.attach({}), Status::invalid);
    cr_assert_eq(store.detach(m.at(1)), Status::not_found);
    const Reference r = store.insert(key_of(1), m.at(0));
    cr_assert(is_ok(store.detach(m.at(0))));
    cr_assert_null(store.resolve(r).bytes);
    cr_assert_null(store.find(key_of(1)).bytes);
    cr_assert(is_ok(store.attach(m.bytes)));
}

Test(store, overwriting_makes_a_miss_to_the_byte) {
    Store store(100);
    Memory m(store);
    const auto survives = [&](size_t at, size_t n) {
        const Reference r = store.insert(key_of(1), m.at(5000));
        store.overwritten(m.part(at, n));
        const bool there = store.resolve(r).bytes != nullptr;
        cr_assert_eq(there, store.find(key_of(1)).bytes != nullptr);
        store.drop(r);
        return there;
    };
    cr_assert(survives(4900, 100));
    cr_assert_not(survives(4900, 101));
    cr_assert_not(survives(5050, 1));
    cr_assert_not(survives(5099, 1));
    cr_assert(survives(5100, 1000));
    cr_assert_not(survives(0, m.bytes.size()));
}

Test(store, a_reference_is_of_its_generation) {
    Store store(1);
    Memory m(store);
    const Reference old = store.insert(key_of(1), m.at(0));
    store.overwritten(m.part(0, 1));
    const Reference now = store.insert(key_of(1), m.at(0));
    cr_assert_eq(old.place, now.place, "the same place");
    cr_assert_null(store.resolve(old).bytes);
    cr_assert_eq(store.hold(old), Status::not_found);
    cr_assert_not_null(store.resolve(now).bytes);
    cr_assert_null(store.resolve({}).bytes);
    cr_assert_null(store.resolve({77, 0}).bytes);
}

Test(store, d6_a_full_store_lets_go_of_what_was_not_asked_for) {
    constexpr uint32_t kCapacity = 64;
    Store store(kCapacity);
    Memory m(store);
    for (uint64_t i = 0; i < kCapacity; ++i)
        cr_assert(store.insert(key_of(i), m.at(100 * i)));
    (void)store.find(key_of(3));
    for (uint64_t i = kCapacity; i < 2 * kCapacity - 8; ++i)
        cr_assert(store.insert(key_of(i), m.at(100 * i)));
    cr_assert_eq(store.size() + 0u, kCapacity);
    cr_assert_not_null(store.find(key_of(3)).bytes, "asked for since");
    cr_assert_null(store.find(key_of(0)).bytes);
}

Test(store, held_chunks_stay_and_a_store_full_of_them_refuses) {
    Store store(4);
    Memory m(store);
    Reference held[4];
    for (uint64_t i = 0; i < 4; ++i) {
        held[i] = store.insert(key_of(i), m.at(100 * i));
        cr_assert(is_ok(store.hold(held[i])));
    }
    cr_assert_not(store.insert(key_of(9), m.at(900)));
    cr_assert_eq(store.counters().refused, 1u);
    cr_assert(is_ok(store.release(held[2])));
    cr_assert_eq(store.release(held[2]), Status::invalid, "released once too often");
    cr_assert(store.insert(key_of(9), m.at(900)));
    cr_assert_null(store.resolve(held[2]).bytes);
    store.overwritten(m.part(0, 400));
    cr_assert_null(store.resolve(held[0]).bytes, "held, and overwritten all the same");
    cr_assert_eq(store.release(held[0]), Status::not_found);
}

// Any order of calls against a map of what may be found; the store may forget, never make up.
Test(store, d6_properties_over_seeds) {
    for (uint64_t seed = 1; seed <= 50; ++seed) {
        Prng random(seed);
        Store store(static_cast<uint32_t>(1 + random.below(300)));
        Memory m(store);
        struct Known {
            size_t at;
            uint32_t length;
            Reference reference;
        };
        std::map<uint64_t, Known> known;
        for (int step = 0; step < 4000; ++step) {
            const uint64_t n = random.below(600);
            const auto it = known.find(n);
            const auto length = static_cast<uint32_t>(64 + n * 20);
            const Store::Key key = key_of(n, static_cast<Scope>(n % 3), length);
            if (random.chance(0.1)) {
                const size_t at = random.below(m.bytes.size() - 5000),
                             bytes = 1 + random.below(5000);
                store.overwritten(m.part(at, bytes));
                std::erase_if(known, [&](const auto& e) {
                    return e.second.at < at + bytes && at < e.second.at + e.second.length;
                });
                continue;
            }
            const auto found = store.find(key);
            if (found.bytes) {
                cr_assert(it != known.end(), "seed %lu, step %d: made up", seed, step);
                cr_assert_eq(found.bytes, m.at(it->second.at));
                cr_assert(found.reference == it->second.reference);
                continue;
            }
            if (it != known.end()) {
                cr_assert_null(store.resolve(it->second.reference).bytes, "found by one way only");
                known.erase(it);
            }
            const size_t at = random.below(m.bytes.size() - length);
            // What is placed there overwrites what was.
            store.overwritten(m.part(at, length));
            std::erase_if(known, [&](const auto& e) {
                return e.second.at < at + length && at < e.second.at + e.second.length;
            });
            if (const Reference r = store.insert(key, m.at(at))) known[n] = {at, length, r};
            cr_assert(store.size() <= store.capacity());
        }
        uint32_t alive = 0;
        for (const auto& [n, k] : known)
            alive += store.resolve(k.reference).bytes != nullptr;
        cr_assert_eq(alive, store.size(), "seed %lu", seed);
        cr_assert(is_ok(store.detach(m.at(0))));
        cr_assert_eq(store.size(), 0u);
    }
}
