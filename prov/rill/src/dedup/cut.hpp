// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstddef>
#include <cstdint>

namespace rill::dedup {

// How far a stream's open chunk has come. Plain data; a chunker that looks at `length` only does
// not touch the rest.
struct CutState {
    uint32_t length = 0;  // bytes of the open chunk; fixed: since the last aligned offset
    uint32_t since = 0;   // extremum: bytes after the one where the extremum ends
    uint64_t hash = 0;    // gear: over the last 64 bytes
    uint32_t recent = 0;  // extremum: the last 4 bytes
    int32_t extremum = 0; // extremum: the greatest value so far
};

struct Cut {
    size_t bytes = 0;    // taken from the data
    bool done = false;   // the chunk ends with them
    bool forced = false; // because it is as long as a chunk may be, not by its content
};

} // namespace rill::dedup
