// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

// What a record of a remote operation must be, whatever it is about.

#include "nic/atomic_ops.hpp"
#include "nic/device.hpp"

namespace rill::nic {

// Atomic operations before their turn that the device keeps. Further ones are not acknowledged: a
// network reorders by a train or two, and the missing one is always taken.
inline constexpr uint32_t kEarlyAtomicsMax = 512;

// How far the first pass over a packet has come.
struct Device::RemoteChecks {
    uint32_t answers = 0;
    uint32_t early = 0;
    uint32_t partials = 0;
    uint32_t flow = 0; // of the last atomic, and the order of the next one that comes in its turn
    uint32_t order = 0;
    bool has_flow = false;
};

inline bool atomic_bounds_ok(const wire::Atomic& a, size_t payload) {
    if (!is_valid_atomic(a.kind, a.op, a.type)) return false;
    const size_t operands = a.op == wire::AtomicOp::read ? 0 : a.length;
    const bool compares = a.kind == wire::AtomicKind::compare;
    return a.total <= wire::kAtomicBytesMax && a.length > 0 && a.length <= a.total &&
           a.offset <= a.total - a.length && a.length % wire::bytes_of(a.type) == 0 &&
           payload == (compares ? 2 * operands : operands);
}

inline bool remote_bounds_ok(const wire::RecordView& r) {
    const uint64_t n = r.payload.size();
    switch (r.type) {
    case wire::RecordType::write: {
        const wire::Write& w = r.write;
        return w.length <= w.total && w.offset <= w.length && n <= w.length - w.offset &&
               (n > 0 || w.total == 0);
    }
    case wire::RecordType::read: {
        const wire::Read& q = r.read;
        return n == 0 && q.length <= q.total && q.offset <= q.total - q.length &&
               (q.length > 0 || q.total == 0);
    }
    case wire::RecordType::atomic: return atomic_bounds_ok(r.atomic, n);
    case wire::RecordType::message:
    case wire::RecordType::fragment:
    case wire::RecordType::granted:
    case wire::RecordType::grant:
    case wire::RecordType::done:
    case wire::RecordType::abort:
    case wire::RecordType::answer: break;
    }
    return true;
}

} // namespace rill::nic
