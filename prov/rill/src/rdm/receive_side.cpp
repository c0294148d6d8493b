// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "rdm/receive_side.hpp"

#include "rdm/address_vector.hpp"
#include "rdm/module.hpp"
#include "util/iov.hpp"

#include <algorithm>

namespace rill::rdm {

namespace {

constexpr uint32_t kCanceledAtOnce = 64;

} // namespace

// ---- receives posted by the program ----------------------------------------------------------

ReceiveOperation* ReceiveSide::make_operation(const RecvRequest& r) {
    ReceiveOperation* op = module_.receive_operations().make();
    if (!op) return nullptr;
    op->side = this;
    op->sink = r.sink;
    op->own_sink = r.sink != nullptr;
    op->context = r.context;
    op->source = r.source;
    op->tag = r.tag;
    op->ignore = r.ignore;
    op->tagged = r.tagged;
    op->multi = r.multi;
    op->report = r.report;
    op->chunks = r.chunks;
    op->iov_count = static_cast<uint8_t>(r.iov_count);
    std::copy_n(r.iov, r.iov_count, op->iov);
    op->length = total_bytes({op->iov, op->iov_count});
    posted_.push_back(*op);
    ++posted_count_;
    return op;
}

void ReceiveSide::free_operation(ReceiveOperation& op) {
    List<ReceiveOperation, PostedTag>::remove(op);
    --posted_count_;
    module_.receive_operations().free(&op);
}

Status ReceiveSide::receive(const RecvRequest& r, Instant now) {
    if (r.iov_count > kIovMax || (r.multi && r.iov_count != 1)) return Status::invalid;
    if (posted_count_ >= module_.config().receive_depth || !has_room() || module_.down()) {
        module_.progress(now, false);
        return Status::again;
    }
    ReceiveOperation* op = make_operation(r);
    if (!op) return Status::again;
    if (!take_unexpected(*op, now)) post(*op);
    return Status::ok;
}

// Serves the receive from what has come unexpectedly. True when it needs no posting any more.
bool ReceiveSide::take_unexpected(ReceiveOperation& op, Instant now) {
    if (unexpected(op.tagged).empty()) return false;
    for (;;) {
        Arrival* a = find_unexpected(op.tagged, op.tag, op.ignore, op.source);
        if (!a) return false;
        ArrivalQueue::remove(*a);
        if (!op.multi) {
            assign(*a, op, now);
            return true;
        }
        // The operation must outlive its messages although one may complete at once.
        ++op.messages;
        assign(*a, op, now);
        --op.messages;
        if (op.length - op.used >= multi_minimum_ && op.length != op.used) continue;
        op.spent = true;
        release_if_spent(op);
        return true;
    }
}

void ReceiveSide::post(ReceiveOperation& op) {
    nic::ReceiveEntry e;
    e.op = nic::ReceiveOp::post;
    if (op.tagged) e.flags |= nic::kReceiveTagged;
    if (op.multi) e.flags |= nic::kReceiveMulti;
    if (op.chunks) e.flags |= nic::kReceiveReport;
    e.request = module_.receive_operations().handle(&op).slot;
    e.tag = op.tag;
    e.ignore = op.ignore;
    e.source = op.source;
    e.minimum = multi_minimum_;
    e.iov = op.iov;
    e.iov_count = op.iov_count;
    if (op.used > 0) { // multi: only the rest is the device's; messages on their way in go on
        op.iov[1] = {static_cast<std::byte*>(op.iov[0].iov_base) + op.used, op.length - op.used};
        e.iov = &op.iov[1];
    }
    if (op.source != kAnySource && av_) {
        uint32_t handle = av_->handle(op.source);
        if (handle != AddressVector::kNoHandle) {
            op.watched = handle;
            e.flags |= nic::kReceiveWatch;
            e.flow = handle;
        }
    }
    module_.post_receive(queue_pair_, e);
}

Status ReceiveSide::cancel(void* context, Instant now) {
    for (ReceiveOperation* op = posted_.front(); op; op = posted_.next(*op)) {
        if (op->context != context) continue;
        op->ending = Status::canceled;
        nic::ReceiveEntry e;
        e.op = nic::ReceiveOp::cancel;
        if (op->tagged) e.flags |= nic::kReceiveTagged;
        e.request = module_.receive_operations().handle(op).slot;
        module_.post_receive(queue_pair_, e);
        module_.drain(now);
        return Status::ok;
    }
    return Status::not_found;
}

void ReceiveSide::on_canceled(ReceiveOperation& op) {
    Completion c;
    c.context = op.context;
    c.kinds = kRecv | (op.tagged ? kTaggedKind : kMsg);
    if (op.multi) c.kinds |= kMultiRelease;
    c.status = op.ending;
    c.tag = op.tag;
    if (op.multi && op.messages > 0) { // messages in it go on; they give the buffer back
        op.spent = true;
        return;
    }
    report(op, c);
    free_operation(op);
}

// ---- completions ------------------------------------------------------------------------------

void ReceiveSide::report(const Completion& c) {
    if (!sinks_.empty()) sinks_.front()->complete(c);
}

void ReceiveSide::report(const ReceiveOperation& op, const Completion& c) {
    if (op.sink)
        op.sink->complete(c);
    else
        report(c);
}

void ReceiveSide::deliver(ReceiveOperation& op, uint64_t total, uint64_t capacity, uint8_t flags,
                          uint64_t tag, uint64_t data, const ReceiveFlow& from, void* buffer,
                          Status status) {
    if (!op.own_sink) op.sink = from.sink;
    Completion c;
    c.context = op.context;
    c.kinds = kRecv | (op.tagged ? kTaggedKind : kMsg);
    if (flags & nic::kEntryImmediate) c.kinds |= kRemoteData;
    c.length = std::min(total, capacity);
    c.overflow = total - c.length;
    c.status = is_ok(status) && c.overflow ? Status::truncated : status;
    c.data = data;
    c.tag = tag;
    c.source = from.source;
    c.buffer = op.multi ? buffer : op.iov_count ? op.iov[0].iov_base : nullptr;
    c.report = op.report;
    report(op, c);
    if (op.multi)
        release_if_spent(op);
    else
        free_operation(op);
}

void ReceiveSide::release_if_spent(ReceiveOperation& op) {
    if (!op.spent || op.messages > 0) return;
    Completion c;
    c.context = op.context;
    c.kinds = kMultiRelease;
    report(op, c);
    free_operation(op);
}

void ReceiveSide::notice(ReceiveFlow& f, uint32_t msg_no, uint8_t flags, Instant now,
                         Status status) {
    nic::SendEntry e;
    e.op = nic::SendOp::done;
    if ((flags & nic::kEntryUnawaited) && is_ok(status)) e.flags = nic::kSendUnawaited;
    e.status = static_cast<uint8_t>(status);
    e.target = f.slot;
    e.msg_no = msg_no;
    e.count = 1;
    module_.post_send(queue_pair_, e, true, now);
}

// A message that is kept whole needs its sender no more, unless that asked for delivery, or an
// earlier one is missing: without that it cannot be received.
void ReceiveSide::notice_if_kept(Arrival& a, Instant now) {
    if (a.noticed || !a.whole() || (a.flags & nic::kEntryDelivery)) return;
    if (a.state == Arrival::State::early) return;
    a.noticed = true;
    notice(*a.flow, a.msg_no, a.flags, now);
}

// ---- arrivals ---------------------------------------------------------------------------------

Arrival* ReceiveSide::make_arrival(ReceiveFlow& f, const nic::CompletionEntry& e,
                                   Arrival::State state) {
    Arrival* a = module_.arrivals().make();
    a->flow = &f;
    a->state = state;
    a->flags = e.flags;
    a->arrived = e.flags & (nic::kEntryComplete | nic::kEntryRefused);
    a->msg_no = e.msg_no;
    a->unscheduled = e.unscheduled;
    a->tag = e.tag;
    a->data = e.immediate;
    a->total = e.total;
    a->inbound = e.inbound;
    ++f.live;
    f.arrivals.push_back(*a);
    if (e.inbound.slot != UINT32_MAX) module_.set_arrival(e.inbound, a);
    return a;
}

void ReceiveSide::free_arrival(Arrival& a) {
    ReceiveFlow& f = *a.flow;
    if (a.bounce) module_.release_bounce(a.bounce);
    if (a.inbound.slot != UINT32_MAX) {
        module_.set_arrival(a.inbound, nullptr);
        nic::ReceiveEntry e;
        e.op = nic::ReceiveOp::drop;
        e.inbound = a.inbound;
        module_.post_receive(queue_pair_, e);
    }
    List<Arrival, FlowArrivalTag>::remove(a);
    ArrivalQueue::remove(a);
    module_.arrivals().free(&a);
    if (--f.live == 0 && f.ended) module_.release_flow(f);
}

Arrival* ReceiveSide::find_unexpected(bool tagged, uint64_t tag, uint64_t ignore, SourceId source) {
    ArrivalQueue& q = unexpected(tagged);
    for (Arrival* a = q.front(); a; a = q.next(*a)) {
        if (tagged && ((a->tag ^ tag) & ~ignore)) continue;
        if (source == kAnySource || source == a->flow->source) return a;
    }
    return nullptr;
}

// Of a message that came in one packet. The device has not placed it, and hears of it where it has to
// know what lies where.
void ReceiveSide::copy_in(ReceiveOperation& op, const Arrival& a, uint64_t base) {
    const size_t n = std::min<uint64_t>(a.unscheduled, a.capacity);
    scatter({op.iov, op.iov_count}, base, {static_cast<std::byte*>(a.bounce), n});
    if (!module_.dedup().active()) [[likely]]
        return;
    nic::ReceiveEntry e;
    e.op = nic::ReceiveOp::placed;
    if (op.chunks) e.flags |= nic::kReceiveReport;
    e.iov = op.iov;
    e.iov_count = op.iov_count;
    e.tag = base;
    e.minimum = n;
    module_.post_receive(queue_pair_, e);
}

// An unexpected or claimed message gets its buffer.
void ReceiveSide::assign(Arrival& a, ReceiveOperation& op, Instant now) {
    a.state = Arrival::State::receiving;
    a.operation = &op;
    ++op.messages;
    uint64_t base = op.used;
    a.capacity = op.length - base;
    if (op.multi) {
        a.capacity = std::min(a.capacity, a.total);
        op.used += a.capacity;
        a.buffer = static_cast<std::byte*>(op.iov[0].iov_base) + base;
    }
    if (a.inbound.slot == UINT32_MAX) {
        copy_in(op, a, base);
    } else {
        nic::ReceiveEntry e;
        e.op = nic::ReceiveOp::steer;
        if (op.chunks) e.flags |= nic::kReceiveReport;
        e.request = module_.receive_operations().handle(&op).slot;
        e.iov = op.iov;
        e.iov_count = op.iov_count;
        e.tag = base;
        e.ignore = a.total;
        e.minimum = a.capacity;
        e.inbound = a.inbound;
        module_.post_receive(queue_pair_, e);
    }
    begin(a, now);
}

// Asks for what does not come by itself.
void ReceiveSide::begin(Arrival& a, Instant now) {
    uint64_t have = a.flags & nic::kEntryRefused ? 0 : a.unscheduled;
    uint64_t want = std::min(a.total, a.capacity);
    if (want > have && is_ok(a.failed)) {
        a.granted = true;
        nic::SendEntry e;
        e.op = nic::SendOp::grant;
        e.target = a.flow->slot;
        e.msg_no = a.msg_no;
        e.tag = have;
        e.length = want - have;
        e.grant = a.inbound;
        module_.post_send(queue_pair_, e, true, now);
    }
    module_.want_review(); // the sender may die before the rest has come
    finish_if_over(a, now);
}

void ReceiveSide::finish_if_over(Arrival& a, Instant now) {
    bool over = !is_ok(a.failed) || (a.arrived && !a.granted);
    if (a.state != Arrival::State::receiving || !over) return;
    if (!a.noticed && is_ok(a.failed)) notice(*a.flow, a.msg_no, a.flags, now);
    ReceiveOperation& op = *a.operation;
    --op.messages;
    auto [total, capacity, flags, tag, data, buffer, failed] =
        std::tuple(a.total, a.capacity, a.flags, a.tag, a.data, a.buffer, a.failed);
    // The flow may go with its last arrival.
    ReceiveFlow from;
    from.sink = a.flow->sink;
    from.source = a.flow->source;
    free_arrival(a);
    deliver(op, total, capacity, flags, tag, data, from, buffer, failed);
}

void ReceiveSide::discard(Arrival& a, Instant now) {
    if (!a.noticed) notice(*a.flow, a.msg_no, a.flags, now);
    free_arrival(a);
}

// ---- from the device --------------------------------------------------------------------------

// The device has given a message its turn. True when an abort of it had come before: its place in the
// queue of early ones is no longer needed, and what has not arrived of it never will.
bool ReceiveSide::begin_turn(ReceiveFlow& f, uint32_t msg_no) {
    f.turn = msg_no + 1;
    f.turning = false;
    auto node = f.early.extract(msg_no);
    if (node.empty()) return false;
    free_arrival(*node.mapped());
    return true;
}

// A message has taken the receive, which waits no longer unless it takes several. The device has
// noticed.
void ReceiveSide::stop_watching(ReceiveOperation& op) {
    if (op.watched == UINT32_MAX || (op.multi && !op.spent)) return;
    op.watched = UINT32_MAX;
}

void ReceiveSide::on_matched(ReceiveFlow& f, const nic::CompletionEntry& e, Instant now) {
    bool aborted = begin_turn(f, e.msg_no);
    ReceiveOperation& op = *module_.receive_operations().at(e.request);
    if (e.flags & nic::kEntryRelease) op.spent = true;
    stop_watching(op);
    uint64_t capacity = op.length;
    if (op.multi) {
        auto* start = static_cast<std::byte*>(op.iov[0].iov_base);
        uint64_t left = op.length - (static_cast<std::byte*>(e.buffer) - start);
        capacity = std::min(left, e.total);
    }
    if (e.inbound.slot == UINT32_MAX) { // all there: nothing to keep
        notice(f, e.msg_no, e.flags, now);
        deliver(op, e.total, capacity, e.flags, e.tag, e.immediate, f, e.buffer, Status::ok);
    } else {
        Arrival* a = make_arrival(f, e, Arrival::State::receiving);
        a->operation = &op;
        a->buffer = e.buffer;
        a->capacity = capacity;
        if (aborted) a->failed = Status::aborted;
        ++op.messages;
        begin(*a, now);
    }
    if (!f.early.empty()) advance(f, now);
}

void ReceiveSide::on_unmatched(ReceiveFlow& f, const nic::CompletionEntry& e, Instant now) {
    bool early = e.kind == nic::EntryKind::early;
    Arrival* a = make_arrival(f, e, early ? Arrival::State::early : Arrival::State::unexpected);
    if (e.inbound.slot == UINT32_MAX) a->bounce = e.buffer;
    if (early && f.early.contains(e.msg_no)) { // its abort has overtaken it
        free_arrival(*a);
        return;
    }
    notice_if_kept(*a, now);
    if (early) {
        f.early.emplace(e.msg_no, a);
        if (e.msg_no == 0) introduce(f);
    } else if (begin_turn(f, e.msg_no) && !a->whole()) {
        free_arrival(*a);
    } else {
        unexpected(a->tagged()).push_back(*a);
    }
    if (!f.early.empty()) advance(f, now);
}

// The first message of a flow says who sends: from now on the device can match by source.
void ReceiveSide::introduce(ReceiveFlow& f) {
    if (f.introduced) return;
    f.introduced = true;
    f.source = av_->find(f.sender);
    tell_source(f, nic::ReceiveOp::introduce);
}

// Gives the message whose turn it is to the device for matching, if it came early.
void ReceiveSide::advance(ReceiveFlow& f, Instant now) {
    if (f.turning || !f.introduced || f.ended) return;
    auto it = f.early.find(f.turn);
    if (it == f.early.end()) return;
    Arrival& a = *it->second;
    f.turning = true;
    nic::ReceiveEntry e;
    e.op = nic::ReceiveOp::turn;
    if (a.tagged()) e.flags |= nic::kReceiveTagged;
    if (a.aborted) e.flags |= nic::kReceiveSkip;
    e.flow = f.slot;
    e.msg_no = f.turn;
    e.tag = a.tag;
    e.ignore = a.total;
    e.inbound = a.inbound;
    module_.post_receive(queue_pair_, e);
    (void)now;
}

void ReceiveSide::on_turned(ReceiveFlow& f, const nic::CompletionEntry& e, Instant now) {
    f.turning = false;
    f.turn = e.msg_no + 1;
    auto node = f.early.extract(e.msg_no);
    if (node.empty()) return;
    Arrival& a = *node.mapped();
    if (a.aborted && !(e.flags & nic::kEntryHit)) {
        free_arrival(a);
    } else if (!(e.flags & nic::kEntryHit)) {
        a.state = Arrival::State::unexpected;
        unexpected(a.tagged()).push_back(a);
        notice_if_kept(a, now);
    } else {
        ReceiveOperation& op = *module_.receive_operations().at(e.request);
        if (e.flags & nic::kEntryRelease) op.spent = true;
        stop_watching(op);
        a.state = Arrival::State::receiving;
        a.operation = &op;
        a.buffer = e.buffer;
        ++op.messages;
        uint64_t base = 0;
        if (op.multi)
            base = static_cast<std::byte*>(e.buffer) - static_cast<std::byte*>(op.iov[0].iov_base);
        a.capacity = op.length - base;
        if (op.multi) a.capacity = std::min(a.capacity, a.total);
        if (a.inbound.slot == UINT32_MAX) copy_in(op, a, base);
        // Aborted while its turn was being taken: the receive has gone into it.
        if (a.aborted) a.failed = Status::aborted;
        begin(a, now);
    }
    if (!f.early.empty()) advance(f, now);
}

void ReceiveSide::on_finished(Arrival& a, Instant now) {
    a.arrived = true;
    notice_if_kept(a, now);
    finish_if_over(a, now);
}

void ReceiveSide::on_filled(Arrival& a, Instant now) {
    a.granted = false;
    finish_if_over(a, now);
}

void ReceiveSide::on_aborted(ReceiveFlow& f, Arrival* a, uint32_t msg_no, Instant now) {
    if (!a) { // it never came, but it has a turn
        nic::CompletionEntry e;
        e.msg_no = msg_no;
        if (MsgNo(msg_no) < MsgNo(f.turn) || f.early.contains(msg_no)) return;
        a = make_arrival(f, e, Arrival::State::early);
        a->aborted = true;
        f.early.emplace(msg_no, a);
        if (msg_no == 0) introduce(f);
        advance(f, now);
        return;
    }
    switch (a->state) {
    case Arrival::State::early: a->aborted = true; break;
    case Arrival::State::unexpected: free_arrival(*a); break;
    case Arrival::State::claimed: a->failed = Status::aborted; break;
    case Arrival::State::receiving:
        a->failed = Status::aborted;
        finish_if_over(*a, now);
        break;
    }
}

void ReceiveSide::on_flow_ended(ReceiveFlow& f, Status why, Instant now) {
    f.ended = true;
    ++f.live; // keeps the flow while its arrivals go
    for (Arrival *a = f.arrivals.front(), *next; a; a = next) {
        next = f.arrivals.next(*a);
        switch (a->state) {
        case Arrival::State::early:
            f.early.erase(a->msg_no);
            free_arrival(*a);
            break;
        case Arrival::State::unexpected:
            if (!a->whole()) free_arrival(*a);
            break;
        case Arrival::State::claimed:
            if (!a->whole()) a->failed = why;
            break;
        case Arrival::State::receiving:
            a->failed = why;
            finish_if_over(*a, now);
            break;
        }
    }
    if (--f.live == 0) module_.release_flow(f);
}

void ReceiveSide::fail_destination(uint32_t handle, Status why, Instant now) {
    std::vector<uint32_t> requests;
    for (ReceiveOperation* op = posted_.front(); op; op = posted_.next(*op))
        if (op->watched == handle) requests.push_back(module_.receive_operations().handle(op).slot);
    uint32_t posted = 0;
    for (const uint32_t request : requests) {
        ReceiveOperation* op = module_.receive_operations().at(request);
        if (!op || op->side != this || op->watched != handle) continue;
        op->ending = why;
        nic::ReceiveEntry e;
        e.op = nic::ReceiveOp::cancel;
        e.flags = op->tagged ? nic::kReceiveTagged : 0;
        e.request = request;
        module_.post_receive(queue_pair_, e);
        // Each is answered by an entry, for which there must be room.
        if (++posted % kCanceledAtOnce == 0) module_.drain(now);
    }
    if (posted % kCanceledAtOnce != 0) module_.drain(now);
}

void ReceiveSide::rename_flows() {
    module_.for_each_flow([&](ReceiveFlow& f) {
        if (f.side != this || !f.introduced) return;
        SourceId source = av_->find(f.sender);
        if (source == f.source) return;
        f.source = source; // its messages may wait to be received, though it has ended
        if (!f.ended) tell_source(f, nic::ReceiveOp::rename);
    });
}

void ReceiveSide::tell_source(const ReceiveFlow& f, nic::ReceiveOp op) {
    nic::ReceiveEntry e;
    e.op = op;
    e.flow = f.slot;
    e.source = f.source;
    module_.post_receive(queue_pair_, e);
}

void ReceiveSide::close() {
    while (ReceiveOperation* op = posted_.front())
        free_operation(*op);
}

} // namespace rill::rdm
