// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Records of remote operations, from send-queue entries to what a packet carries.
#include "nic/outbox.hpp"

#include "util/iov.hpp"

#include <algorithm>

namespace rill::nic {
namespace {

size_t write_header_bytes(const SendWork& w) {
    return sizeof(wire::Write) +
           (w.entry.flags & kSendImmediate ? sizeof w.entry.immediate + sizeof w.source : 0);
}

// The fields that all three have.
template <class Record>
Record record_of(const SendWork& w) {
    const RemoteRange& range = w.remote_work->range;
    Record r;
    r.queue_pair = w.remote;
    r.flow = w.entry.flow;
    r.msg_no = w.entry.msg_no;
    r.key = range.key;
    r.address = range.address;
    r.length = range.length;
    r.total = range.total;
    return r;
}

std::byte* put_write(std::byte* at, const SendWork& w, uint64_t offset, size_t bytes) {
    auto r = record_of<wire::Write>(w);
    const bool immediate = w.entry.flags & kSendImmediate;
    r.h.length = static_cast<uint16_t>(bytes);
    if (immediate) r.h.flags = wire::kImmediate;
    r.offset = offset;
    at = wire::store(at, r);
    if (!immediate) return at;
    return wire::store(wire::store(at, w.entry.immediate), w.source);
}

void address(transport::Outgoing& p, const SendWork& w) {
    if (w.remote == 0) p.to_endpoint_port = true;
}

} // namespace

bool put_inline_write(transport::Outgoing& p, size_t limit, const SendWork& w) {
    const SendEntry& e = w.entry;
    const size_t bytes = write_header_bytes(w) + e.length;
    if (record_space(p, limit) < bytes) return false;
    std::byte* at = put_write(p.append(bytes), w, 0, e.length);
    gather({e.iov, e.iov_count}, w.remote_work->range.offset, {at, static_cast<size_t>(e.length)});
    address(p, w);
    return true;
}

bool put_write_piece(transport::Outgoing& p, size_t limit, SendWork& w) {
    const SendEntry& e = w.entry;
    const size_t header = write_header_bytes(w);
    size_t n;
    if (!piece_fits(p, limit, header, e.length - w.next, n)) return false;
    put_write(p.append(header), w, w.next, n);
    address(p, w);
    set_slice(p, w, w.remote_work->range.offset + w.next, n);
    w.next += n;
    w.cut = w.next == e.length;
    return true;
}

bool put_read(transport::Outgoing& p, size_t limit, const SendWork& w) {
    if (record_space(p, limit) < sizeof(wire::Read)) return false;
    auto r = record_of<wire::Read>(w);
    r.fetch = w.entry.grant;
    r.offset = w.remote_work->range.offset;
    wire::store(p.append(sizeof r), r);
    address(p, w);
    return true;
}

bool put_atomic(transport::Outgoing& p, size_t limit, const SendWork& w) {
    const RemoteRange& range = w.remote_work->range;
    const std::vector<std::byte>& payload = w.remote_work->bytes;
    const size_t bytes = sizeof(wire::Atomic) + payload.size();
    if (record_space(p, limit) < bytes) return false;
    auto r = record_of<wire::Atomic>(w);
    r.h.length = static_cast<uint16_t>(payload.size());
    r.fetch = w.entry.grant;
    r.offset = static_cast<uint32_t>(range.offset);
    r.order = range.order;
    r.op = range.op;
    r.type = range.type;
    r.kind = range.kind;
    std::byte* at = wire::store(p.append(bytes), r);
    std::copy(payload.begin(), payload.end(), at);
    address(p, w);
    return true;
}

bool put_answer(transport::Outgoing& p, size_t limit, const SendWork& w) {
    const std::vector<std::byte>& payload = w.remote_work->bytes;
    const size_t bytes = sizeof(wire::Answer) + payload.size();
    if (record_space(p, limit) < bytes) return false;
    wire::Answer a;
    a.h.flags = w.entry.status;
    a.h.length = static_cast<uint16_t>(payload.size());
    a.fetch = w.entry.grant;
    a.offset = w.remote_work->range.offset;
    std::byte* at = wire::store(p.append(bytes), a);
    std::copy(payload.begin(), payload.end(), at);
    return true;
}

} // namespace rill::nic
