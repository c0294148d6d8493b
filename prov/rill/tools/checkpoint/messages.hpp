// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

// What sender and receiver say to each other. Both are of the same architecture's byte order.

#include <cstddef>
#include <cstdint>

namespace checkpoint {

inline constexpr uint64_t kMagic = 0x31706b636c6c6972; // "rillckp1"

enum class Kind : uint8_t { hello, entry, block, reply };

// Of a session: what a sender that was killed has left behind is of no other. A hello has none.
inline constexpr uint64_t tag_of(Kind kind, uint64_t session = 0) {
    return session << 8 | static_cast<uint8_t>(kind);
}

// A file's content travels in blocks, each a message whose chunks are reported: the number of the
// entry and that of the block come as its data.
inline constexpr size_t kBlockBytes = 4 << 20;
inline constexpr unsigned kBlockBits = 24;
inline constexpr size_t kEntryBytesMax = 16 << 10;

struct Hello {
    uint64_t magic = kMagic;
    uint64_t session = 0;   // chosen at random, 56 bits
    char address[128] = {}; // of the sender's endpoint
    char snapshot[256] = {};
};

enum class EntryKind : uint32_t { file, directory, symlink, end };

// A name, behind all blocks of its content. Followed by the path and the target of a link.
struct EntryHeader {
    EntryKind kind{};
    uint32_t mode = 0;
    uint64_t number = 0; // end: entries before it
    uint64_t bytes = 0;  // of its content
    int64_t seconds = 0; // of its last change
    int64_t nanoseconds = 0;
    uint32_t path_bytes = 0;
    uint32_t target_bytes = 0;
};

inline constexpr uint64_t blocks_of(uint64_t bytes) {
    return (bytes + kBlockBytes - 1) / kBlockBytes;
}

enum class Answer : uint32_t { ready, stored, refused };

struct Reply {
    Answer answer{};
    uint32_t entries = 0;
    uint64_t bytes = 0; // of all files
    uint64_t chunks = 0;
    uint64_t new_chunks = 0;
    uint64_t new_bytes = 0;
    char text[128] = {}; // why it is refused
};

} // namespace checkpoint
