// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Chunks of what is placed, over whole stacks on a network that loses, doubles and reorders packets:
// whichever way a message takes into its buffer, all of its records are there before its completion,
// and are those of a computation over the buffer in one go.
#include "dedup/sha256.hpp"
#include "test/dedup/data.hpp"
#include "test/rdm/hosts.hpp"

#include <criterion/criterion.h>

using namespace rill;
using namespace rill::test;
using dedup::Record;
using dedup::test::mixed_bytes;
using dedup::test::random_bytes;

namespace {

constexpr dedup::ChunkLimits kFixed = {4096, 4096, 4096};
constexpr dedup::ChunkLimits kByContent = {512, 2048, 8192};

rdm::DedupStoreDescription description(dedup::ChunkerKind kind) {
    return {.chunker = kind,
            .digest = dedup::DigestKind::sha256,
            .limits = kind == dedup::ChunkerKind::fixed ? kFixed : kByContent,
            .capacity = 4096,
            .verify = false,
            .key = {}};
}

// A receiver whose completions find out how many records are there.
struct Receiver : Machine {
    struct Counting : rdm::CompletionSink {
        Receiver* self = nullptr;
        std::vector<std::pair<rdm::Completion, uint32_t>> got; // and records in the ring then
        void complete(const rdm::Completion& c) override {
            got.emplace_back(c, self->records().size());
        }
        bool has_room() const override { return true; }
    } counting;

    Receiver(Net& net, uint8_t host, dedup::ChunkerKind kind) : Machine(net, host), kind(kind) {
        counting.self = this;
        cr_assert(is_ok(module.dedup().open_store(description(kind), store)));
        cr_assert(is_ok(module.dedup().open_ring(1 << 14, ring)));
        cr_assert(is_ok(module.dedup().attach(endpoint->receives(), store, ring, 0)));
    }
    ~Receiver() {
        module.dedup().detach(endpoint->receives());
        module.dedup().close_ring(ring);
        module.dedup().close_store(store);
    }
    dedup::RecordMemory& records() { return module.dedup().records(ring); }
    std::vector<Record> take_records() {
        std::vector<Record> out;
        for (; !records().empty(); records().pop())
            out.push_back(records().front());
        return out;
    }
    Status take(std::span<std::byte> into, uint64_t tag, bool multi = false) {
        const iovec v{into.data(), into.size()};
        rdm::RecvRequest r;
        r.iov = &v;
        r.iov_count = 1;
        r.tag = tag;
        r.tagged = !multi;
        r.multi = multi;
        r.sink = &counting;
        r.chunks = true;
        return endpoint->receive(r, net.now);
    }

    dedup::ChunkerKind kind;
    uint64_t store = 0, ring = 0;
};

Status send(Machine& from, rdm::SourceId to, std::span<const std::byte> data, uint64_t tag,
            bool tagged = true) {
    const iovec v{const_cast<std::byte*>(data.data()), data.size()};
    rdm::SendRequest r;
    r.iov = &v;
    r.iov_count = 1;
    r.destination = to;
    r.tag = tag;
    r.tagged = tagged;
    return from.endpoint->send(r, from.net.now);
}

// Records of one transfer, against the bytes that lie there now.
void check(std::span<const Record> records, dedup::ChunkerKind kind,
           std::span<const std::byte> data, uint64_t origin, const char* what) {
    dedup::Chunker chunker;
    cr_assert(is_ok(dedup::Chunker::make(kind, description(kind).limits, dedup::Cpu{}, chunker)));
    const dedup::Sha256 sha256(dedup::Cpu{});
    dedup::CutState state = chunker.start(origin);
    uint32_t sequence = 0;
    for (const Record& r : records) {
        const dedup::Cut cut = chunker.next(state, data);
        cr_assert_eq(r.sequence, sequence++, "%s", what);
        cr_assert_eq(r.stream, records[0].stream, "%s", what);
        cr_assert_eq(r.length, cut.bytes, "%s", what);
        cr_assert(r.digest == sha256.of(data.first(cut.bytes)), "%s", what);
        if (r.length > 0) cr_assert_eq(r.address, reinterpret_cast<uintptr_t>(data.data()));
        data = data.subspan(cut.bytes);
    }
    cr_assert(data.empty(), "%s: %zu bytes without a record", what, data.size());
}

constexpr size_t kSizes[] = {0, 1, 64, 1000, 4096, 8192, 9000, 30000, 70000, 1 << 20};
constexpr dedup::ChunkerKind kKinds[] = {dedup::ChunkerKind::fixed, dedup::ChunkerKind::gear,
                                         dedup::ChunkerKind::extremum};

// `posted_after`: how long the message is there before its receive.
void check_messages(Duration posted_after, const char* what) {
    for (const dedup::ChunkerKind kind : kKinds) {
        Net net(7);
        net.weather = {.loss = 0.05, .dup = 0.05, .reorder = 0.2};
        Machine a(net, 1);
        Receiver b(net, 2, kind);
        const rdm::SourceId to_b = a.name(2);
        b.name(1);
        for (const size_t size : kSizes) {
            const auto data = mixed_bytes(size, size + 1);
            std::vector<std::byte> room(size);
            b.counting.got.clear();
            if (posted_after == Duration::zero()) cr_assert(is_ok(b.take(room, size)));
            cr_assert(is_ok(send(a, to_b, data, size)));
            if (posted_after > Duration::zero()) {
                pass(net, posted_after, a, b);
                cr_assert(is_ok(b.take(room, size)));
            }
            for (int i = 0; i < 200 && b.counting.got.empty(); ++i)
                pass(net, 5ms, a, b);
            cr_assert_eq(b.counting.got.size(), 1u, "%s, %zu B", what, size);
            const auto records = b.take_records();
            cr_assert_eq(b.counting.got[0].second, records.size(), "%s, %zu B", what, size);
            cr_assert(room == data);
            check(records, kind, room, 0, what);
        }
        pass(net, 100ms, a, b);
    }
}

} // namespace

Test(dedup, d3_d4_records_of_a_posted_receive_are_there_before_its_completion) {
    check_messages(Duration::zero(), "posted ahead");
}

Test(dedup, d3_d4_records_of_a_message_that_came_unexpected) {
    check_messages(100ms, "unexpected");
}

Test(dedup, d3_d4_records_of_a_message_that_is_half_there_when_it_is_received) {
    for (const Duration d : {60us, 120us, 200us})
        check_messages(d, "half there");
}

// A message longer than its buffer: what was placed is reported.
Test(dedup, a_truncated_message_reports_what_was_placed) {
    for (const Duration after : {Duration(0), Duration(20ms)}) {
        Net net(3);
        Machine a(net, 1);
        Receiver b(net, 2, dedup::ChunkerKind::fixed);
        const rdm::SourceId to_b = a.name(2);
        const auto data = random_bytes(200000, 4);
        for (const size_t room_bytes : {size_t{0}, size_t{100}, size_t{5000}, size_t{150000}}) {
            std::vector<std::byte> room(room_bytes);
            b.counting.got.clear();
            if (after == Duration(0)) cr_assert(is_ok(b.take(room, room_bytes)));
            cr_assert(is_ok(send(a, to_b, data, room_bytes)));
            pass(net, 20ms, a, b);
            if (after > Duration(0)) cr_assert(is_ok(b.take(room, room_bytes)));
            pass(net, 100ms, a, b);
            cr_assert_eq(b.counting.got.size(), 1u);
            cr_assert_eq(b.counting.got[0].first.status, Status::truncated);
            check(b.take_records(), b.kind, room, 0, "truncated");
        }
    }
}

// Messages that share a buffer have streams of their own.
Test(dedup, multi_receive_reports_message_by_message) {
    Net net(5);
    Machine a(net, 1);
    Receiver b(net, 2, dedup::ChunkerKind::gear);
    const rdm::SourceId to_b = a.name(2);
    std::vector<std::byte> room(100000);
    cr_assert(is_ok(b.take(room, 0, true)));
    std::vector<std::vector<std::byte>> sent;
    for (const size_t size : {100, 20000, 5000}) {
        sent.push_back(mixed_bytes(size, size));
        cr_assert(is_ok(send(a, to_b, sent.back(), 0, false)));
        pass(net, 20ms, a, b);
    }
    const auto records = b.take_records();
    auto begin = records.begin();
    size_t at = 0;
    for (const auto& data : sent) {
        const auto end = std::find_if(begin, records.end(),
                                      [&](const Record& r) { return r.stream != begin->stream; });
        check({begin, end}, b.kind, std::span(room).subspan(at, data.size()), 0, "multi");
        at += data.size();
        begin = end;
    }
    cr_assert(begin == records.end());
}

// Peers' writes into an attached region, unaligned, in one packet and in many; chunks are known when
// they come again, and not any more when their memory is overwritten, by a message too.
Test(dedup, d5_writes_into_an_attached_region) {
    Net net(9);
    net.weather = {.loss = 0.05, .dup = 0.05, .reorder = 0.2};
    Machine a(net, 1);
    Receiver b(net, 2, dedup::ChunkerKind::fixed);
    const rdm::SourceId to_b = a.name(2);
    b.name(1);
    std::vector<std::byte> memory(1 << 20);
    const iovec piece{memory.data(), memory.size()};
    uint64_t key = 5;
    cr_assert(is_ok(b.module.driver().register_memory(
        key, false, {.pieces = &piece, .count = 1, .readable = true, .writable = true})));
    cr_assert(is_ok(b.module.dedup().attach(key, b.store, b.ring, 0)));
    const auto data = random_bytes(256 << 10, 1);
    const auto write = [&](size_t at, size_t bytes) {
        const iovec v{const_cast<std::byte*>(data.data()), bytes};
        const rdm::RemoteMemory range{at, bytes, key};
        rdm::RmaRequest r;
        r.iov = &v;
        r.iov_count = 1;
        r.ranges = &range;
        r.range_count = 1;
        r.destination = to_b;
        a.tx.got.clear();
        cr_assert(is_ok(a.endpoint->rma(r, net.now)));
        for (int i = 0; i < 200 && a.tx.got.empty(); ++i)
            pass(net, 5ms, a, b);
        cr_assert_eq(a.tx.got.size(), 1u);
        cr_assert(is_ok(a.tx.got[0].status));
        const auto records = b.take_records();
        check(records, b.kind, std::span(memory).subspan(at, bytes), at, "write");
        return records;
    };
    for (const Record& r : write(0, data.size()))
        cr_assert(!(r.flags & dedup::kDuplicate));
    for (const Record& r : write(512 << 10, data.size()))
        cr_assert(r.flags & dedup::kDuplicate);
    write(4095, 100);
    write(100, 20000);
    for (const Record& r : write(768 << 10, data.size()))
        cr_assert_eq((r.flags & dedup::kDuplicate) != 0,
                     r.address - reinterpret_cast<uintptr_t>(memory.data()) >= (768u << 10) + 20480,
                     "%lu", r.address - reinterpret_cast<uintptr_t>(memory.data()));
    // A plain receive into the region takes what lay there.
    nic::DedupStatistics before, after;
    cr_assert(is_ok(b.module.dedup().statistics(b.store, before)));
    std::string text(30000, 'x'), into(1, '-');
    const iovec v{memory.data() + (64 << 10), text.size()};
    rdm::RecvRequest r;
    r.iov = &v;
    r.iov_count = 1;
    r.tagged = true;
    cr_assert(is_ok(b.endpoint->receive(r, net.now)));
    cr_assert(is_ok(a.send(to_b, text, 0)));
    pass(net, 200ms, a, b);
    cr_assert(is_ok(b.module.dedup().statistics(b.store, after)));
    cr_assert_gt(after.overwritten, before.overwritten);
    cr_assert_eq(after.chunks, before.chunks, "nobody asked for records");
    b.module.dedup().detach(key);
    b.module.driver().deregister_memory(key, net.now);
}

// A peer that dies in the middle of a message and of a write: nothing is left of either.
Test(dedup, d6_streams_end_with_their_peer) {
    Net net(2);
    auto a = std::make_unique<Machine>(net, 1);
    Receiver b(net, 2, dedup::ChunkerKind::fixed);
    const rdm::SourceId to_b = a->name(2);
    b.name(1);
    const auto data = random_bytes(4 << 20, 1);
    std::vector<std::byte> room(data.size());
    cr_assert(is_ok(b.take(room, 1)));
    cr_assert(is_ok(send(*a, to_b, data, 1)));
    pass(net, 400us, *a, b);
    cr_assert(b.counting.got.empty());
    cr_assert_gt(b.records().size(), 0u, "some of it has been chunked");
    net.drop = [](const Net::Packet&) { return true; };
    for (int i = 0; i < 2000 && b.counting.got.empty(); ++i)
        pass(net, 10ms, b);
    cr_assert_eq(b.counting.got.size(), 1u);
    cr_assert(!is_ok(b.counting.got[0].first.status));
    cr_assert_eq(b.card.device().dedup()->transfers(), 0u);
}

// After a reset stores are there again, empty, and records go on.
Test(dedup, a_reset_device_has_its_stores_again) {
    Net net(4);
    Machine a(net, 1);
    Receiver b(net, 2, dedup::ChunkerKind::fixed);
    const auto data = random_bytes(50000, 1);
    std::vector<std::byte> room(data.size());
    for (const bool again : {false, true}) {
        if (again) {
            cr_assert(is_ok(b.module.reset_device(net.now)));
            std::string word(10, '-');
            cr_assert(is_ok(a.receive(word, 2)));
            cr_assert(is_ok(b.send(b.name(1), "here again", 2)));
            pass(net, 50ms, a, b);
        }
        b.counting.got.clear();
        cr_assert(is_ok(b.take(room, 1)));
        const rdm::SourceId to_b = a.name(2);
        for (int i = 0; i < 500 && b.counting.got.empty(); ++i) {
            if (i % 100 == 0) (void)send(a, to_b, data, 1); // the first may end with the old device
            pass(net, 20ms, a, b);
        }
        cr_assert_gt(b.counting.got.size(), 0u);
        check(b.take_records(), b.kind, room, 0, "after a reset");
    }
}
