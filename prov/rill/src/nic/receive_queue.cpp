// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The receive queue's work: posted receives, and the software's answers to what came early.
#include "nic/device.hpp"
#include "nic/entry_checks.hpp"

namespace rill::nic {

Fault Device::ring_receive(uint32_t number, uint16_t written) {
    QueuePair& qp = *queue_pairs_[number];
    if (static_cast<uint16_t>(written - qp.receive_head) > kQueueEntries)
        return Fault::bad_doorbell;
    for (; qp.receive_head != written; ++qp.receive_head) {
        const ReceiveEntry& e = qp.memory.receive[qp.receive_head % kQueueEntries];
        if (!is_sound(e)) return Fault::bad_entry;
        switch (e.op) {
        case ReceiveOp::post: post(qp, e); break;
        case ReceiveOp::cancel: cancel(qp, e); break;
        case ReceiveOp::turn: turn(qp, e); break;
        case ReceiveOp::steer:
            if (Inbound* in = inbound_.find(e.inbound)) {
                IovView iov{e.iov, e.iov_count};
                const bool bounced = in->destination == Destination::bounce;
                steer(*in, iov, e.tag, e.minimum, e.request);
                if (dedup_.active()) [[unlikely]]
                    start_chunks(*in, qp, e.flags & kReceiveReport, e.ignore, bounced);
            }
            break;
        case ReceiveOp::drop:
            if (Inbound* in = inbound_.find(e.inbound)) free_inbound(*in);
            break;
        case ReceiveOp::introduce: introduce(e.flow, e.source); break;
        case ReceiveOp::rename:
            if (RxFlow* f = flows_.at(e.flow)) f->source = e.source;
            break;
        case ReceiveOp::release: release_flow(e.flow); break;
        case ReceiveOp::placed:
            if (dedup_.active()) placed_by_host(qp, e);
            break;
        case ReceiveOp::give_back: bounce_.give_back(static_cast<std::byte*>(e.buffer)); break;
        }
    }
    return settle_doorbell();
}

void Device::post(QueuePair& qp, const ReceiveEntry& e) {
    bool tagged = e.flags & kReceiveTagged;
    MatchTable& table = qp.table(tagged);
    // Untagged receives ignore the tag altogether.
    PostedReceive* r =
        tagged ? table.post(e.tag, e.ignore, e.source) : table.post(0, UINT64_MAX, e.source);
    if (!r) { // the host counts what it posts; over its limit it has itself to blame
        log_.print(LogLevel::warn, "receive queue overrun on queue pair %u", qp.number);
        return;
    }
    r->request = e.request;
    r->iov = {e.iov, e.iov_count};
    r->length = total_bytes(r->iov);
    r->multi = e.flags & kReceiveMulti;
    r->reports = e.flags & kReceiveReport;
    r->minimum = e.minimum;
    if (e.flags & kReceiveWatch) {
        r->watched = e.flow;
        watch(e.flow, true);
    }
}

// Nothing is expected any more of whom it waited for.
void Device::unpost(MatchTable& table, PostedReceive& r) {
    const uint32_t watched = r.watched;
    table.remove(r);
    if (watched != UINT32_MAX) watch(watched, false);
}

void Device::cancel(QueuePair& qp, const ReceiveEntry& e) {
    MatchTable& table = qp.table(e.flags & kReceiveTagged);
    PostedReceive* r = table.find_request(e.request);
    if (!r) return;
    unpost(table, *r);
    CompletionEntry& c = new_entry(EntryKind::canceled);
    c.request = e.request;
    push_entry();
}

// An early message's turn: what a posted receive takes is steered into it; else the software keeps
// it as unexpected. The flow goes on with the next message either way.
void Device::turn(QueuePair& qp, const ReceiveEntry& e) {
    RxFlow* f = flows_.at(e.flow);
    if (!f || f->turn != MsgNo(e.msg_no)) return;
    MatchTable& table = qp.table(e.flags & kReceiveTagged);
    CompletionEntry& c = new_entry(EntryKind::turned);
    c.flow = e.flow;
    c.msg_no = e.msg_no;
    ++f->turn;
    if (e.flags & kReceiveSkip) { // fragments may have come after the abort
        if (Inbound* in = inbound_.find(*f, MsgNo(e.msg_no)); in && !in->has_envelope)
            free_inbound(*in);
    } else {
        if (PostedReceive* r = table.find(e.tag, f->source)) {
            IovView iov;
            uint64_t base, capacity;
            c.flags |= kEntryHit;
            Inbound* in = inbound_.find(e.inbound);
            const bool reports = r->reports;
            const bool bounced = in && in->destination == Destination::bounce;
            take(*r, table, e.ignore, in, c, iov, base, capacity);
            if (in && dedup_.active()) [[unlikely]]
                start_chunks(*in, qp, reports, e.ignore, bounced);
        }
    }
    push_entry();
}

} // namespace rill::nic
