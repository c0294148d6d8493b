// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "nic/outbox.hpp"

#include <criterion/criterion.h>

#include <vector>

using namespace rill;
using namespace rill::nic;
using transport::Outgoing;

namespace {

// Takes packets out of an outbox until it is empty, with `limit` record bytes in each.
struct Drain {
    Outbox& box;
    size_t limit;
    std::vector<SendWork*> finished;

    bool next(Outgoing& p, bool flush = true) {
        return box.fill(p, limit, flush, [this](SendWork& w) { finished.push_back(&w); });
    }
};

SendWork& set_message(SendWork& w, iovec* iov, uint64_t length, bool is_inline) {
    w.entry.op = SendOp::message;
    w.entry.flags = is_inline ? kSendInline : 0;
    w.entry.length = length;
    w.entry.count = static_cast<uint32_t>(length);
    w.entry.iov = iov;
    w.entry.iov_count = 1;
    w.remote = 1;
    return w;
}

} // namespace

Test(outbox, bulk_is_cut_into_full_packets_without_a_copy) {
    Outbox box(nullptr);
    std::vector<char> data(10000);
    iovec iov{data.data(), data.size()};
    SendWork w;
    box.add_bulk(set_message(w, &iov, data.size(), false));
    Drain drain{box, 1400, {}};
    uint64_t sliced = 0;
    unsigned packets = 0;
    for (Outgoing p; drain.next(p); p.~Outgoing(), new (&p) Outgoing) {
        cr_assert_eq(p.slice.offset, sliced);
        cr_assert_eq(p.owner, &w);
        sliced += p.slice.bytes;
        ++packets;
        bool last = sliced == data.size();
        cr_assert_eq(w.cut, last);
        if (!last) cr_assert_eq(p.copied_bytes + p.slice.bytes, 1400, "equal sizes, for trains");
    }
    cr_assert_eq(sliced, data.size());
    cr_assert_eq(w.packets, packets);
}

Test(outbox, small_messages_share_a_packet_and_pass_bulk) {
    Outbox box(nullptr);
    std::vector<char> data(100000);
    iovec big{data.data(), data.size()}, small{data.data(), 8};
    SendWork bulk, a, b;
    box.add_bulk(set_message(bulk, &big, data.size(), false));
    box.add_small(set_message(a, &small, 8, true));
    box.add_small(set_message(b, &small, 8, true));
    Drain drain{box, 1400, {}};
    Outgoing start, shared;
    cr_assert(drain.next(start));
    cr_assert_eq(drain.finished.size(), 0u, "messages start in order");
    cr_assert_eq(wire::load<wire::Message>(start.copied).total, data.size());
    cr_assert(drain.next(shared));
    cr_assert_eq(drain.finished.size(), 2u, "once it has started, they pass it");
    cr_assert_gt(shared.slice.bytes, 1000u, "and bulk fills the rest");
}

Test(outbox, notices_wait_for_company_and_run_together) {
    Outbox box(nullptr);
    SendWork w;
    w.entry.op = SendOp::done;
    w.entry.msg_no = 4;
    w.entry.count = 1;
    w.remote = 9;
    box.add_notice(w);
    cr_assert(box.extend_notice(9, 5, 0, true));
    cr_assert_not(box.extend_notice(9, 7, 0, true), "not the next one");
    cr_assert_not(box.extend_notice(8, 6, 0, true), "another flow");
    cr_assert_not(box.extend_notice(9, 6, 3, true), "another status");
    Drain drain{box, 1400, {}};
    Outgoing p;
    cr_assert_not(drain.next(p, false));
    cr_assert(drain.next(p, true));
    auto done = wire::load<wire::Done>(p.copied);
    cr_assert_eq(done.msg_no, 4u);
    cr_assert_eq(done.count, 2u);
}

// They let packets pass, but not for ever; and one that is awaited takes them along.
Test(outbox, notices_that_nobody_waits_for_go_together) {
    for (const bool awaited : {false, true}) {
        Outbox box(nullptr);
        iovec none{};
        SendWork notice;
        notice.entry.op = SendOp::done;
        notice.entry.flags = kSendUnawaited;
        notice.entry.count = 1;
        box.add_notice(notice);
        Drain drain{box, 1400, {}};
        size_t packets = 0;
        for (bool gone = false; !gone; ++packets) {
            cr_assert_lt(packets, 100u);
            if (packets > 0) // which continues it
                cr_assert(box.extend_notice(0, uint32_t(packets), 0, awaited));
            SendWork w;
            box.add_small(set_message(w, &none, 0, true));
            Outgoing p;
            cr_assert(drain.next(p, false));
            gone = drain.finished.size() > packets + 1;
        }
        cr_assert_eq(packets, awaited ? 2u : 16u);
        cr_assert_eq(notice.entry.count, packets);
    }
}

Test(outbox, a_record_that_does_not_fit_waits_for_the_next_packet) {
    Outbox box(nullptr);
    std::vector<char> data(256);
    iovec iov{data.data(), data.size()};
    SendWork w[4];
    for (auto& each : w)
        box.add_small(set_message(each, &iov, 256, true));
    Drain drain{box, 1400, {}};
    for (int i = 0; i < 4; ++i) {
        Outgoing p;
        cr_assert(drain.next(p));
        cr_assert_eq(drain.finished.size(), size_t(i + 1), "one at a time fits the copied bytes");
    }
    cr_assert(box.empty());
}
