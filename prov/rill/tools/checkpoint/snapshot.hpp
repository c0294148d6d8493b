// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "checkpoint/chunk_store.hpp"
#include "checkpoint/messages.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace checkpoint {

// Chunks of one pack, one behind the other: what is new lies so.
struct ChunkRun {
    uint32_t pack = 0;
    uint32_t first = 0;
    uint32_t count = 0;
};

// A file, directory or link of a snapshot.
struct Entry {
    EntryHeader header;
    std::string path;   // relative, with no way up
    std::string target; // of a link
    std::vector<ChunkRun> content;

    void append(ChunkId id);
};

// Whether a path stays below the directory that it is relative to.
bool is_safe(const std::filesystem::path& path);

// Throws when the file cannot be written, or is not one.
void write_snapshot(const std::filesystem::path& file, const std::vector<Entry>& entries);
std::vector<Entry> read_snapshot(const std::filesystem::path& file);

} // namespace checkpoint
