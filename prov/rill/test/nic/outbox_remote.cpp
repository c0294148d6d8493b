// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "nic/outbox.hpp"
#include "nic/remote_checks.hpp"

#include <criterion/criterion.h>

#include <algorithm>
#include <vector>

using namespace rill;
using namespace rill::nic;
using transport::Outgoing;

namespace {

SendWork& set_remote(SendWork& w, SendOp op, uint64_t length) {
    w.entry.op = op;
    w.entry.flow = 5;
    w.entry.msg_no = 6;
    w.entry.length = length;
    w.remote = 1;
    w.remote_work = std::make_unique<RemoteWork>();
    RemoteRange& r = w.remote_work->range;
    r.key = 0x1122334455667788;
    r.address = 4096;
    r.length = r.total = length;
    return w;
}

wire::RecordView only_record(const Outgoing& p, size_t payload) {
    // What the slice holds follows on the wire.
    std::vector<std::byte> bytes(p.copied_bytes + p.slice.bytes);
    std::copy_n(p.copied, p.copied_bytes, bytes.begin());
    wire::RecordReader reader(bytes);
    wire::RecordView r;
    cr_assert(reader.next(r));
    cr_assert_eq(r.payload.size(), payload);
    cr_assert(remote_bounds_ok(r));
    r.payload = {};
    wire::RecordView none;
    cr_assert(!reader.next(none) && reader.ok());
    return r;
}

} // namespace

// Every piece says by itself where it goes.
Test(outbox_remote, a_write_is_cut_into_self_contained_records) {
    std::vector<std::byte> data(5000);
    iovec iov{data.data(), data.size()};
    SendWork w;
    set_remote(w, SendOp::write, 5000);
    w.entry.flags = kSendImmediate;
    w.entry.immediate = 77;
    w.entry.iov = &iov;
    w.entry.iov_count = 1;
    uint64_t next = 0;
    while (!w.cut) {
        Outgoing p;
        cr_assert(put_write_piece(p, 1400, w));
        const wire::RecordView r = only_record(p, p.slice.bytes);
        cr_assert_eq(r.type, wire::RecordType::write);
        cr_assert_eq(r.write.key, 0x1122334455667788u);
        cr_assert_eq(r.write.offset, next);
        cr_assert_eq(r.write.length, 5000u);
        cr_assert_eq(r.immediate, 77u);
        cr_assert_eq(p.slice.offset, next);
        next += p.slice.bytes;
    }
    cr_assert_eq(next, 5000u);
}

// The largest records fit into what the smallest packet leaves beside header and hello.
Test(outbox_remote, the_largest_small_records_fit_into_the_smallest_packet) {
    constexpr size_t kRoom = 512 - sizeof(wire::Header) - sizeof(wire::Hello);
    std::vector<std::byte> data(wire::kAtomicBytesMax);
    iovec iov{data.data(), data.size()};
    SendWork write;
    set_remote(write, SendOp::write, data.size());
    write.entry.flags = kSendInline | kSendImmediate;
    write.entry.iov = &iov;
    write.entry.iov_count = 1;
    Outgoing p;
    cr_assert(put_inline_write(p, kRoom, write));
    only_record(p, data.size());

    SendWork atomic;
    set_remote(atomic, SendOp::atomic, data.size());
    atomic.remote_work->range.op = wire::AtomicOp::sum;
    atomic.remote_work->bytes = data;
    Outgoing q;
    cr_assert(put_atomic(q, kRoom, atomic));
    const wire::RecordView r = only_record(q, data.size());
    cr_assert_eq(r.atomic.op, wire::AtomicOp::sum);
}

Test(outbox_remote, records_that_promise_what_they_do_not_hold_are_malformed) {
    wire::RecordView r;
    std::vector<std::byte> payload(16);
    r.type = wire::RecordType::write;
    r.payload = payload;
    r.write = {};
    r.write.length = r.write.total = 16;
    cr_assert(remote_bounds_ok(r));
    r.write.offset = 1;
    cr_assert_not(remote_bounds_ok(r), "bytes behind the range");
    r.write.offset = UINT64_MAX - 3;
    cr_assert_not(remote_bounds_ok(r));
    r.write.offset = 0;
    r.write.total = 15;
    cr_assert_not(remote_bounds_ok(r), "a range longer than the operation");

    wire::Atomic a;
    a.op = wire::AtomicOp::cswap;
    a.type = wire::AtomicType::uint64;
    a.kind = wire::AtomicKind::compare;
    a.length = a.total = 8;
    cr_assert(atomic_bounds_ok(a, 16));
    cr_assert_not(atomic_bounds_ok(a, 8), "nothing to compare with");
    a.kind = wire::AtomicKind::fetch;
    cr_assert_not(atomic_bounds_ok(a, 8), "a form that the operation does not have");
    a.op = wire::AtomicOp::sum;
    cr_assert(atomic_bounds_ok(a, 8));
    a.length = a.total = 12;
    cr_assert_not(atomic_bounds_ok(a, 12), "half an element");
    a.length = a.total = 2 * wire::kAtomicBytesMax;
    cr_assert_not(atomic_bounds_ok(a, a.length), "too long");
    a.type = static_cast<wire::AtomicType>(16);
    a.length = a.total = 8;
    cr_assert_not(atomic_bounds_ok(a, 8), "an unknown type");
}
