// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "checkpoint/snapshot.hpp"

#include <algorithm>
#include <fcntl.h>
#include <stdexcept>

namespace checkpoint {

namespace {

class Writer {
public:
    void bytes(const void* data, size_t n) {
        const auto* b = static_cast<const std::byte*>(data);
        out.insert(out.end(), b, b + n);
    }
    template <class T>
    void value(const T& v) {
        bytes(&v, sizeof v);
    }
    std::vector<std::byte> out;
};

class Reader {
public:
    explicit Reader(std::span<const std::byte> in) : in_(in) {}
    void bytes(void* to, size_t n) {
        if (n > in_.size()) throw std::runtime_error("a snapshot ends before it should");
        std::memcpy(to, in_.data(), n);
        in_ = in_.subspan(n);
    }
    template <class T>
    T value() {
        T v;
        bytes(&v, sizeof v);
        return v;
    }
    std::string text(size_t n) {
        std::string s(std::min(n, in_.size() + 1), '\0');
        bytes(s.data(), n);
        return s;
    }
    bool done() const { return in_.empty(); }

private:
    std::span<const std::byte> in_;
};

} // namespace

void Entry::append(ChunkId id) {
    if (!content.empty()) {
        ChunkRun& last = content.back();
        if (last.pack == id.pack && last.first + last.count == id.entry) {
            ++last.count;
            return;
        }
    }
    content.push_back({id.pack, id.entry, 1});
}

bool is_safe(const std::filesystem::path& path) {
    return !path.empty() && path.is_relative() &&
           std::none_of(path.begin(), path.end(), [](const auto& part) { return part == ".."; }) &&
           path.native().find('\0') == std::string::npos;
}

void write_snapshot(const std::filesystem::path& file, const std::vector<Entry>& entries) {
    Writer w;
    w.value(kMagic);
    w.value(uint64_t{entries.size()});
    for (const Entry& e : entries) {
        w.value(e.header);
        w.bytes(e.path.data(), e.path.size());
        w.bytes(e.target.data(), e.target.size());
        w.value(uint64_t{e.content.size()});
        w.bytes(e.content.data(), e.content.size() * sizeof(ChunkRun));
    }
    write_whole(file, w.out);
}

std::vector<Entry> read_snapshot(const std::filesystem::path& file) {
    std::vector<std::byte> all(std::filesystem::file_size(file));
    File(file, O_RDONLY).read_at(all, 0);
    Reader r(all);
    if (r.value<uint64_t>() != kMagic) throw std::runtime_error(file.string() + " is no snapshot");
    std::vector<Entry> entries;
    for (uint64_t n = r.value<uint64_t>(); n > 0; --n) {
        Entry e;
        e.header = r.value<EntryHeader>();
        e.path = r.text(e.header.path_bytes);
        e.target = r.text(e.header.target_bytes);
        for (uint64_t runs = r.value<uint64_t>(); runs > 0; --runs)
            e.content.push_back(r.value<ChunkRun>());
        if (!is_safe(e.path)) throw std::runtime_error("a snapshot with a path that leads away");
        entries.push_back(std::move(e));
    }
    if (!r.done()) throw std::runtime_error(file.string() + " goes on where it should end");
    return entries;
}

} // namespace checkpoint
