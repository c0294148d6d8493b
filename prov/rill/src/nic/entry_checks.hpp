// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

// What an entry of a queue must be before the device acts on it, whoever wrote it: an operation that a
// host may ask for, and lists that hold the bytes that it speaks of. That the lists' addresses are
// the program's is taken on trust, as a processor takes it.

#include "nic/atomic_ops.hpp"
#include "nic/entries.hpp"
#include "util/iov.hpp"

#include <cstdint>

namespace rill::nic {

// Whether a list holds the bytes [offset, offset + length).
inline bool covers(const iovec* list, uint8_t count, uint64_t offset, uint64_t length) {
    uint64_t end;
    if (__builtin_add_overflow(offset, length, &end)) return false;
    return count == 1 ? list->iov_len >= end : total_bytes({list, count}) >= end;
}

inline bool covers(const SendEntry& e, uint64_t offset) {
    return covers(e.iov, e.iov_count, offset, e.length);
}

// Of a range that lies in its operation.
inline bool is_sound(const RemoteRange& r, uint64_t length) {
    return r.length == length && r.length <= r.total && r.offset <= r.total - r.length;
}

inline bool is_sound_atomic(const SendEntry& e) {
    const RemoteRange& r = *e.remote;
    if (!is_sound(r, e.length) || !is_valid_atomic(r.kind, r.op, r.type)) return false;
    const uint64_t operands = r.kind == wire::AtomicKind::compare ? 2 * r.total : r.total;
    return r.length > 0 && operands <= wire::kAtomicBytesMax &&
           r.length % wire::bytes_of(r.type) == 0 &&
           (r.op == wire::AtomicOp::read || covers(e.iov, e.iov_count, 0, operands));
}

inline bool is_sound(const SendEntry& e) {
    const bool copied = e.flags & kSendInline;
    if ((e.flags & kSendFetch) || (!e.iov && e.iov_count)) return false;
    switch (e.op) {
    case SendOp::message: return covers(e, 0) && !(copied && e.length > kInlineBytesMax);
    case SendOp::done: return true;
    case SendOp::granted: return e.length > 0 && covers(e, e.tag);
    case SendOp::write:
        return e.remote && is_sound(*e.remote, e.length) && covers(e, e.remote->offset) &&
               !(copied && e.length > kInlineBytesMax);
    case SendOp::read: return e.remote && is_sound(*e.remote, e.length);
    case SendOp::atomic: return e.remote && is_sound_atomic(e);
    case SendOp::open_fetch: return e.fetch != nullptr;
    case SendOp::grant:
    case SendOp::abort:
    case SendOp::watch:
    case SendOp::watch_flow:
    case SendOp::close_fetch: return true;
    case SendOp::answer: return false; // the device's own
    }
    return false;
}

inline bool is_sound(const ReceiveEntry& e) {
    switch (e.op) {
    case ReceiveOp::post:
        return (e.iov || !e.iov_count) && (!(e.flags & kReceiveMulti) || e.iov_count == 1);
    case ReceiveOp::steer:
    case ReceiveOp::placed: return e.iov || !e.iov_count;
    case ReceiveOp::cancel:
    case ReceiveOp::turn:
    case ReceiveOp::drop:
    case ReceiveOp::introduce:
    case ReceiveOp::rename:
    case ReceiveOp::release:
    case ReceiveOp::give_back: return true;
    }
    return false;
}

} // namespace rill::nic
