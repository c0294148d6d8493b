// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// The receiver: the device cuts blocks into chunks and digests them as they come in; here they are
// only looked up and written.
#include "checkpoint/commands.hpp"
#include "checkpoint/fabric.hpp"
#include "checkpoint/messages.hpp"
#include "checkpoint/snapshot.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>

namespace checkpoint {

namespace {

constexpr size_t kBlocks = 6; // receives that are posted
constexpr size_t kEntries = 16;

struct Buffer {
    Operation operation;
    std::vector<std::byte> bytes;
    std::vector<fi_rill_record> records; // of the block that is in it
};

// Why a session is over before its end. The store is as before.
struct Over : Failure {
    using Failure::Failure;
};

// One sender's snapshot.
class Session {
public:
    Session(Fabric& fabric, ChunkStore& store, fid_rill_ring* ring, const Hello& hello)
        : fabric_(fabric), store_(store), ring_(ring), from_(address_of(hello)),
          session_(hello.session), path_(store.snapshot_path(hello.snapshot)) {
        for (Buffer& b : blocks_)
            b.bytes.resize(kBlockBytes);
        for (Buffer& e : entries_)
            e.bytes.resize(kEntryBytesMax);
    }
    // Nothing may come into the buffers any more.
    ~Session() {
        for (Buffer& b : blocks_)
            if (b.operation.flying) fabric_.cancel(b.operation);
        for (Buffer& e : entries_)
            if (e.operation.flying) fabric_.cancel(e.operation);
        const auto flying = [](const auto& all) {
            return std::any_of(all.begin(), all.end(),
                               [](const Buffer& b) { return b.operation.flying; });
        };
        try {
            for (int i = 0; i < kDrainPasses && (flying(blocks_) || flying(entries_)); ++i)
                (void)fabric_.next(100);
            discard_records();
        } catch (const Failure&) { // what comes is of no use any more
        }
    }

    Reply run() {
        for (size_t i = 0; i < kBlocks; ++i)
            post_block(i);
        for (size_t i = 0; i < kEntries; ++i)
            post_entry(i);
        store_.begin();
        answer({.answer = Answer::ready});
        while (!ended_ || done_.size() < expected_)
            step();
        std::vector<Entry> entries;
        for (auto& [number, entry] : done_)
            entries.push_back(std::move(entry));
        store_.commit();
        write_snapshot(path_, entries);
        totals_.answer = Answer::stored;
        totals_.entries = static_cast<uint32_t>(entries.size());
        answer(totals_);
        return totals_;
    }

    void answer(const Reply& reply) {
        reply_ = reply;
        Operation operation;
        operation.kind = Kind::reply;
        fabric_.send(&reply_, sizeof reply_, from_, tag_of(Kind::reply, session_), operation);
        while (operation.flying)
            step();
    }

private:
    static constexpr int kDrainPasses = 100;

    fi_addr_t address_of(const Hello& hello) {
        try {
            return fabric_.insert(hello.address);
        } catch (const Failure& why) {
            throw Over(why.what());
        }
    }

    struct Coming { // a file
        std::map<uint64_t, std::vector<ChunkId>> blocks;
        bool has_header = false;
        Entry entry;
    };

    void post_block(size_t i) {
        Buffer& b = blocks_[i];
        b.operation.kind = Kind::block;
        b.operation.number = i;
        b.records.clear();
        fabric_.receive(b.bytes.data(), b.bytes.size(), from_, tag_of(Kind::block, session_),
                        b.operation, FI_RILL_REPORT_CHUNKS);
    }
    void post_entry(size_t i) {
        Buffer& e = entries_[i];
        e.operation.kind = Kind::entry;
        e.operation.number = i;
        fabric_.receive(e.bytes.data(), e.bytes.size(), from_, tag_of(Kind::entry, session_),
                        e.operation);
    }

    void step() {
        const std::optional<Event> event = fabric_.next(-1);
        if (!event) return;
        if (event->error) throw Over(std::string("the sender: ") + fi_strerror(event->error));
        switch (event->operation->kind) {
        case Kind::block: return on_block(event->operation->number, event->data, event->bytes);
        case Kind::entry: return on_entry(event->operation->number, event->bytes);
        case Kind::hello:
        case Kind::reply: return;
        }
    }

    // Records of several blocks may be there: where a chunk lies says whose it is.
    void read_records() {
        std::array<fi_rill_record, 256> some;
        for (;;) {
            const ssize_t n = fabric_.dedup().ring_read(ring_, some.data(), some.size());
            if (n == -FI_EAGAIN) return;
            must(n, "records");
            for (ssize_t i = 0; i < n; ++i)
                owner_of(some[i].address).records.push_back(some[i]);
        }
    }
    Buffer& owner_of(uint64_t address) {
        for (Buffer& b : blocks_) {
            const auto begin = reinterpret_cast<uint64_t>(b.bytes.data());
            if (address >= begin && address - begin < b.bytes.size()) return b;
        }
        throw Failure("a record of memory that is not ours");
    }
    void discard_records() {
        std::array<fi_rill_record, 256> some;
        while (fabric_.dedup().ring_read(ring_, some.data(), some.size()) != -FI_EAGAIN) {
        }
    }

    void on_block(size_t i, uint64_t which, size_t bytes) {
        read_records();
        Buffer& b = blocks_[i];
        std::vector<ChunkId> ids;
        size_t at = 0;
        for (const fi_rill_record& r : b.records) {
            if (r.address != reinterpret_cast<uint64_t>(b.bytes.data()) + at ||
                r.length > bytes - at)
                throw Failure("records that do not belong together");
            ChunkDigest digest;
            std::copy_n(r.digest, digest.size(), digest.begin());
            bool is_new = false;
            ids.push_back(store_.add(digest, std::span(b.bytes).subspan(at, r.length), is_new));
            at += r.length;
            ++totals_.chunks;
            totals_.new_chunks += is_new;
            if (is_new) totals_.new_bytes += r.length;
        }
        if (at != bytes) throw Failure("a block whose records are not complete");
        totals_.bytes += bytes;
        Coming& file = coming_[which >> kBlockBits];
        file.blocks[which & ((1u << kBlockBits) - 1)] = std::move(ids);
        post_block(i);
        finish_if_whole(which >> kBlockBits);
    }

    void on_entry(size_t i, size_t bytes) {
        EntryHeader h;
        const std::byte* at = entries_[i].bytes.data();
        if (bytes < sizeof h) throw Over("the sender: an entry too short");
        std::memcpy(&h, at, sizeof h);
        if (uint64_t{h.path_bytes} + h.target_bytes != bytes - sizeof h || h.kind > EntryKind::end)
            throw Over("the sender: an entry that makes no sense");
        if (h.kind == EntryKind::end) {
            ended_ = true;
            expected_ = h.number;
            return post_entry(i);
        }
        const char* text = reinterpret_cast<const char*>(at + sizeof h);
        Coming& file = coming_[h.number];
        file.has_header = true;
        file.entry.header = h;
        file.entry.path.assign(text, h.path_bytes);
        file.entry.target.assign(text + h.path_bytes, h.target_bytes);
        if (!is_safe(file.entry.path)) throw Over("the sender: a path that leads away");
        post_entry(i);
        finish_if_whole(h.number);
    }

    void finish_if_whole(uint64_t number) {
        Coming& file = coming_[number];
        const uint64_t blocks =
            file.entry.header.kind == EntryKind::file ? blocks_of(file.entry.header.bytes) : 0;
        if (!file.has_header || file.blocks.size() < blocks) return;
        for (const auto& [block, ids] : file.blocks)
            for (const ChunkId id : ids)
                file.entry.append(id);
        done_.emplace(number, std::move(file.entry));
        coming_.erase(number);
    }

    Fabric& fabric_;
    ChunkStore& store_;
    fid_rill_ring* ring_;
    const fi_addr_t from_;
    const uint64_t session_;
    const std::filesystem::path path_;
    std::array<Buffer, kBlocks> blocks_;
    std::array<Buffer, kEntries> entries_;
    std::map<uint64_t, Coming> coming_;
    std::map<uint64_t, Entry> done_;
    bool ended_ = false;
    uint64_t expected_ = 0;
    Reply totals_;
    Reply reply_;
};

// A name that is a file of its own in the directory of snapshots.
std::string objection(const ChunkStore& store, const Hello& hello) {
    const std::filesystem::path name = hello.snapshot;
    if (!is_safe(name) || name.has_parent_path() || name == "." || name.extension() == ".tmp")
        return "that is no name for a snapshot";
    return std::filesystem::exists(store.snapshot_path(name)) ? "there is such a snapshot" : "";
}

bool serve(Fabric& fabric, ChunkStore& store, fid_rill_ring* ring, Hello& hello) {
    hello.snapshot[sizeof hello.snapshot - 1] = '\0';
    try {
        Session session(fabric, store, ring, hello);
        Reply refused{.answer = Answer::refused};
        const std::string why = objection(store, hello);
        why.copy(refused.text, sizeof refused.text - 1);
        if (!why.empty()) {
            session.answer(refused);
            std::printf("refused %s: %s\n", hello.snapshot, why.c_str());
            return false;
        }
        const Reply r = session.run();
        std::printf("stored %s: %llu bytes, %llu new\n", hello.snapshot,
                    static_cast<unsigned long long>(r.bytes),
                    static_cast<unsigned long long>(r.new_bytes));
        return true;
    } catch (const Over& why) {
        store.abandon();
        std::printf("abandoned %s: %s\n", hello.snapshot, why.what());
        return false;
    }
}

// Waits for a sender. Other events are those of sessions that are over.
bool greeted(Fabric& fabric, Hello& hello) {
    Operation operation;
    bool whole = false;
    fabric.receive(&hello, sizeof hello, FI_ADDR_UNSPEC, tag_of(Kind::hello), operation);
    while (operation.flying) {
        const std::optional<Event> event = fabric.next(-1);
        if (event && event->operation == &operation)
            whole = !event->error && event->bytes == sizeof hello && hello.magic == kMagic;
    }
    return whole;
}

} // namespace

int receive(const ReceiveOptions& options) {
    ChunkStore store(options.store, true, options.average);
    Fabric fabric(options.host, options.port, true);
    fabric.open_endpoint();

    fi_rill_store_attr attr{};
    attr.size = sizeof attr;
    attr.chunker = FI_RILL_CHUNK_GEAR;
    attr.digest = FI_RILL_SHA256;
    attr.min = store.average() / 4;
    attr.avg = store.average();
    attr.max = store.average() * 8;
    attr.capacity = 1; // what is known is on disk
    fid_rill_store* chunks = nullptr;
    must(fabric.dedup().store_open(fabric.domain(), &attr, &chunks, nullptr), "store_open");
    const Handle<fid_rill_store> closes_store(chunks);
    fi_rill_ring_attr ring_attr{};
    ring_attr.size = sizeof ring_attr;
    ring_attr.count = kBlocks * (kBlockBytes / attr.min + 1);
    ring_attr.wait_obj = FI_WAIT_NONE;
    fid_rill_ring* ring = nullptr;
    must(fabric.dedup().ring_open(fabric.domain(), &ring_attr, &ring, nullptr), "ring_open");
    const Handle<fid_rill_ring> closes_ring(ring);
    must(fabric.dedup().attach(chunks, ring, &fabric.endpoint()->fid, 0), "attach");

    std::printf("listening on %s\n", fabric.printable_name().c_str());
    std::fflush(stdout);
    for (uint64_t stored = 0; options.sessions == 0 || stored < options.sessions;) {
        Hello hello;
        if (greeted(fabric, hello)) stored += serve(fabric, store, ring, hello);
        std::fflush(stdout);
    }
    must(fabric.dedup().detach(&fabric.endpoint()->fid), "detach");
    return 0;
}

} // namespace checkpoint
