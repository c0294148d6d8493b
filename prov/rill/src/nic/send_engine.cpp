// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The sending half of the device: from send-queue entries to what a packet carries.
#include "nic/device.hpp"
#include "nic/entry_checks.hpp"

#include <algorithm>

namespace rill::nic {
namespace {

// An ended destination is tried again this often while somebody sends to it.
constexpr Duration kKnockInterval = std::chrono::seconds(1);
// Names no queue pair of any device, and is not "whichever has the port" either.
constexpr uint32_t kClosedQueuePair = UINT32_MAX;

// The list has the operands of all ranges of an atomic operation, and behind them what they are
// compared with.
void copy_operands(const SendEntry& e, std::vector<std::byte>& out) {
    const RemoteRange& range = *e.remote;
    if (range.op == wire::AtomicOp::read) return;
    const bool compares = range.kind == wire::AtomicKind::compare;
    const size_t bytes = range.length;
    out.resize(compares ? 2 * bytes : bytes);
    const IovView list{e.iov, e.iov_count};
    gather(list, range.offset, {out.data(), bytes});
    if (compares) gather(list, range.total + range.offset, {out.data() + bytes, bytes});
}

} // namespace

Outbox& Device::outbox(transport::Context& context) {
    if (!context.client_data) context.client_data = outboxes_.make(&context);
    return *static_cast<Outbox*>(context.client_data);
}

Fault Device::ring_send(uint32_t number, uint16_t written, bool more, Instant now) {
    QueuePair& qp = *queue_pairs_[number];
    if (static_cast<uint16_t>(written - qp.send_head) > kQueueEntries) return Fault::bad_doorbell;
    for (; qp.send_head != written; ++qp.send_head) {
        const SendEntry& e = qp.memory.send[qp.send_head % kQueueEntries];
        if (!is_sound(e)) return Fault::bad_entry;
        start(qp, e, now);
    }
    if (!more) transport_.transmit(now);
    return settle_doorbell();
}

uint32_t Device::unscheduled_limit(uint32_t handle) {
    const AddressHandle& h = handles_[handle];
    const transport::Context* c = h.peer ? transport_.way_to(*h.peer) : h.opening;
    uint32_t limit = c ? c->unscheduled_limit() : 16 * 1024; // as before a peer's first credit
    return std::min(limit, config_.unscheduled_max);
}

// The context that carries new work to a destination; null when it has ended (the caller has to
// report that).
transport::Context* Device::context_for(AddressHandle& h, uint32_t index, Instant now) {
    if (h.peer) {
        if (transport::Context* c = transport_.way_to(*h.peer)) return c;
        end_handle(index, h.peer->ended);
    }
    if (h.ended != Status::ok) {
        knock(h, index, now);
        return nullptr;
    }
    if (!h.opening) open_handle(h, index);
    return h.opening;
}

void Device::open_handle(AddressHandle& h, uint32_t index) {
    h.opening = transport_.connect(h.address);
    if (!h.opening) return;
    outbox(*h.opening).handle = index;
    start_watch(h);
}

// Asks an ended destination whether somebody is there again, with an empty notice.
void Device::knock(AddressHandle& h, uint32_t index, Instant now) {
    if (h.opening || now - h.knocked < kKnockInterval) return;
    h.knocked = now;
    transport::Context* c = transport_.connect(h.address);
    if (!c) return;
    h.opening = c;
    outbox(*c).handle = index;
    SendWork* w = works_.make();
    if (!w) return;
    w->entry.op = SendOp::done;
    w->entry.count = 0;
    outbox(*c).add_small(*w);
    transport_.ready(*c);
}

void Device::queue(transport::Context& context, SendWork& w) {
    Outbox& box = outbox(context);
    if (w.bulk())
        box.add_bulk(w);
    else
        box.add_small(w);
    transport_.ready(context);
}

void Device::notify(transport::Context& to, uint32_t flow, uint32_t msg_no, Status status,
                    bool awaited) {
    Outbox& box = outbox(to);
    if (!box.extend_notice(flow, msg_no, static_cast<uint8_t>(status), awaited)) {
        SendWork* w = works_.make();
        if (!w) return;
        w->entry.op = SendOp::done;
        w->entry.flags = awaited ? 0 : kSendUnawaited;
        w->entry.status = static_cast<uint8_t>(status);
        w->entry.msg_no = msg_no;
        w->entry.count = 1;
        w->remote = flow;
        box.add_notice(*w);
    }
    transport_.ready(to, true);
}

void Device::start(QueuePair& qp, const SendEntry& entry, Instant now) {
    if (entry.op >= SendOp::watch) [[unlikely]] {
        if (entry.op == SendOp::watch) return watch(entry.target, entry.count != 0);
        if (entry.op == SendOp::watch_flow) return watch_flow(entry.target, entry.count != 0);
        return entry.op == SendOp::open_fetch ? open_fetch(entry) : close_fetch(entry.grant);
    }
    if (entry.op == SendOp::done && (entry.flags & kSendRemote)) {
        RemoteFlow* f = remote_flows_.find({entry.grant.slot, entry.grant.generation});
        transport::Context* c = f ? transport_.way_to(*f->peer) : nullptr;
        if (c) notify(*c, f->number, entry.msg_no, static_cast<Status>(entry.status));
        return;
    }
    if (entry.op == SendOp::done || entry.op == SendOp::grant) {
        RxFlow* f = flows_.at(entry.target);
        transport::Context* c = f ? transport_.way_to(*f->peer) : nullptr;
        if (!c) return; // the peer has ended: flow_ended tells the software
        if (entry.op == SendOp::done) {
            notify(*c, f->number, entry.msg_no, static_cast<Status>(entry.status),
                   !(entry.flags & kSendUnawaited));
            return;
        }
        Inbound* in = inbound_.find(entry.grant);
        if (!in) return;
        in->grant_offset = entry.tag;
        in->grant_length = entry.length;
        SendWork* w = works_.make();
        w->entry = entry;
        w->remote = f->number;
        queue(*c, *w);
        return;
    }
    if (entry.msg_no == 0 && entry.op != SendOp::granted) [[unlikely]]
        send_flows_.introduce(entry.flow, entry.target);
    const bool known = handles_.valid(entry.target);
    const bool whole = entry.op != SendOp::message || (entry.flags & kSendInline) || !known;
    const uint64_t unscheduled = whole ? entry.length : unscheduled_limit(entry.target);
    transport::Context* c =
        known ? context_for(handles_[entry.target], entry.target, now) : nullptr;
    if (!c) { // tell the software again: it may have posted before it read the first event
        const Status ended = known ? handles_[entry.target].ended : Status::not_found;
        report(EntryKind::destination_ended, ended == Status::ok ? Status::no_memory : ended,
               entry.target);
    }
    SendWork* w = works_.make();
    w->entry = entry;
    if (entry.op == SendOp::message)
        w->entry.count = static_cast<uint32_t>(std::min(entry.length, unscheduled));
    w->queue_pair = qp.number;
    bool ranged =
        entry.op == SendOp::write || entry.op == SendOp::read || entry.op == SendOp::atomic;
    if (ranged) {
        w->remote_work = std::make_unique<RemoteWork>();
        w->remote_work->range = *entry.remote;
        if (entry.op == SendOp::atomic) copy_operands(entry, w->remote_work->bytes);
    }
    if (!c) {
        drop(*w);
        return;
    }
    w->remote = handles_[entry.target].remote;
    if ((entry.flags & kSendFirst) || (entry.op == SendOp::write && (entry.flags & kSendImmediate)))
        w->source = wire::to_source(qp.address, qp.number);
    queue(*c, *w);
}

bool Device::has_records(const transport::Context& to, bool flush) const {
    const auto* box = static_cast<const Outbox*>(to.client_data);
    return box && !(flush ? box->empty() : box->only_notices());
}

bool Device::fill(transport::Context& to, transport::Outgoing& packet, size_t limit, bool flush) {
    auto* box = static_cast<Outbox*>(to.client_data);
    if (!box) return false;
    return box->fill(packet, limit, flush, [this](SendWork& w) { works_.free(&w); });
}

void Device::slice_released(void* owner) {
    auto& w = *static_cast<SendWork*>(owner);
    if (--w.packets == 0 && w.cut) finish_work(w);
}

void Device::finish_work(SendWork& w) {
    if (w.forgotten) {
        works_.free(&w);
        return;
    }
    sent_.push_back(w);
    attention_ = true;
}

// Ends a work that no packet carries: the host learns that nothing reads its buffer.
void Device::drop(SendWork& w) {
    if (w.bulk())
        finish_work(w);
    else
        works_.free(&w);
}

void Device::tell_sent() {
    while (SendWork* w = sent_.front()) {
        if (completions_.room() == 0) return;
        if (w->entry.flags & kSendFetch) {
            read_answered(*w);
        } else {
            CompletionEntry& e = new_entry(EntryKind::sent);
            e.status = w->entry.status;
            e.request = w->entry.request;
            push_entry();
        }
        sent_.pop_front();
        works_.free(w);
    }
}

void Device::start_watch(AddressHandle& h) {
    if (h.watchers == 0) return;
    transport::Context* c = h.peer ? transport_.way_to(*h.peer) : h.opening;
    if (h.watched == c || !c) return;
    if (h.watched) transport_.watch(*h.watched, false);
    h.watched = c;
    transport_.watch(*c, true);
}

void Device::start_watch(RxFlow& f) {
    transport::Context* c = f.wanted ? transport_.way_to(*f.peer) : nullptr;
    if (f.watched == c) return;
    if (f.watched) transport_.watch(*f.watched, false);
    f.watched = c;
    if (c) transport_.watch(*c, true);
}

void Device::watch_flow(uint32_t slot, bool on) {
    RxFlow* f = flows_.at(slot);
    if (!f) return;
    f->wanted = on;
    start_watch(*f);
}

void Device::watch(uint32_t handle, bool on) {
    if (!handles_.valid(handle)) return;
    AddressHandle& h = handles_[handle];
    if (on) {
        ++h.watchers;
        if (!h.peer && !h.opening && h.ended == Status::ok) open_handle(h, handle);
        start_watch(h);
        if (h.ended != Status::ok) // whoever waits for the dead is told at once
            report(EntryKind::destination_ended, h.ended, handle);
    } else if (h.watchers > 0 && --h.watchers == 0 && h.watched) {
        transport_.watch(*h.watched, false);
        h.watched = nullptr;
    }
}

// Binds a destination to the device that has turned out to be there.
void Device::adopt(AddressHandle& h, transport::Peer& peer, uint32_t remote) {
    h.peer = &peer;
    h.remote = remote;
    h.ended = Status::ok;
    start_watch(h);
}

void Device::opened(transport::Context& context, transport::Peer& peer, uint32_t queue_pair) {
    Outbox& box = outbox(context);
    if (box.handle == UINT32_MAX || !handles_.valid(box.handle)) return;
    AddressHandle& h = handles_[box.handle];
    if (h.opening != &context) return;
    h.opening = nullptr;
    // The endpoint has closed since the packet that opened: what follows is refused by name. A
    // record that named none would go to the endpoint that the context happened to be opened to.
    if (queue_pair == kNoQueuePair) queue_pair = kClosedQueuePair;
    adopt(h, peer, queue_pair);
    box.for_each([&](SendWork& w) {
        if (w.addressed() && w.remote == 0) w.remote = queue_pair;
    });
}

void Device::end_handle(uint32_t index, Status why) {
    AddressHandle& h = handles_[index];
    if (h.watched) transport_.watch(*h.watched, false);
    h.watched = nullptr;
    h.peer = nullptr;
    h.opening = nullptr;
    h.remote = 0;
    h.ended = why;
    report(EntryKind::destination_ended, why, index);
}

void Device::ended(transport::Context& context, Status why) {
    auto* box = static_cast<Outbox*>(context.client_data);
    transport::Peer* peer = context.peer();
    transport::Context* other = peer ? peer->preferred : nullptr;
    while (SendWork* w = box ? box->pop() : nullptr) {
        if (other)
            queue(*other, *w); // this context was one too many
        else
            drop(*w);
    }
    for (uint32_t i = 0; i < handles_.size(); ++i) {
        if (!handles_.valid(i)) continue;
        AddressHandle& h = handles_[i];
        if (h.watched == &context) h.watched = nullptr;
        bool knocking = h.opening == &context && h.ended != Status::ok;
        if (knocking)
            h.opening = nullptr;
        else if (h.opening == &context || (peer && h.peer == peer && !peer->preferred))
            end_handle(i, why);
        else
            start_watch(h);
    }
    flows_.for_each([&](RxFlow& f) {
        bool here = f.context == context.id();
        if (here) f.context = 0;
        if (f.watched == &context) f.watched = nullptr;
        // One that has moved to a context which is retired by now ends with its peer.
        if (why != Status::ok && (here || (f.peer == peer && !peer->preferred)))
            report(EntryKind::flow_ended, why, f.slot);
        else
            start_watch(f);
    });
    remote_flows_.for_each([&](RemoteFlow& f) {
        bool here = f.context == context.id();
        if (here) f.context = 0;
        if (why != Status::ok && (here || (f.peer == peer && !peer->preferred)))
            free_remote_flow(f);
    });
    if (box) outboxes_.free(box);
    context.client_data = nullptr;
}

void Device::evicted(transport::Context& context) {
    if (context.client_data) outboxes_.free(static_cast<Outbox*>(context.client_data));
    context.client_data = nullptr;
}

// Memory that a packet was to carry cannot be read any more.
void Device::slice_failed(void* owner) {
    auto& w = *static_cast<SendWork*>(owner);
    if (w.entry.flags & kSendFetch) {
        fail_answer(w, Status::bad_address);
        return;
    }
    w.entry.status = static_cast<uint8_t>(Status::bad_address);
    cut_off(w);
}

// No packet carries anything of this work any more; what comes of that is in finish_work().
void Device::cut_off(SendWork& w) {
    List<SendWork, OutboxTag>::remove(w); // from an outbox, or from those that wait to be told
    w.cut = true;
    if (w.packets == 0)
        finish_work(w);
    else
        transport_.forget(&w); // releases the slices, the last of them ends the work
}

bool Device::knows(const wire::Address& from) const {
    // First-flight data is taken at once from hosts that the program has named; the sender's
    // endpoint port is not in the packet, so the host decides.
    return handles_.knows_host(from);
}

} // namespace rill::nic
