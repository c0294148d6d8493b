// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// RMA and atomic operations, at their initiator.
#include "rdm/address_vector.hpp"
#include "rdm/module.hpp"
#include "rdm/send_side.hpp"
#include "util/iov.hpp"

#include <algorithm>

namespace rill::rdm {
namespace {

uint64_t bytes_of(const iovec* iov, size_t count) {
    return total_bytes({iov, static_cast<uint32_t>(count)});
}

uint64_t range_bytes(const RemoteMemory* ranges, size_t count) {
    uint64_t sum = 0;
    for (size_t i = 0; i < count; ++i)
        sum += ranges[i].length;
    return sum;
}

// The ranges that have bytes, or one without if none has.
std::unique_ptr<RemoteDetails> details(nic::SendOp op, const RemoteMemory* ranges, size_t count,
                                       uint64_t total) {
    auto d = std::make_unique<RemoteDetails>();
    d->op = op;
    uint64_t offset = 0;
    for (size_t i = 0; i < count; ++i) {
        const RemoteMemory& r = ranges[i];
        if (r.length == 0 && !(total == 0 && i == 0)) continue;
        nic::RemoteRange& to = d->ranges[d->range_count++];
        to.key = r.key;
        to.address = r.address;
        to.length = r.length;
        to.total = total;
        to.offset = offset;
        offset += r.length;
    }
    return d;
}

} // namespace

Status SendSide::rma(const RmaRequest& r, Instant now) {
    if (r.iov_count > kIovMax || r.range_count == 0 || r.range_count > kRangesMax)
        return Status::invalid;
    const uint64_t length = bytes_of(r.iov, r.iov_count);
    if (length != range_bytes(r.ranges, r.range_count)) return Status::invalid;
    if (r.inject && length > kInjectBytesMax) return Status::too_long;
    SendOperation* op;
    if (Status s = begin(r.destination, true, op, now); !is_ok(s)) return s;
    op->sink = r.sink;
    op->context = r.context;
    op->level = r.level;
    op->kinds = kRma | (r.read ? kRead : kWrite);
    op->report = r.report;
    op->remote =
        details(r.read ? nic::SendOp::read : nic::SendOp::write, r.ranges, r.range_count, length);
    if (r.read) {
        op->length = length;
        op->remote->fetches = true;
        std::copy_n(r.iov, r.iov_count, op->iov);
        op->iov_count = static_cast<uint8_t>(r.iov_count);
    } else {
        copy_in(*op, r.iov, r.iov_count, length);
    }
    nic::SendEntry e;
    e.op = op->remote->op;
    e.flags = (r.has_data ? nic::kSendImmediate : 0) | (op->is_inline ? nic::kSendInline : 0);
    e.immediate = r.data;
    report_in_advance(*op);
    submit(*op, e, r.fence, now);
    return Status::ok;
}

Status SendSide::atomic(const AtomicRequest& r, Instant now) {
    if (r.range_count == 0 || r.range_count > kRangesMax || r.result_count > kIovMax)
        return Status::invalid;
    const uint64_t length = range_bytes(r.ranges, r.range_count);
    const uint64_t operands = bytes_of(r.operands, r.operand_count);
    const uint64_t compares = bytes_of(r.compares, r.compare_count);
    const bool fetches = r.kind != wire::AtomicKind::base;
    if (length == 0 || operands != (r.op == wire::AtomicOp::read ? 0 : length) ||
        compares != (r.kind == wire::AtomicKind::compare ? length : 0) ||
        bytes_of(r.results, r.result_count) != (fetches ? length : 0))
        return Status::invalid;
    if (length + compares > wire::kAtomicBytesMax) return Status::too_long;
    SendOperation* op;
    if (Status s = begin(r.destination, true, op, now); !is_ok(s)) return s;
    op->sink = r.sink;
    op->context = r.context;
    op->level = r.level;
    op->kinds = kAtomic | (fetches ? kRead : kWrite);
    op->report = r.report;
    op->remote = details(nic::SendOp::atomic, r.ranges, r.range_count, length);
    op->remote->fetches = fetches;
    copy_in(*op, r.operands, r.operand_count, operands);
    gather({r.compares, static_cast<uint32_t>(r.compare_count)}, 0,
           {op->inline_bytes + operands, size_t(compares)});
    op->inline_iov.iov_len += compares;
    op->length = length;
    std::copy_n(r.results, r.result_count, op->remote->results);
    op->remote->result_count = static_cast<uint8_t>(r.result_count);
    for (size_t i = 0; i < op->remote->range_count; ++i) {
        nic::RemoteRange& range = op->remote->ranges[i];
        range.op = r.op;
        range.type = r.type;
        range.kind = r.kind;
    }
    nic::SendEntry e;
    e.op = nic::SendOp::atomic;
    report_in_advance(*op);
    submit(*op, e, r.fence, now);
    return Status::ok;
}

// One entry for each range. Atomics get their order now: what a fence held back and what never left
// leave no gap in it.
void SendSide::launch_ranges(SendOperation& op, nic::SendEntry e, Instant now) {
    RemoteDetails& d = *op.remote;
    SendFlow& flow = *op.flow;
    e.request = module_.send_operations().handle(&op).slot;
    e.target = flow.handle;
    e.flow = flow.number;
    e.msg_no = op.msg_no;
    e.iov = op.iov;
    e.iov_count = op.iov_count;
    if (d.fetches) {
        const bool read = d.op == nic::SendOp::read;
        const IovView to =
            read ? IovView{op.iov, op.iov_count} : IovView{d.results, d.result_count};
        nic::SendEntry f;
        f.op = nic::SendOp::open_fetch;
        f.request = e.request;
        f.target = flow.handle;
        f.iov = to.entries;
        f.iov_count = static_cast<uint8_t>(to.count);
        f.length = op.length;
        f.fetch = &d.fetch;
        module_.post_send(queue_pair_, f, true, now);
        module_.ring(now); // its name is there when the store returns
        e.grant = d.fetch;
    }
    if (d.op == nic::SendOp::write && !op.is_inline) op.readers = d.range_count;
    for (size_t i = 0; i < d.range_count; ++i) {
        nic::RemoteRange& range = d.ranges[i];
        if (d.op == nic::SendOp::atomic) range.order = flow.next_order++;
        e.remote = &range;
        e.length = range.length;
        module_.post_send(queue_pair_, e, true, now);
    }
}

} // namespace rill::rdm
