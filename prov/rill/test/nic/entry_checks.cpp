// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Entries that a fuzzer has crashed the device with, and their honest neighbours.
#include "nic/entry_checks.hpp"

#include <criterion/criterion.h>

using namespace rill;
using namespace rill::nic;

namespace {

std::byte memory[1024];
const iovec kList[2] = {{memory, 300}, {memory + 512, 100}};

SendEntry send(SendOp op, uint64_t length, uint8_t count = 2) {
    SendEntry e;
    e.op = op;
    e.length = length;
    e.iov = kList;
    e.iov_count = count;
    return e;
}

RemoteRange range(uint64_t length, uint64_t total, uint64_t offset = 0) {
    RemoteRange r;
    r.length = length;
    r.total = total;
    r.offset = offset;
    r.op = wire::AtomicOp::sum;
    r.type = wire::AtomicType::uint64;
    r.kind = wire::AtomicKind::base;
    return r;
}

bool sound(SendEntry e, RemoteRange r) {
    e.remote = &r;
    return is_sound(e);
}

} // namespace

Test(entry_checks, operations_that_are_none_of_a_hosts) {
    for (unsigned op = 0; op < 256; ++op) {
        SendEntry e = send(static_cast<SendOp>(op), 8);
        RemoteRange r = range(8, 8);
        wire::GrantId id;
        if (e.op == SendOp::open_fetch)
            e.fetch = &id;
        else if (e.op == SendOp::write || e.op == SendOp::read || e.op == SendOp::atomic)
            e.remote = &r;
        const bool known = op >= 1 && op <= 13 && e.op != SendOp::answer;
        cr_assert_eq(is_sound(e), known, "send %u", op);
        e.flags = kSendFetch; // what marks the device's own answers to reads
        cr_assert_not(is_sound(e), "send %u", op);
        ReceiveEntry q;
        q.op = static_cast<ReceiveOp>(op);
        cr_assert_eq(is_sound(q), op >= 1 && op <= 10, "receive %u", op);
    }
}

Test(entry_checks, lists_hold_what_the_entry_speaks_of) {
    cr_assert(is_sound(send(SendOp::message, 400)));
    cr_assert_not(is_sound(send(SendOp::message, 401)));
    cr_assert_not(is_sound(send(SendOp::message, 301, 1)));
    cr_assert(is_sound(send(SendOp::message, 0, 0)));
    cr_assert_not(is_sound(send(SendOp::message, 1, 0)));
    SendEntry e = send(SendOp::message, 0);
    e.iov = nullptr;
    cr_assert_not(is_sound(e), "a list that is not there");
    e = send(SendOp::granted, 100);
    e.tag = 300;
    cr_assert(is_sound(e));
    e.tag = 301;
    cr_assert_not(is_sound(e));
    e.tag = UINT64_MAX;
    cr_assert_not(is_sound(e), "a sum that wraps");
    cr_assert_not(is_sound(send(SendOp::granted, 0)), "it would never end");
}

Test(entry_checks, copied_payload_is_short) {
    SendEntry e = send(SendOp::message, 256);
    e.flags = kSendInline;
    cr_assert(is_sound(e));
    e.length = 257; // fits into no packet: nothing behind it would ever leave
    cr_assert_not(is_sound(e));
    e.op = SendOp::write;
    cr_assert_not(sound(e, range(257, 257)));
}

Test(entry_checks, ranges_lie_in_their_operation) {
    const SendEntry w = send(SendOp::write, 100);
    cr_assert(sound(w, range(100, 400, 300)));
    cr_assert_not(sound(w, range(100, 400, 301)));
    cr_assert_not(sound(w, range(99, 400)));
    cr_assert_not(sound(w, range(100, 99)));
    cr_assert_not(sound(w, range(100, UINT64_MAX, 350)), "beyond the list");
    SendEntry without = w;
    without.remote = nullptr;
    cr_assert_not(is_sound(without));
    cr_assert_not(sound(send(SendOp::read, UINT64_MAX), range(UINT64_MAX, 8)));
}

Test(entry_checks, atomic_operations_exist_and_have_operands) {
    cr_assert(sound(send(SendOp::atomic, 8), range(8, 256, 248)));
    cr_assert_not(sound(send(SendOp::atomic, 8), range(8, 264)), "more than a packet takes");
    cr_assert_not(sound(send(SendOp::atomic, 0), range(0, 8)));
    cr_assert_not(sound(send(SendOp::atomic, 12), range(12, 12)), "one and a half elements");
    cr_assert_not(sound(send(SendOp::atomic, 8, 0), range(8, 8)), "no operands");
    RemoteRange r = range(8, 8);
    r.op = static_cast<wire::AtomicOp>(200);
    cr_assert_not(sound(send(SendOp::atomic, 8), r));
    r = range(uint64_t{1} << 40, uint64_t{1} << 40);
    cr_assert_not(sound(send(SendOp::atomic, uint64_t{1} << 40), r), "nobody allocates that");
}

Test(entry_checks, a_multi_receive_has_one_buffer) {
    ReceiveEntry e;
    e.op = ReceiveOp::post;
    e.flags = kReceiveMulti;
    e.iov = kList;
    for (uint8_t count : {0, 1, 2}) {
        e.iov_count = count;
        cr_assert_eq(is_sound(e), count == 1);
    }
}
