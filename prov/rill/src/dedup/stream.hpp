// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "dedup/cut.hpp"
#include "dedup/sha256.hpp"
#include "dedup/store.hpp"
#include "dedup/xxh3.hpp"
#include "util/list.hpp"
#include "util/time.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace rill::dedup {

struct HeldTag;
struct ReadyTag;
struct TouchedTag;

// Bytes of a stream that came before their turn, where they were placed.
struct HeldSpan : ListHook<HeldTag> {
    uint64_t offset = 0;
    std::span<const std::byte> data;
};

// One message, write or file on its way through the engine. Of data nothing is kept but the digest
// in progress and its residue; what is held back or ready are references to where it was placed.
struct Stream : ListHook<ReadyTag>, ListHook<TouchedTag> {
    uint32_t name = 0;
    Scope scope = 0;
    void* owner = nullptr;            // what it is for whoever opened it
    uint32_t sequence = 0;            // of the open chunk
    uint64_t front = 0;               // offset of the first byte that has not come
    Instant touched{};                // when data last came
    std::span<const std::byte> ready; // in order, up to the front, not yet chunked
    List<HeldSpan, HeldTag> held;     // by offset
    CutState cut;

    // The open chunk.
    const std::byte* begins = nullptr;
    uint32_t length = 0;
    bool in_one_piece = true;
    bool only_zeros = true;
    bool queued = false; // the batch has a job on the progress below

    union { // by the kind of the engine's digest
        Sha256Progress sha256;
        Xxh3Progress xxh3;
    };

    Stream() : sha256{} {}
};

} // namespace rill::dedup
