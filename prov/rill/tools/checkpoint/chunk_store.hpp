// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace checkpoint {

using ChunkDigest = std::array<uint8_t, 32>;

// A chunk by its place: the pack, and its entry in the pack's index.
struct ChunkId {
    uint32_t pack = 0;
    uint32_t entry = 0;
};

// As on disk.
struct IndexEntry {
    ChunkDigest digest{};
    uint64_t offset = 0; // in the pack
    uint32_t bytes = 0;
    uint32_t reserved = 0;
};
static_assert(sizeof(IndexEntry) == 48);

// A file descriptor that closes itself; failures are exceptions that name the path.
class File {
public:
    File(const std::filesystem::path& path, int flags, mode_t mode = 0666);
    File(File&& o) noexcept : path_(std::move(o.path_)), fd_(o.fd_) { o.fd_ = -1; }
    ~File();
    void write(std::span<const std::byte> data);
    void read_at(std::span<std::byte> into, uint64_t offset) const; // all of it
    void sync();
    int fd() const { return fd_; }

private:
    std::filesystem::path path_;
    int fd_;
};

// Writes a file that is there in whole or not at all: under another name, synced, renamed, and the
// directory synced.
void write_whole(const std::filesystem::path& path, std::span<const std::byte> data);
void sync_directory(const std::filesystem::path& path);

// Chunks on disk, in a directory:
//
//   config            average length of a chunk
//   packs/N           chunks, one behind the other, of one session each
//   packs/N.index     where each lies, and its digest
//   snapshots/NAME    names, and which chunks they are made of
//
// Whatever is written becomes visible by a rename, in this order: a pack, its index, the snapshot. A
// pack without an index, and a name that ends in .tmp, are what a kill has left; they are removed.
class ChunkStore {
public:
    // Creates the store if there is none and `average` says how. One process at a time writes.
    ChunkStore(const std::filesystem::path& root, bool writes, uint32_t average = 0);

    uint32_t average() const { return average_; }
    const std::filesystem::path& root() const { return root_; }
    std::filesystem::path snapshot_path(const std::string& name) const {
        return root_ / "snapshots" / name;
    }

    // ---- a session that writes
    void begin();
    // The chunk's place, where its bytes are written unless it is known. is_new: they were.
    ChunkId add(const ChunkDigest& digest, std::span<const std::byte> bytes, bool& is_new);
    // Pack and index are on disk afterwards.
    void commit();
    void abandon();

    // ---- reading. Throws for a place that there is not.
    const IndexEntry& entry(ChunkId id) const;
    std::vector<std::byte> read(ChunkId id) const;
    size_t chunks() const { return by_digest_.size(); }

private:
    struct HashDigest {
        size_t operator()(const ChunkDigest& d) const {
            size_t h;
            std::memcpy(&h, d.data(), sizeof h);
            return h;
        }
    };
    struct Pack {
        std::vector<IndexEntry> entries;
        std::unique_ptr<File> file; // of what is read
    };

    std::filesystem::path pack_path(uint32_t number) const;
    void load();
    void flush();

    std::filesystem::path root_;
    uint32_t average_ = 0;
    std::unique_ptr<File> lock_;
    mutable std::unordered_map<uint32_t, Pack> packs_;
    std::unordered_map<ChunkDigest, ChunkId, HashDigest> by_digest_;
    uint32_t next_pack_ = 1;

    // Of the session.
    std::unique_ptr<File> writing_;
    std::vector<std::byte> pending_; // not yet written
    uint64_t written_ = 0;           // bytes of the pack, those pending included
};

} // namespace checkpoint
