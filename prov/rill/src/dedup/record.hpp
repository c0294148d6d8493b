// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "dedup/digest.hpp"

#include <cstdint>

namespace rill::dedup {

// A chunk that a store holds. A reference whose chunk was overwritten, evicted or let go finds
// nothing: the generation of its place has changed. All zeros: none.
struct Reference {
    uint32_t place = 0; // 1 and up
    uint32_t generation = 0;

    explicit operator bool() const { return place != 0; }
    bool operator==(const Reference&) const = default;
};

enum RecordFlag : uint16_t {
    kDuplicate = 1 << 0, // `reference` is that of an earlier chunk with these bytes
    kVerified = 1 << 1,  // and the bytes were compared
    kZero = 1 << 2,      // nothing but zeros
    kForcedCut = 1 << 3, // ends because a chunk may not be longer
    kLast = 1 << 4,      // ends because the stream does
    kScattered = 1 << 5, // not in one piece in memory: `address` is where it begins
};

// What is known of one chunk.
struct Record {
    Digest digest;
    uint64_t address = 0;
    Reference
        reference; // of this chunk in the store, or of the earlier one; none if the store has none
    uint32_t length = 0;   // bytes
    uint32_t stream = 0;   // as its owner named it
    uint32_t sequence = 0; // in the stream, from 0 on
    uint16_t flags = 0;
    uint16_t reserved = 0;
};
static_assert(sizeof(Record) == 64);

} // namespace rill::dedup
