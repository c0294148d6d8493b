// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Looking at unexpected messages, holding and dropping them.
#include "rdm/address_vector.hpp"
#include "rdm/module.hpp"
#include "rdm/receive_side.hpp"

namespace rill::rdm {

void ReceiveSide::report_peek(const PeekRequest& r, const Arrival* a) {
    Completion c;
    c.context = r.context;
    c.kinds = kRecv | kPeek | (r.tagged ? kTaggedKind : kMsg);
    c.status = a ? Status::ok : Status::not_found;
    c.tag = r.tag;
    if (a) {
        c.length = a->total;
        c.tag = a->tag;
        c.source = a->flow->source;
        c.data = a->data;
        if (a->flags & nic::kEntryImmediate) c.kinds |= kRemoteData;
    }
    report(c);
}

Status ReceiveSide::peek(const PeekRequest& r, Instant now) {
    module_.progress(now, false); // what has arrived by now must be seen
    if (!has_room()) return Status::again;
    Arrival* a = find_unexpected(r.tagged, r.tag, r.ignore, r.source);
    report_peek(r, a);
    if (!a) return Status::ok;
    if (r.discard) {
        ArrivalQueue::remove(*a);
        discard(*a, now);
    } else if (r.claim) {
        ArrivalQueue::remove(*a);
        a->state = Arrival::State::claimed;
        a->claim = r.context;
        claimed_.push_back(*a);
    }
    return Status::ok;
}

Status ReceiveSide::receive_claimed(const RecvRequest& r, bool drop, Instant now) {
    Arrival* a = claimed_.front();
    while (a && (a->claim != r.context || a->tagged() != r.tagged))
        a = claimed_.next(*a);
    if (!a) return Status::not_found;
    if (!has_room()) return Status::again;
    if (drop) {
        Completion c;
        c.context = r.context;
        c.kinds = kRecv | (r.tagged ? kTaggedKind : kMsg);
        c.tag = a->tag;
        c.source = a->flow->source;
        discard(*a, now);
        c.report = r.report;
        report(c);
        return Status::ok;
    }
    if (r.iov_count > kIovMax) return Status::invalid;
    ReceiveOperation* op = make_operation(r);
    if (!op) return Status::again;
    ArrivalQueue::remove(*a);
    assign(*a, *op, now);
    return Status::ok;
}

} // namespace rill::rdm
