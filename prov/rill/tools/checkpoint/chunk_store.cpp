// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "checkpoint/chunk_store.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <fstream>
#include <stdexcept>
#include <sys/file.h>
#include <system_error>
#include <unistd.h>

namespace checkpoint {

namespace fs = std::filesystem;

namespace {

constexpr size_t kWriteBytes = 1 << 20;
constexpr const char* kConfigLine = "rill-checkpoint 1";

[[noreturn]] void fail(const fs::path& path) {
    throw std::system_error(errno, std::generic_category(), path.string());
}

uint32_t number_of(const fs::path& path) {
    const std::string text = path.stem().string();
    uint32_t n = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    return error == std::errc() && end == text.data() + text.size() ? n : 0;
}

} // namespace

// ---- files ------------------------------------------------------------------------------------

File::File(const fs::path& path, int flags, mode_t mode)
    : path_(path), fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {
    if (fd_ < 0) fail(path);
}

File::~File() {
    if (fd_ >= 0) ::close(fd_);
}

void File::write(std::span<const std::byte> data) {
    while (!data.empty()) {
        const ssize_t n = ::write(fd_, data.data(), data.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail(path_);
        data = data.subspan(static_cast<size_t>(n));
    }
}

void File::read_at(std::span<std::byte> into, uint64_t offset) const {
    while (!into.empty()) {
        const ssize_t n = ::pread(fd_, into.data(), into.size(), static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail(path_);
        if (n == 0) throw std::runtime_error(path_.string() + ": ends before it should");
        into = into.subspan(static_cast<size_t>(n));
        offset += static_cast<uint64_t>(n);
    }
}

void File::sync() {
    if (::fsync(fd_) != 0) fail(path_);
}

void sync_directory(const fs::path& path) {
    File(path, O_RDONLY | O_DIRECTORY).sync();
}

void write_whole(const fs::path& path, std::span<const std::byte> data) {
    fs::path aside = path;
    aside += ".tmp";
    {
        File file(aside, O_WRONLY | O_CREAT | O_TRUNC);
        file.write(data);
        file.sync();
    }
    fs::rename(aside, path);
    sync_directory(path.parent_path());
}

// ---- the store --------------------------------------------------------------------------------

ChunkStore::ChunkStore(const fs::path& root, bool writes, uint32_t average) : root_(root) {
    if (average && !fs::exists(root / "config")) {
        fs::create_directories(root / "packs");
        fs::create_directories(root / "snapshots");
        const std::string text =
            std::string(kConfigLine) + "\nchunk " + std::to_string(average) + "\n";
        write_whole(root / "config", std::as_bytes(std::span(text)));
    }
    std::ifstream config(root / "config");
    std::string first, word;
    if (!std::getline(config, first) || first != kConfigLine || !(config >> word >> average_) ||
        word != "chunk")
        throw std::runtime_error(root.string() + " is no store of rill-checkpoint");
    if (writes) {
        lock_ = std::make_unique<File>(root / "config", O_RDONLY);
        if (::flock(lock_->fd(), LOCK_EX | LOCK_NB) != 0)
            throw std::runtime_error(root.string() + " is in use");
    }
    load();
}

fs::path ChunkStore::pack_path(uint32_t number) const {
    return root_ / "packs" / std::to_string(number);
}

void ChunkStore::load() {
    std::vector<uint32_t> numbers;
    for (const auto& entry : fs::directory_iterator(root_ / "packs")) {
        const fs::path& path = entry.path();
        const bool whole = path.extension() != ".tmp" && number_of(path) > 0;
        const uint32_t number = number_of(path);
        next_pack_ = std::max(next_pack_, number + 1);
        if (whole && path.extension() == ".index")
            numbers.push_back(number);
        else if (lock_ && (!whole || !fs::exists(path.string() + ".index")))
            fs::remove(path);
    }
    for (const uint32_t number : numbers) {
        const fs::path path = pack_path(number).string() + ".index";
        Pack& pack = packs_[number];
        pack.entries.resize(fs::file_size(path) / sizeof(IndexEntry));
        File(path, O_RDONLY).read_at(std::as_writable_bytes(std::span(pack.entries)), 0);
        for (uint32_t i = 0; i < pack.entries.size(); ++i)
            by_digest_.emplace(pack.entries[i].digest, ChunkId{number, i});
    }
    if (!lock_) return;
    for (const auto& entry : fs::directory_iterator(root_ / "snapshots"))
        if (entry.path().extension() == ".tmp") fs::remove(entry.path());
}

void ChunkStore::begin() {
    fs::path aside = pack_path(next_pack_);
    aside += ".tmp";
    writing_ = std::make_unique<File>(aside, O_WRONLY | O_CREAT | O_TRUNC);
    packs_[next_pack_] = {};
    written_ = 0;
}

ChunkId ChunkStore::add(const ChunkDigest& digest, std::span<const std::byte> bytes, bool& is_new) {
    std::vector<IndexEntry>& entries = packs_[next_pack_].entries;
    const ChunkId next{next_pack_, static_cast<uint32_t>(entries.size())};
    const auto [known, added] = by_digest_.try_emplace(digest, next);
    is_new = added;
    if (!added) return known->second;
    entries.push_back({digest, written_, static_cast<uint32_t>(bytes.size()), 0});
    pending_.insert(pending_.end(), bytes.begin(), bytes.end());
    written_ += bytes.size();
    if (pending_.size() >= kWriteBytes) flush();
    return next;
}

void ChunkStore::flush() {
    writing_->write(pending_);
    pending_.clear();
}

void ChunkStore::commit() {
    const fs::path path = pack_path(next_pack_);
    const fs::path aside = path.string() + ".tmp";
    const std::vector<IndexEntry>& entries = packs_[next_pack_].entries;
    if (entries.empty()) return abandon();
    flush();
    writing_->sync();
    writing_.reset();
    fs::rename(aside, path);
    write_whole(path.string() + ".index", std::as_bytes(std::span(entries)));
    ++next_pack_;
}

void ChunkStore::abandon() {
    if (!writing_) return;
    for (const IndexEntry& e : packs_[next_pack_].entries)
        by_digest_.erase(e.digest);
    packs_.erase(next_pack_);
    pending_.clear();
    writing_.reset();
    fs::remove(pack_path(next_pack_).string() + ".tmp");
}

const IndexEntry& ChunkStore::entry(ChunkId id) const {
    const auto it = packs_.find(id.pack);
    if (it == packs_.end() || id.entry >= it->second.entries.size())
        throw std::runtime_error("a chunk is not in the store");
    return it->second.entries[id.entry];
}

std::vector<std::byte> ChunkStore::read(ChunkId id) const {
    const IndexEntry& e = entry(id);
    Pack& pack = packs_.at(id.pack);
    if (!pack.file) pack.file = std::make_unique<File>(pack_path(id.pack), O_RDONLY);
    std::vector<std::byte> bytes(e.bytes);
    pack.file->read_at(bytes, e.offset);
    return bytes;
}

} // namespace checkpoint
