// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "rdm/send_side.hpp"

#include "rdm/address_vector.hpp"
#include "rdm/module.hpp"
#include "util/iov.hpp"

#include <algorithm>
#include <cstring>

namespace rill::rdm {

namespace {

// Reads of one buffer at a time: the message itself, and its grant. A peer that asks again and again
// would have us send without end.
constexpr uint32_t kReadersMax = 4;

} // namespace

SendFlow* SendFlowTable::make(SendSide& side, uint32_t handle) {
    SendFlow* f = pool_.make();
    if (!f) return nullptr;
    auto h = pool_.handle(f);
    f->side = &side;
    f->handle = handle;
    f->number = h.generation << kSlotBits | h.slot;
    return f;
}

SendFlow* SendFlowTable::find(uint32_t number) {
    SendFlow* f = pool_.at(number & ((1u << kSlotBits) - 1));
    return f && f->number == number ? f : nullptr;
}

// A fresh operation in the flow of its destination. again: the queue is full (progress was made).
Status SendSide::begin(SourceId destination, bool remote, SendOperation*& out, Instant now) {
    uint32_t handle = av_.handle(destination);
    if (handle == AddressVector::kNoHandle) return Status::invalid;
    SendOperation* op = nullptr;
    if (in_queue_ < module_.config().send_depth && sink_.has_room() && !module_.down())
        op = module_.send_operations().make();
    if (!op) {
        module_.progress(now, false);
        return Status::again;
    }
    if (handle >= by_handle_.size()) by_handle_.resize(handle + 1);
    Destination& d = by_handle_[handle];
    SendFlow*& flow = remote ? d.remote : d.messages;
    if (!flow) flow = module_.send_flows().make(*this, handle);
    if (!flow) {
        module_.send_operations().free(op);
        return Status::no_memory;
    }
    flow->remote = remote;
    op->flow = flow;
    op->msg_no = flow->next_no++;
    flow->operations.push_back(op);
    ++in_queue_;
    out = op;
    return Status::ok;
}

// Few bytes are copied, of more the list.
void SendSide::copy_in(SendOperation& op, const iovec* iov, size_t count, uint64_t length) {
    op.length = length;
    op.is_inline = length <= kInjectBytesMax;
    if (op.is_inline) {
        gather({iov, static_cast<uint32_t>(count)}, 0, {op.inline_bytes, size_t(length)});
        op.inline_iov = {op.inline_bytes, size_t(length)};
        op.iov_count = 1;
    } else {
        std::copy_n(iov, count, op.iov);
        op.iov_count = static_cast<uint8_t>(count);
    }
}

Status SendSide::send(const SendRequest& r, Instant now) {
    if (r.iov_count > kIovMax) return Status::invalid;
    uint64_t length = total_bytes({r.iov, static_cast<uint32_t>(r.iov_count)});
    if (r.inject && length > kInjectBytesMax) return Status::too_long;
    SendOperation* op;
    if (Status s = begin(r.destination, false, op, now); !is_ok(s)) return s;
    op->sink = r.sink;
    op->context = r.context;
    op->level = r.level;
    op->kinds = kSend | (r.tagged ? kTaggedKind : kMsg);
    op->report = r.report;
    copy_in(*op, r.iov, r.iov_count, length);
    report_in_advance(*op);

    const uint32_t handle = op->flow->handle;
    nic::SendEntry e;
    e.op = nic::SendOp::message;
    e.flags = (r.tagged ? nic::kSendTagged : 0) | (r.has_data ? nic::kSendImmediate : 0) |
              (r.level == Level::delivery ? nic::kSendDelivery : 0) |
              (is_awaited(*op, r) ? 0 : nic::kSendUnawaited) |
              (op->is_inline ? nic::kSendInline : 0) | (op->msg_no == 0 ? nic::kSendFirst : 0);
    e.request = module_.send_operations().handle(op).slot;
    e.target = handle;
    e.flow = op->flow->number;
    e.msg_no = op->msg_no;
    e.tag = r.tag;
    e.immediate = r.data;
    e.length = length;
    e.iov = op->iov;
    e.iov_count = op->iov_count;
    submit(*op, e, r.fence, now);
    return Status::ok;
}

// The buffer was copied, which is all that this level promises.
void SendSide::report_in_advance(SendOperation& op) {
    if (op.level != Level::inject || !op.is_inline || op.fetches() || !op.report) return;
    report(op);
    op.reported = true;
}

// Whether the peer's notice should come soon: else its queue may be what the program waits for.
bool SendSide::is_awaited(const SendOperation& op, const SendRequest& r) const {
    return (r.awaited && !op.reported) || in_queue_ > module_.config().send_depth / 2;
}

// To the device, unless a fence is up or has to be.
void SendSide::submit(SendOperation& op, const nic::SendEntry& e, bool fence, Instant now) {
    Destination& d = by_handle_[op.flow->handle];
    if (d.held || (fence && d.active > 0)) [[unlikely]] {
        if (!d.held) {
            d.held = std::make_unique<std::deque<Held>>();
            module_.count_fence(1);
        }
        d.held->push_back({&op, e, fence});
        return;
    }
    launch(op, e, false, now);
    module_.want_review();
}

void SendSide::launch(SendOperation& op, const nic::SendEntry& e, bool more, Instant now) {
    ++by_handle_[op.flow->handle].active;
    op.launched = true;
    if (op.remote) {
        launch_ranges(op, e, now);
        if (!more) module_.flush(now);
        return;
    }
    op.readers = op.is_inline ? 0 : 1;
    module_.post_send(queue_pair_, e, more, now);
}

void SendSide::release(Instant now) {
    for (Destination& d : by_handle_)
        if (d.held) release_held(d, now);
}

void SendSide::release_held(Destination& d, Instant now) {
    while (!d.held->empty()) {
        const Held& next = d.held->front();
        if (next.fence && d.active > 0) return;
        launch(*next.op, next.entry, true, now);
        d.held->pop_front();
    }
    drop_held(d);
    module_.want_review();
}

void SendSide::drop_held(Destination& d) {
    if (!d.held) return;
    d.held.reset();
    module_.count_fence(-1);
}

void SendSide::report(const SendOperation& op) {
    Completion c;
    c.context = op.context;
    c.kinds = op.kinds;
    c.status = op.status;
    c.length = op.length;
    c.report = op.report;
    (op.sink ? *op.sink : sink_).complete(c);
}

// Takes an operation out of its flow, and the flow away when that was the last of one that is over.
void SendSide::retire(Module& module, SendOperation& op) {
    SendFlow& f = *op.flow;
    if (op.launched && f.side) --f.side->by_handle_[f.handle].active;
    if (op.fetches() && op.launched && !op.remote->fetched) {
        nic::SendEntry e;
        e.op = nic::SendOp::close_fetch;
        e.grant = op.remote->fetch;
        module.post_send(module.control_queue(), e, true, Instant{});
    }
    f.operations[op.msg_no - f.base_no] = nullptr;
    while (!f.operations.empty() && !f.operations.front()) {
        f.operations.pop_front();
        ++f.base_no;
    }
    module.send_operations().free(&op);
    if (f.operations.empty() && (f.ended || !f.side)) module.free_send_flow(f);
}

void SendSide::finish_if_over(Module& module, SendOperation& op) {
    SendSide* side = op.flow->side;
    if (side && !op.left && (op.done || (!op.is_inline && op.readers == 0))) {
        op.left = true;
        --side->in_queue_;
    }
    if (!op.done || op.readers != 0) return;
    if (side && !op.reported) side->report(op);
    retire(module, op);
}

void SendSide::on_sent(Module& module, SendOperation& op, Status status, Instant now) {
    --op.readers;
    if (!is_ok(status) && !op.done) { // the buffer is not the program's memory
        op.done = true;
        op.status = status;
        abort(module, op, now);
    }
    finish_if_over(module, op);
}

void SendSide::on_fetched(Module& module, const nic::CompletionEntry& e) {
    SendOperation* op = module.send_operations().at(e.request);
    if (!op || op->done || !op->fetches() || op->remote->fetch != e.inbound) return;
    op->done = true;
    op->remote->fetched = true;
    op->status = static_cast<Status>(e.status);
    finish_if_over(module, *op);
}

// The rest of it will not come.
void SendSide::abort(Module& module, SendOperation& op, Instant now) {
    const SendFlow& f = *op.flow;
    nic::SendEntry e;
    e.op = nic::SendOp::abort;
    if (f.remote)
        e.flags = nic::kSendRemote;
    else if (op.msg_no == 0)
        e.flags = nic::kSendFirst;
    e.target = f.handle;
    e.flow = f.number;
    e.msg_no = op.msg_no;
    module.post_send(f.side ? f.side->queue_pair_ : module.control_queue(), e, true, now);
}

void SendSide::on_done(Module& module, SendFlow& flow, uint32_t msg_no, uint32_t count,
                       Status status) {
    uint32_t number = flow.number;
    for (uint32_t i = 0; i < count; ++i) {
        SendFlow* f = module.send_flows().find(number); // the last operation may have freed it
        if (!f) return;
        SendOperation* op = f->find(msg_no + i);
        if (!op || op->done) continue;
        op->done = true;
        op->status = status;
        finish_if_over(module, *op);
    }
}

void SendSide::fail(Module& module, SendFlow& flow, Status why) {
    flow.ended = true;
    auto pending = flow.operations; // finishing changes the queue, the last one frees the flow
    if (pending.empty()) module.free_send_flow(flow);
    for (SendOperation* op : pending) {
        if (!op || op->done) continue;
        op->done = true;
        op->status = why;
        finish_if_over(module, *op);
    }
}

void SendSide::on_grant(Module& module, SendFlow& flow, const nic::CompletionEntry& e,
                        Instant now) {
    SendOperation* op = flow.find(e.msg_no);
    if (!op || op->done || e.tag > op->length || e.total > op->length - e.tag || e.total == 0)
        return;
    if (op->readers >= kReadersMax) return;
    ++op->readers;
    nic::SendEntry g;
    g.op = nic::SendOp::granted;
    if (op->is_inline) g.flags = nic::kSendInline;
    g.request = module.send_operations().handle(op).slot;
    g.target = flow.handle;
    g.tag = e.tag;
    g.length = e.total;
    g.iov = op->iov;
    g.iov_count = op->iov_count;
    g.grant = e.inbound;
    module.post_send(flow.side ? flow.side->queue_pair_ : module.control_queue(), g, true, now);
}

void SendSide::forget_destination(uint32_t handle) {
    if (handle >= by_handle_.size()) return;
    Destination& d = by_handle_[handle];
    d.messages = d.remote = nullptr;
    drop_held(d);
}

// What was copied goes on without us (behind a fence it goes now); the rest is aborted, and nobody
// reads its buffers any more once the device has destroyed the queue pair. Results that still come
// find no place.
void SendSide::close(Instant now) {
    const auto goes_on = [](const SendOperation& op) { return op.is_inline && !op.fetches(); };
    for (Destination& d : by_handle_) {
        if (d.held)
            for (const Held& h : *d.held)
                if (goes_on(*h.op)) launch(*h.op, h.entry, true, now);
        drop_held(d);
    }
    std::vector<SendFlow*> flows;
    module_.send_flows().for_each([&](SendFlow& f) {
        if (f.side == this) flows.push_back(&f);
    });
    // A message that has not left keeps its place in the order: the peer has to hear of it as well.
    for (SendFlow* f : flows)
        for (SendOperation* op : f->operations)
            if (op && !op->done && !op->is_inline && !op->fetches() && (op->launched || !f->remote))
                abort(module_, *op, now);
    module_.driver().destroy_queue_pair(queue_pair_, now);
    for (SendFlow* f : flows) {
        f->side = nullptr;
        if (f->operations.empty()) {
            module_.free_send_flow(*f);
            continue;
        }
        auto pending = f->operations;
        for (SendOperation* op : pending)
            if (op && (!goes_on(*op) || op->done)) retire(module_, *op);
    }
}

} // namespace rill::rdm
