// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// The dedup operations of rdma/fi_ext_rill.h: what records say of messages and writes, against digests
// of OpenSSL and libxxhash, and the error of every misuse.
#include "dedup_cases.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <xxhash.h>

#include <algorithm>
#include <cstdlib>
#include <poll.h>
#include <random>

#include <sys/wait.h>
#include <unistd.h>

namespace functional {

fi_rill_ops_dedup& dedup_of(const Domain& domain) {
    void* ops = nullptr;
    check_ok(fi_open_ops(domain.id(), FI_RILL_DEDUP_OPS_1, 0, &ops, nullptr), "fi_open_ops");
    return *static_cast<fi_rill_ops_dedup*>(ops);
}

Store open_store(const Domain& domain, const fi_rill_store_attr& attr) {
    fid_rill_store* store = nullptr;
    check_ok(dedup_of(domain).store_open(domain.get(), &attr, &store, nullptr), "store_open");
    return Store(store);
}

RecordRing open_ring(const Domain& domain, size_t count, fi_wait_obj wait_obj) {
    fi_rill_ring_attr attr{};
    attr.size = sizeof attr;
    attr.count = count;
    attr.wait_obj = wait_obj;
    fid_rill_ring* ring = nullptr;
    check_ok(dedup_of(domain).ring_open(domain.get(), &attr, &ring, nullptr), "ring_open");
    return RecordRing(ring);
}

fi_rill_store_attr store_attr(fi_rill_digest digest, uint32_t chunk) {
    fi_rill_store_attr attr{};
    attr.size = sizeof attr;
    attr.chunker = FI_RILL_CHUNK_FIXED;
    attr.digest = digest;
    attr.min = attr.avg = attr.max = chunk;
    return attr;
}

std::vector<fi_rill_record> read_all(const Domain& domain, const RecordRing& ring) {
    std::vector<fi_rill_record> all;
    fi_rill_record some[7];
    for (;;) {
        const ssize_t got = dedup_of(domain).ring_read(ring.get(), some, std::size(some));
        if (got == -FI_EAGAIN) return all;
        check(got > 0 && got <= ssize_t(std::size(some)), "ring_read");
        all.insert(all.end(), some, some + got);
    }
}

namespace {

using Digest = std::array<uint8_t, 32>;

Digest digest_of(uint32_t kind, const void* data, size_t bytes, const std::string& key = "") {
    Digest out{};
    unsigned length = 0;
    if (kind == FI_RILL_XXH3_128) {
        XXH128_canonical_t canonical;
        XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, bytes));
        std::memcpy(out.data(), canonical.digest, sizeof canonical.digest);
    } else if (key.empty()) {
        EVP_Digest(data, bytes, out.data(), &length, EVP_sha256(), nullptr);
    } else {
        HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
             static_cast<const uint8_t*>(data), bytes, out.data(), &length);
    }
    return out;
}

// Chunks of fixed length that cover the memory, in order, with the digests of standard tools.
void check_records(const std::vector<fi_rill_record>& records, const fi_rill_store_attr& attr,
                   const uint8_t* data, size_t bytes, const std::string& key = "") {
    size_t at = 0;
    uint32_t sequence = 0;
    for (const fi_rill_record& r : records) {
        check_eq(r.sequence, sequence++, "sequence");
        check_eq(r.stream, records[0].stream, "stream");
        check_eq(r.length, std::min<size_t>(attr.max, bytes - at), "length");
        if (bytes > 0) check_eq(r.address, reinterpret_cast<uint64_t>(data + at), "address");
        const Digest want = digest_of(attr.digest, data + at, r.length, key);
        check(std::memcmp(r.digest, want.data(), want.size()) == 0, "digest");
        check_eq((r.flags & FI_RILL_LAST) != 0, r.length < attr.max, "the last flag");
        at += r.length;
    }
    check_eq(at, bytes, "bytes that have records");
}

// A message whose chunks are reported. They are there when its completion has been read.
struct Reporting : Pair {
    Store store;
    RecordRing ring;
    fi_rill_store_attr attr;

    explicit Reporting(const fi_rill_store_attr& a, const Config& config = {})
        : Pair(config), store(open_store(b().domain, a)), ring(open_ring(b().domain)), attr(a) {
        check_ok(attach(b().ep.id()), "attach");
    }
    ~Reporting() { b().ep = {}; }
    int attach(fid* to, uint32_t scope = 0) {
        return dedup_of(b().domain).attach(store.get(), ring.get(), to, scope);
    }
    fi_rill_ops_dedup& ops() { return dedup_of(b().domain); }
    std::vector<fi_rill_record> records() { return read_all(b().domain, ring); }
    std::vector<fi_rill_record> transfer_message(Kind kind, Bytes& from, Bytes& into,
                                                 bool unexpected = false) {
        Op sent, received;
        Transfer out = transfer(kind, from, to_b(), &sent, 5);
        Transfer in = transfer(kind, into, FI_ADDR_UNSPEC, &received, 5);
        in.form = Form::message;
        in.flags = FI_COMPLETION | FI_RILL_REPORT_CHUNKS;
        if (!unexpected) post([&] { return receive(b(), in); });
        post([&] { return send(a(), out); });
        if (unexpected) {
            settle();
            post([&] { return receive(b(), in); });
        }
        this->received(1);
        const auto got = records();
        this->sent(0);
        return got;
    }
};

Bytes filled(size_t bytes, uint32_t seed) {
    Bytes b(bytes);
    fill(b, seed);
    return b;
}

void messages_of_all_sizes(fi_rill_digest digest, Kind kind, bool unexpected) {
    only_rill("an extension of rill");
    ask_for_small_packets();
    Reporting pair(store_attr(digest, 4096));
    // Every size once, and of the other combinations each a part.
    const bool all = digest == FI_RILL_SHA256 && kind == Kind::tagged && !unexpected;
    const auto sizes = sizes_at_borders();
    uint32_t seed = 1;
    for (size_t i = 0; i < sizes.size(); i += all ? 1 : 7) {
        const size_t size = sizes[i];
        Bytes from = filled(size, seed), into(size);
        const auto records = pair.transfer_message(kind, from, into, unexpected);
        check_filled(into.data(), size, seed++);
        check_records(records, pair.attr, into.data(), size);
    }
}

// Little chunks whose borders lie everywhere in packets.
void chunks_of_64_bytes() {
    only_rill("an extension of rill");
    ask_for_small_packets();
    Reporting pair(store_attr(FI_RILL_SHA256, 64));
    Bytes from = filled(100003, 3), into(from.size());
    check_records(pair.transfer_message(Kind::tagged, from, into), pair.attr, into.data(),
                  into.size());
}

void keyed_digests() {
    only_rill("an extension of rill");
    const std::string key = "a key of some length";
    fi_rill_store_attr attr = store_attr(FI_RILL_SHA256, 4096);
    attr.key = key.data();
    attr.key_len = key.size();
    Reporting pair(attr);
    Bytes from = filled(50000, 3), into(from.size());
    check_records(pair.transfer_message(Kind::msg, from, into), attr, into.data(), into.size(),
                  key);
}

void content_defined(fi_rill_chunker chunker) {
    only_rill("an extension of rill");
    fi_rill_store_attr attr = store_attr(FI_RILL_SHA256, 0);
    attr.chunker = chunker;
    Reporting pair(attr);
    // Content to cut by: what fill() makes repeats itself.
    std::mt19937 random(3);
    Bytes from(1 << 20), into(from.size());
    std::generate(from.begin(), from.end(), [&] { return static_cast<uint8_t>(random()); });
    const Target memory(pair.b(), into.data(), into.size());
    check_ok(pair.attach(memory.mr.id()), "attach the buffer");
    size_t at = 0;
    for (const fi_rill_record& r : pair.transfer_message(Kind::tagged, from, into)) {
        const Digest want = digest_of(FI_RILL_SHA256, into.data() + at, r.length);
        check(std::memcmp(r.digest, want.data(), want.size()) == 0, "digest");
        at += r.length;
        check(r.length <= 65536 && (r.length >= 2048 || at == into.size()), "within its limits");
        check_eq((r.flags & FI_RILL_FORCED_CUT) != 0, r.length == 65536, "a forced cut");
    }
    check_eq(at, into.size(), "bytes that have records");
    // Some bytes more in front: what follows is cut as before, and known.
    Bytes moved = filled(777, 9);
    moved.insert(moved.end(), from.begin(), from.end());
    Bytes other(moved.size());
    size_t known = 0;
    for (const fi_rill_record& r : pair.transfer_message(Kind::tagged, moved, other))
        if (r.flags & FI_RILL_DUPLICATE) known += r.length;
    check(known > from.size() * 9 / 10, "what was shifted is found again");
}

void duplicates_and_references(fi_rill_digest digest) {
    only_rill("an extension of rill");
    Config config = remote_config();
    Reporting pair(store_attr(digest, 4096), config);
    Bytes memory(1 << 18);
    const Target target(pair.b(), memory.data(), memory.size());
    check_ok(pair.attach(target.mr.id()), "attach");
    Bytes from = filled(4 * 4096, 1);
    const auto write = [&](size_t at) {
        Op op;
        pair.post([&] {
            return fi_write(pair.a().ep.get(), from.data(), from.size(), nullptr, pair.to_b(),
                            target.address + at, target.key, &op);
        });
        pair.sent(0);
        return pair.records();
    };
    const auto first = write(0);
    check_records(first, pair.attr, memory.data(), from.size());
    for (const fi_rill_record& r : first)
        check_eq(r.flags & FI_RILL_DUPLICATE, 0u, "the first is no duplicate");
    const auto second = write(65536);
    check_records(second, pair.attr, memory.data() + 65536, from.size());
    for (size_t i = 0; i < second.size(); ++i) {
        check(second[i].flags & FI_RILL_DUPLICATE, "the second is a duplicate");
        check_eq((second[i].flags & FI_RILL_VERIFIED) != 0, digest == FI_RILL_XXH3_128,
                 "compared byte by byte");
        check_eq(second[i].reference.place, first[i].reference.place, "of the first");
    }
    // Look-up and resolve.
    fi_rill_query queries[3]{};
    std::memcpy(queries[0].digest, first[2].digest, 32);
    queries[0].length = 4096;
    queries[1] = queries[2] = queries[0];
    queries[1].digest[0] ^= 1;
    queries[2].scope = 1;
    check_ok(pair.ops().look_up(pair.store.get(), queries, 3), "look_up");
    check_same(queries[0].address, memory.data() + 2 * 4096, "where it lies");
    check_same(queries[1].address, nullptr, "another digest");
    check_same(queries[2].address, nullptr, "another scope");
    check_eq(queries[1].reference.place, 0u, "no reference");
    const void* at = nullptr;
    size_t length = 0;
    check_ok(pair.ops().resolve(pair.store.get(), queries[0].reference, &at, &length), "resolve");
    check_same(at, memory.data() + 2 * 4096, "where it lies");
    check_eq(length, 4096u, "its length");
    check_ok(pair.ops().hold(pair.store.get(), queries[0].reference), "hold");
    check_ok(pair.ops().release(pair.store.get(), queries[0].reference), "release");
    check_ret(pair.ops().release(pair.store.get(), queries[0].reference), -FI_ENOENT,
              "release of what is not held");
    // Overwritten: a miss, and the others stay.
    from = filled(100, 2);
    write(2 * 4096 + 17);
    check_ret(pair.ops().resolve(pair.store.get(), queries[0].reference, &at, &length), -FI_ENOENT,
              "resolve what was overwritten");
    check_ret(pair.ops().hold(pair.store.get(), queries[0].reference), -FI_ENOENT, "hold it");
    check_ok(pair.ops().resolve(pair.store.get(), first[1].reference, &at, &length), "another");
    fi_rill_store_statistics s{};
    s.size = sizeof s;
    check_ok(pair.ops().statistics(pair.store.get(), &s), "statistics");
    check_eq(s.size, sizeof s, "bytes filled in");
    check_eq(s.bytes, 2 * 16384u + 100, "bytes digested");
    check_eq(s.chunks, 9u, "chunks");
    check_eq(s.duplicates, 4u, "duplicates");
    check_eq(s.duplicate_bytes, 16384u, "duplicate bytes");
    check_eq(s.records_dropped, 0u, "records dropped");
    check(s.overwritten >= 1, "overwritten");
}

// A hit across scopes would tell one user what another has.
void scopes_are_apart() {
    only_rill("an extension of rill");
    Side side;
    fi_rill_ops_dedup& ops = dedup_of(side.domain);
    Store store = open_store(side.domain, store_attr(FI_RILL_SHA256, 4096));
    RecordRing ring = open_ring(side.domain);
    Bytes memory(1 << 16);
    const Target target(side, memory.data(), memory.size());
    check_ok(ops.attach(store.get(), nullptr, target.mr.id(), 0), "attach without a ring");
    fill(memory, 1);
    std::memcpy(memory.data() + 32768, memory.data(), 32768);
    check_ok(ops.submit(store.get(), ring.get(), 1, 11, memory.data(), 32768), "submit");
    for (const fi_rill_record& r : read_all(side.domain, ring)) {
        check_eq(r.flags & FI_RILL_DUPLICATE, 0u, "new");
        check_eq(r.stream, 11u, "the stream's name");
        check(r.reference.place != 0, "kept");
    }
    check_ok(ops.submit(store.get(), ring.get(), 2, 12, memory.data() + 32768, 32768), "submit");
    for (const fi_rill_record& r : read_all(side.domain, ring))
        check_eq(r.flags & FI_RILL_DUPLICATE, 0u, "new in the other scope");
    // Of both scopes, one after the other.
    Bytes copy(memory.begin(), memory.begin() + 32768);
    for (const uint32_t scope : {1u, 2u, 3u}) {
        check_ok(ops.submit(store.get(), ring.get(), scope, 1, copy.data(), copy.size()), "submit");
        for (const fi_rill_record& r : read_all(side.domain, ring))
            check_eq((r.flags & FI_RILL_DUPLICATE) != 0, scope != 3, "known in its scope");
    }
    Bytes zeros(8192);
    check_ok(ops.submit(store.get(), ring.get(), 1, 2, zeros.data(), zeros.size()), "submit");
    for (const fi_rill_record& r : read_all(side.domain, ring))
        check(r.flags & FI_RILL_ZERO, "zeros");
    check_ok(ops.submit(store.get(), ring.get(), 1, 2, nullptr, 0), "submit nothing");
    check_eq(read_all(side.domain, ring).size(), 1u, "one empty chunk");
}

// Dropped records are told of once, and the data is there all the same.
void a_full_ring() {
    only_rill("an extension of rill");
    Pair pair;
    fi_rill_ops_dedup& ops = dedup_of(pair.b().domain);
    Store store = open_store(pair.b().domain, store_attr(FI_RILL_XXH3_128, 64));
    RecordRing ring = open_ring(pair.b().domain, FI_RILL_RING_MIN);
    check_ok(ops.attach(store.get(), ring.get(), pair.b().ep.id(), 0), "attach");
    Bytes from = filled(100 * 64, 1), into(from.size());
    Op sent, received;
    Transfer in = transfer(Kind::tagged, into, FI_ADDR_UNSPEC, &received);
    in.form = Form::message;
    in.flags = FI_COMPLETION | FI_RILL_REPORT_CHUNKS;
    pair.post([&] { return receive(pair.b(), in); });
    pair.post([&] { return send(pair.a(), transfer(Kind::tagged, from, pair.to_b(), &sent)); });
    pair.received(1);
    check_filled(into.data(), into.size(), 1);
    fi_rill_record r;
    check_ret(ops.ring_read(ring.get(), &r, 1), -FI_EOVERRUN, "records were dropped");
    check_eq(read_all(pair.b().domain, ring).size(), size_t{FI_RILL_RING_MIN}, "what had room");
    fi_rill_store_statistics s{};
    s.size = sizeof s;
    check_ok(ops.statistics(store.get(), &s), "statistics");
    check_eq(s.records_dropped, 100u - FI_RILL_RING_MIN, "records dropped");
    pair.b().ep = {};
}

void a_ring_wakes(fi_progress progress) {
    only_rill("an extension of rill");
    Config config;
    config.progress = progress;
    Reporting pair(store_attr(FI_RILL_SHA256, 4096), config);
    RecordRing waiting = open_ring(pair.b().domain, 0, FI_WAIT_FD);
    check_ok(pair.ops().detach(pair.b().ep.id()), "detach");
    check_ok(pair.ops().attach(pair.store.get(), waiting.get(), pair.b().ep.id(), 0), "attach");
    int fd = -1;
    check_ok(fi_control(waiting.id(), FI_GETWAIT, &fd), "FI_GETWAIT");
    pollfd on = {.fd = fd, .events = POLLIN, .revents = 0};
    check_eq(poll(&on, 1, 0), 0, "nothing yet");
    Bytes from = filled(20000, 1), into(from.size());
    Op sent, received;
    Transfer in = transfer(Kind::tagged, into, FI_ADDR_UNSPEC, &received);
    in.form = Form::message;
    in.flags = FI_COMPLETION | FI_RILL_REPORT_CHUNKS;
    pair.post([&] { return receive(pair.b(), in); });
    fi_rill_record r;
    check_ret(pair.ops().ring_read(waiting.get(), &r, 1), -FI_EAGAIN, "nothing yet");
    pair.post([&] { return send(pair.a(), transfer(Kind::tagged, from, pair.to_b(), &sent)); });
    // Only the sender's program works from here on.
    pair.a().until("the receiver's ring wakes", [&] { return poll(&on, 1, 1) == 1; });
    check_ok(fi_control(waiting.id(), FI_GETWAIT, &fd), "FI_GETWAIT");
    pair.received(1);
    check_records(read_all(pair.b().domain, waiting), pair.attr, into.data(), into.size());
    check_eq(poll(&on, 1, 0), 0, "nothing any more");
    pair.b().ep = {};
}

} // namespace
} // namespace functional

using namespace functional;

int main(int argc, char** argv) {
    std::vector<Case> cases;
    for (const auto digest : {FI_RILL_XXH3_128, FI_RILL_SHA256})
        for (const Kind kind : {Kind::msg, Kind::tagged})
            for (const bool unexpected : {false, true})
                cases.push_back({std::string("D3 D4 records of messages: ") + name_of(kind) +
                                     (digest == FI_RILL_SHA256 ? ", SHA-256" : ", XXH3-128") +
                                     (unexpected ? ", unexpected" : ", posted ahead"),
                                 [=] { messages_of_all_sizes(digest, kind, unexpected); }});
    const std::vector<Case> more = {
        {"D3 D4 chunks of 64 bytes", chunks_of_64_bytes},
        {"keyed digests", keyed_digests},
        {"content-defined chunks: gear", [] { content_defined(FI_RILL_CHUNK_GEAR); }},
        {"content-defined chunks: extremum", [] { content_defined(FI_RILL_CHUNK_EXTREMUM); }},
        {"D5 duplicates and references: SHA-256",
         [] { duplicates_and_references(FI_RILL_SHA256); }},
        {"D5 duplicates and references: XXH3-128",
         [] { duplicates_and_references(FI_RILL_XXH3_128); }},
        {"scopes, and memory that is submitted", scopes_are_apart},
        {"a full ring drops records, not data", a_full_ring},
        {"a ring wakes: manual progress", [] { a_ring_wakes(FI_PROGRESS_MANUAL); }},
        {"a ring wakes: automatic progress", [] { a_ring_wakes(FI_PROGRESS_AUTO); }},
    };
    cases.insert(cases.end(), more.begin(), more.end());
    add_dedup_misuse_cases(cases);
    return run_cases(argc, argv, cases);
}
