// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "nic/outbox.hpp"

#include "util/iov.hpp"

#include <algorithm>

namespace rill::nic {
namespace {

// A piece smaller than this is left for the next packet: its record header and the handling of a
// packet at both ends would cost more than the bytes are worth.
constexpr size_t kSmallestPiece = 256;

} // namespace

size_t record_space(const transport::Outgoing& p, size_t limit) {
    return std::min(p.room(limit), transport::kCopiedBytesMax - p.copied_bytes);
}

bool piece_fits(const transport::Outgoing& p, size_t limit, size_t header, uint64_t left,
                size_t& bytes) {
    size_t room = p.room(limit);
    if (room < header || transport::kCopiedBytesMax - p.copied_bytes < header) return false;
    bytes = std::min<uint64_t>({room - header, left, UINT16_MAX});
    return bytes == left || bytes >= kSmallestPiece;
}

void set_slice(transport::Outgoing& p, SendWork& w, uint64_t offset, size_t bytes) {
    p.slice = {w.entry.iov, w.entry.iov_count, static_cast<uint32_t>(bytes), offset};
    p.owner = &w;
    p.guarded = w.remote_work && w.remote_work->pieces;
    ++w.packets;
}

namespace {

// The record of a message, without payload.
std::byte* put_envelope(std::byte* at, const SendWork& w, uint16_t payload) {
    const SendEntry& e = w.entry;
    wire::Message m;
    m.h.length = payload;
    if (e.flags & kSendTagged) m.h.flags |= wire::kTagged;
    if (e.flags & kSendImmediate) m.h.flags |= wire::kImmediate;
    if (e.flags & kSendDelivery) m.h.flags |= wire::kDelivery;
    if (e.flags & kSendUnawaited) m.h.flags |= wire::kUnawaited;
    if (e.flags & kSendFirst) m.h.flags |= wire::kSource;
    m.queue_pair = w.remote;
    m.flow = e.flow;
    m.msg_no = e.msg_no;
    m.tag = e.tag;
    m.total = e.length;
    m.unscheduled = e.count;
    at = wire::store(at, m);
    if (e.flags & kSendImmediate) at = wire::store(at, e.immediate);
    if (e.flags & kSendFirst) at = wire::store(at, w.source);
    return at;
}

size_t envelope_bytes(const SendEntry& e) {
    return sizeof(wire::Message) + (e.flags & kSendImmediate ? sizeof e.immediate : 0) +
           (e.flags & kSendFirst ? sizeof(wire::SourceInfo) : 0);
}

bool put_inline_message(transport::Outgoing& p, size_t limit, const SendWork& w) {
    const SendEntry& e = w.entry;
    size_t bytes = envelope_bytes(e) + e.length;
    if (record_space(p, limit) < bytes) return false;
    std::byte* at = put_envelope(p.append(bytes), w, static_cast<uint16_t>(e.length));
    gather({e.iov, e.iov_count}, 0, {at, static_cast<size_t>(e.length)});
    if (w.remote == 0) p.to_endpoint_port = true;
    return true;
}

template <class Record>
bool put_record(transport::Outgoing& p, size_t limit, const Record& r) {
    if (record_space(p, limit) < sizeof r) return false;
    wire::store(p.append(sizeof r), r);
    return true;
}

bool put_message_piece(transport::Outgoing& p, size_t limit, SendWork& w) {
    const SendEntry& e = w.entry;
    bool first = w.next == 0;
    size_t header = first ? envelope_bytes(e) : sizeof(wire::Fragment);
    size_t n;
    if (!piece_fits(p, limit, header, e.count - w.next, n)) return false;
    if (first) {
        put_envelope(p.append(header), w, static_cast<uint16_t>(n));
    } else {
        wire::Fragment f;
        f.h.length = static_cast<uint16_t>(n);
        f.queue_pair = w.remote;
        f.flow = e.flow;
        f.msg_no = e.msg_no;
        f.offset = static_cast<uint32_t>(w.next);
        f.unscheduled = e.count;
        wire::store(p.append(header), f);
    }
    if (w.remote == 0) p.to_endpoint_port = true;
    set_slice(p, w, w.next, n);
    w.next += n;
    w.cut = w.next == e.count;
    return true;
}

bool put_granted_piece(transport::Outgoing& p, size_t limit, SendWork& w) {
    const SendEntry& e = w.entry;
    size_t n;
    if (!piece_fits(p, limit, sizeof(wire::Granted), e.length - w.next, n)) return false;
    wire::Granted g;
    if (e.flags & kSendFetch) g.h.flags = wire::kToFetch;
    g.h.length = static_cast<uint16_t>(n);
    g.grant = e.grant;
    g.offset = e.tag + w.next;
    wire::store(p.append(sizeof g), g);
    // A region's list has its own offsets.
    set_slice(p, w, w.remote_work ? w.remote_work->range.offset + w.next : g.offset, n);
    w.next += n;
    w.cut = w.next == e.length;
    return true;
}

} // namespace

bool Outbox::extend_notice(uint32_t flow, uint32_t msg_no, uint8_t status, bool awaited) {
    SendWork* last = notices_.back();
    if (!last) return false;
    SendEntry& e = last->entry;
    if (last->remote != flow || e.status != status || e.msg_no + e.count != msg_no) return false;
    ++e.count;
    hurried_ |= awaited;
    return true;
}

bool put_small(transport::Outgoing& p, size_t limit, const SendWork& w) {
    const SendEntry& e = w.entry;
    switch (e.op) {
    case SendOp::message: return put_inline_message(p, limit, w);
    case SendOp::granted: return false; // always bulk
    case SendOp::write: return put_inline_write(p, limit, w);
    case SendOp::read: return put_read(p, limit, w);
    case SendOp::atomic: return put_atomic(p, limit, w);
    case SendOp::answer: return put_answer(p, limit, w);
    case SendOp::grant: {
        wire::Grant g;
        g.flow = w.remote;
        g.msg_no = e.msg_no;
        g.grant = e.grant;
        g.offset = e.tag;
        g.length = e.length;
        return put_record(p, limit, g);
    }
    case SendOp::done: {
        wire::Done d;
        d.h.flags = e.status;
        d.flow = w.remote;
        d.msg_no = e.msg_no;
        d.count = e.count;
        return put_record(p, limit, d);
    }
    case SendOp::abort: {
        wire::Abort a;
        a.h.flags = e.flags & kSendFirst ? wire::kSource : 0;
        if (e.flags & kSendRemote) a.h.flags |= wire::kRemote;
        a.queue_pair = w.remote;
        a.flow = e.flow;
        a.msg_no = e.msg_no;
        size_t bytes = sizeof a + (e.flags & kSendFirst ? sizeof w.source : 0);
        if (record_space(p, limit) < bytes) return false;
        std::byte* at = wire::store(p.append(bytes), a);
        if (e.flags & kSendFirst) wire::store(at, w.source);
        if (w.remote == 0) p.to_endpoint_port = true;
        return true;
    }
    case SendOp::watch:
    case SendOp::watch_flow:
    case SendOp::open_fetch:
    case SendOp::close_fetch: break; // between host and device: no work comes of them
    }
    return false;
}

bool put_bulk(transport::Outgoing& p, size_t limit, SendWork& w) {
    switch (w.entry.op) {
    case SendOp::granted: return put_granted_piece(p, limit, w);
    case SendOp::write: return put_write_piece(p, limit, w);
    default: return put_message_piece(p, limit, w);
    }
}

} // namespace rill::nic
