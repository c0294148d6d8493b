// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "dedup/digest.hpp"
#include "dedup/huge_array.hpp"
#include "dedup/record.hpp"
#include "dedup/regions.hpp"
#include "util/status.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace rill::dedup {

// Chunks are known within a scope only: a hit across users would tell one what another has.
using Scope = uint32_t;

// Shorter chunks are not kept: a record is as large as they are.
inline constexpr uint32_t kStoredMin = 64;

// Which chunks are known and where their bytes lie: bytes stay where they were placed, in attached
// regions. Bounded: with all places taken, one that was not asked for lately goes. Single-threaded,
// as all of the device.
//
// The index is a set-associative table: a set is two cache lines with sixteen slots of 32 bits of
// the digest and an entry each; nothing is ever moved or rehashed. There are at least twice as many
// slots as entries, so that a set overflows once in some hundred when all are taken (Poisson, mean
// at most 8); then one of its own goes.
class Store {
public:
    struct Counters {
        uint64_t lookups = 0, hits = 0;
        uint64_t inserted = 0;
        uint64_t evicted = 0;     // for want of a place
        uint64_t displaced = 0;   // for want of a slot in its set
        uint64_t overwritten = 0; // with their memory, or detached with it
        uint64_t refused = 0;     // everything that could have gone was held
    };
    struct Key {
        Digest digest;
        Scope scope = 0;
        uint32_t length = 0;
    };
    // A known chunk. null where a reference finds nothing.
    struct Found {
        const std::byte* bytes = nullptr;
        uint32_t length = 0;
        Reference reference;
    };

    // `capacity` chunks, at least 1: 64 bytes each, and 16 to 32 in the index.
    explicit Store(uint32_t capacity);

    // Brings the lines that look-ups of these keys will need into the cache, all at once. Changes
    // nothing.
    void warm(std::span<const Key> keys) const;
    Found find(const Key& key);

    // Enters a chunk that find() did not find. none: it is too short, lies in no region, or all
    // that could give way is held.
    Reference insert(const Key& key, const std::byte* bytes);

    // What the reference is for, or nothing any more.
    Found resolve(Reference r) const;
    // A held chunk is not evicted; overwriting its memory still makes it a miss. again: held 65535
    // times.
    [[nodiscard]] Status hold(Reference r);
    [[nodiscard]] Status release(Reference r);
    // The caller found that the bytes are not those of the digest (its memory changed behind the
    // device's back).
    void drop(Reference r);

    // invalid: empty, or overlaps a region.
    [[nodiscard]] Status attach(std::span<const std::byte> memory);
    // not_found: no region begins there.
    [[nodiscard]] Status detach(const std::byte* begin);
    // Somebody writes or wrote there: no reference leads to it any more.
    void overwritten(std::span<const std::byte> memory);

    uint32_t size() const { return live_; }
    uint32_t capacity() const { return capacity_; }
    const Counters& counters() const { return counters_; }

private:
    static constexpr uint32_t kNone = Regions::kNone;

    // One cache line.
    struct alignas(64) Entry {
        Digest digest;
        uintptr_t address = 0; // 0: free
        uint32_t length = 0;
        uint32_t generation = 0;
        Scope scope = 0;
        uint32_t next = kNone; // in the granule's list, or the list of free entries
        uint16_t holds = 0;
        bool asked_for = false; // since the clock's hand last passed
    };
    static_assert(sizeof(Entry) == 64);

    struct alignas(64) Line {
        static constexpr size_t kSlots = 8;
        uint32_t tag[kSlots];
        uint32_t entry[kSlots]; // kNone: empty
    };
    static_assert(sizeof(Line) == 64);

    struct Slot {
        Line* line = nullptr;
        size_t at = 0;
    };

    Line* set_of(const Digest& d, Scope s) const;
    uint32_t look_up(const Key& key) const;
    Slot slot_of(uint32_t entry) const;
    Slot free_slot(Line* set);
    bool evict_one();
    void remove(uint32_t entry);
    Entry* entry_of(Reference r) const;
    Reference reference_of(uint32_t entry) const;
    uint64_t remove_in(Regions::Region& region, uintptr_t begin, uintptr_t end);

    uint32_t capacity_;
    uint64_t sets_;
    HugeArray<Entry> entries_;
    HugeArray<Line> lines_; // two per set
    Regions regions_;
    uint32_t free_ = kNone;
    uint32_t unused_ = 0; // entries from here on were never taken
    uint32_t hand_ = 0;   // of the clock
    uint32_t live_ = 0;
    Counters counters_;
};

} // namespace rill::dedup
