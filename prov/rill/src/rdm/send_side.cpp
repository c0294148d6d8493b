// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "rdm/send_side.hpp"

#include "rdm/address_vector.hpp"
#include "rdm/module.hpp"
#include "util/iov.hpp"

#include <algorithm>
#include <cstring>

namespace rill::rdm {

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

SendFlow* SendSide::flow_to(uint32_t handle) {
    if (handle >= by_handle_.size()) by_handle_.resize(handle + 1);
    SendFlow*& f = by_handle_[handle];
    if (!f) f = module_.send_flows().make(*this, handle);
    return f;
}

void SendSide::prepare(SendOperation& op, const SendRequest& r, uint64_t length) {
    op.sink = r.sink;
    op.context = r.context;
    op.length = length;
    op.level = r.level;
    op.tagged = r.tagged;
    op.report = r.report;
    op.is_inline = length <= kInjectBytesMax;
    if (op.is_inline) {
        gather({r.iov, static_cast<uint32_t>(r.iov_count)}, 0, {op.inline_bytes, size_t(length)});
        op.inline_iov = {op.inline_bytes, size_t(length)};
        op.iov_count = 1;
    } else {
        std::copy_n(r.iov, r.iov_count, op.iov);
        op.iov_count = static_cast<uint8_t>(r.iov_count);
        op.readers = 1;
    }
}

Status SendSide::send(const SendRequest& r, Instant now) {
    if (r.iov_count > kIovMax) return Status::invalid;
    uint32_t handle = av_.handle(r.destination);
    if (handle == AddressVector::kNoHandle) return Status::invalid;
    uint64_t length = total_bytes({r.iov, static_cast<uint32_t>(r.iov_count)});
    if (r.inject && length > kInjectBytesMax) return Status::too_long;
    if (in_queue_ >= module_.config().send_depth || !sink_.has_room()) {
        module_.progress(now, false);
        return Status::again;
    }
    SendOperation* op = module_.send_operations().make();
    if (!op) {
        module_.progress(now, false);
        return Status::again;
    }
    SendFlow* flow = flow_to(handle);
    if (!flow) {
        module_.send_operations().free(op);
        return Status::no_memory;
    }
    prepare(*op, r, length);
    op->flow = flow;
    op->msg_no = flow->next_no++;
    flow->operations.push_back(op);
    ++in_queue_;

    nic::SendEntry e;
    e.op = nic::SendOp::message;
    e.flags = (r.tagged ? nic::kSendTagged : 0) | (r.has_data ? nic::kSendImmediate : 0) |
              (r.level == Level::delivery ? nic::kSendDelivery : 0) |
              (op->is_inline ? nic::kSendInline : 0) | (op->msg_no == 0 ? nic::kSendFirst : 0);
    e.request = module_.send_operations().handle(op).slot;
    e.target = handle;
    e.flow = flow->number;
    e.msg_no = op->msg_no;
    e.tag = r.tag;
    e.immediate = r.data;
    e.length = length;
    e.count = static_cast<uint32_t>(
        op->is_inline ? length
                      : std::min<uint64_t>(length, module_.device().unscheduled_limit(handle)));
    e.iov = op->iov;
    e.iov_count = op->iov_count;
    // Completed in advance: the buffer was copied, which is all that this level promises.
    if (op->level == Level::inject && op->is_inline && op->report) {
        report(*op);
        op->reported = true;
    }
    module_.post_send(queue_pair_, e, now);
    module_.device().flush(now);
    module_.want_review();
    return Status::ok;
}

void SendSide::report(const SendOperation& op) {
    Completion c;
    c.context = op.context;
    c.kinds = kSend | (op.tagged ? kTaggedKind : kMsg);
    c.status = op.status;
    c.length = op.length;
    c.report = op.report;
    (op.sink ? *op.sink : sink_).complete(c);
}

// Takes an operation out of its flow, and the flow away when that was the last of one that is over.
void SendSide::retire(Module& module, SendOperation& op) {
    SendFlow& f = *op.flow;
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

void SendSide::on_sent(Module& module, SendOperation& op) {
    --op.readers;
    finish_if_over(module, op);
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
    module.post_send(flow.side ? flow.side->queue_pair_ : nic::kNoQueuePair, g, now);
}

void SendSide::forget_destination(uint32_t handle) {
    if (handle < by_handle_.size()) by_handle_[handle] = nullptr;
}

// What is inline goes on without us; the rest is aborted, and nobody reads its buffers any more once
// the device has destroyed the queue pair.
void SendSide::close(Instant now) {
    std::vector<SendFlow*> flows;
    module_.send_flows().for_each([&](SendFlow& f) {
        if (f.side == this) flows.push_back(&f);
    });
    for (SendFlow* f : flows) {
        for (SendOperation* op : f->operations) {
            if (!op || op->is_inline || op->done) continue;
            nic::SendEntry e;
            e.op = nic::SendOp::abort;
            if (op->msg_no == 0) e.flags = nic::kSendFirst;
            e.target = f->handle;
            e.flow = f->number;
            e.msg_no = op->msg_no;
            module_.post_send(queue_pair_, e, now);
        }
    }
    module_.device().destroy_queue_pair(queue_pair_, now);
    for (SendFlow* f : flows) {
        f->side = nullptr;
        if (f->operations.empty()) {
            module_.free_send_flow(*f);
            continue;
        }
        auto pending = f->operations;
        for (SendOperation* op : pending)
            if (op && (!op->is_inline || op->done)) retire(module_, *op);
    }
}

} // namespace rill::rdm
