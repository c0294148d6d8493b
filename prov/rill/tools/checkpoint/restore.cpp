// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Back from chunks to files. What is read from disk goes through the device once more, which says
// whether it is what was stored.
#include "checkpoint/commands.hpp"
#include "checkpoint/fabric.hpp"
#include "checkpoint/snapshot.hpp"

#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>

namespace checkpoint {

namespace fs = std::filesystem;

namespace {

// Digests of the device, of memory of ours.
class Verifier {
public:
    explicit Verifier(uint32_t average) : fabric_("", "", true) {
        fi_rill_store_attr attr{};
        attr.size = sizeof attr;
        attr.digest = FI_RILL_SHA256;
        attr.min = attr.avg = attr.max = average * 8; // as long as a chunk may be
        attr.capacity = 1;
        fid_rill_store* store = nullptr;
        must(fabric_.dedup().store_open(fabric_.domain(), &attr, &store, nullptr), "store_open");
        store_.reset(store);
        fi_rill_ring_attr ring_attr{};
        ring_attr.size = sizeof ring_attr;
        fid_rill_ring* ring = nullptr;
        ring_attr.wait_obj = FI_WAIT_NONE;
        must(fabric_.dedup().ring_open(fabric_.domain(), &ring_attr, &ring, nullptr), "ring_open");
        ring_.reset(ring);
    }
    bool matches(std::span<const std::byte> chunk, const ChunkDigest& digest) {
        fi_rill_record r{};
        must(fabric_.dedup().submit(store_.get(), ring_.get(), 0, 0, chunk.data(), chunk.size()),
             "submit");
        must(fabric_.dedup().ring_read(ring_.get(), &r, 1), "ring_read");
        return r.length == chunk.size() &&
               std::equal(digest.begin(), digest.end(), std::begin(r.digest));
    }

private:
    Fabric fabric_;
    Handle<fid_rill_store> store_;
    Handle<fid_rill_ring> ring_;
};

void restore_file(const ChunkStore& store, Verifier& verifier, const Entry& e,
                  const fs::path& path) {
    File file(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    uint64_t bytes = 0;
    for (const ChunkRun& run : e.content)
        for (uint32_t i = 0; i < run.count; ++i) {
            const ChunkId id{run.pack, run.first + i};
            const std::vector<std::byte> chunk = store.read(id);
            if (!verifier.matches(chunk, store.entry(id).digest))
                throw Failure(path.string() + ": the store is damaged");
            file.write(chunk);
            bytes += chunk.size();
        }
    if (bytes != e.header.bytes) throw Failure(path.string() + ": the store is damaged");
}

void set_attributes(const Entry& e, const fs::path& path) {
    const bool is_link = e.header.kind == EntryKind::symlink;
    if (!is_link) fs::permissions(path, static_cast<fs::perms>(e.header.mode));
    const timespec time{e.header.seconds, e.header.nanoseconds};
    const timespec times[2] = {time, time};
    if (::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
        throw Failure(path.string() + ": its time cannot be set");
}

} // namespace

int restore(const std::string& store_path, const std::string& snapshot, const std::string& to) {
    const ChunkStore store(store_path, false);
    if (!is_safe(snapshot)) throw Failure("that is no name for a snapshot");
    const std::vector<Entry> entries = read_snapshot(store.snapshot_path(snapshot));
    Verifier verifier(store.average());
    fs::create_directories(to);
    uint64_t bytes = 0;
    for (const Entry& e : entries) {
        const fs::path path = fs::path(to) / e.path;
        fs::create_directories(path.parent_path());
        switch (e.header.kind) {
        case EntryKind::directory: fs::create_directories(path); break;
        case EntryKind::symlink: fs::create_symlink(e.target, path); break;
        case EntryKind::file: restore_file(store, verifier, e, path); break;
        case EntryKind::end: throw Failure("a snapshot that makes no sense");
        }
        bytes += e.header.bytes;
    }
    // The innermost first: what is written into a directory changes its time.
    for (auto e = entries.rbegin(); e != entries.rend(); ++e)
        set_attributes(*e, fs::path(to) / e->path);
    std::printf("restored %s: %zu entries, %.1f MiB\n", snapshot.c_str(), entries.size(),
                static_cast<double>(bytes) / (1 << 20));
    return 0;
}

int list(const std::string& store_path) {
    const ChunkStore store(store_path, false);
    for (const auto& file : fs::directory_iterator(store.root() / "snapshots")) {
        if (file.path().extension() == ".tmp") continue;
        const std::vector<Entry> entries = read_snapshot(file.path());
        uint64_t bytes = 0;
        for (const Entry& e : entries)
            bytes += e.header.bytes;
        std::printf("%s: %zu entries, %.1f MiB\n", file.path().filename().c_str(), entries.size(),
                    static_cast<double>(bytes) / (1 << 20));
    }
    return 0;
}

} // namespace checkpoint
