// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Atomic operations: fi_atomic, fi_fetch_atomic, fi_compare_atomic and their forms.
#include "fi/atomic.hpp"

#include "fi/operations.hpp"
#include "nic/atomic_ops.hpp"

namespace rill::fi {

namespace {

using wire::AtomicKind;
using wire::AtomicOp;
using wire::AtomicType;

// The wire has libfabric's numbers.
static_assert(FI_MIN == int(AtomicOp::min) && FI_BXOR == int(AtomicOp::bit_xor) &&
              FI_ATOMIC_READ == int(AtomicOp::read) && FI_CSWAP == int(AtomicOp::cswap) &&
              FI_MSWAP == int(AtomicOp::mswap));
static_assert(FI_INT8 == int(AtomicType::int8) && FI_FLOAT == int(AtomicType::float32) &&
              FI_DOUBLE_COMPLEX == int(AtomicType::complex64) &&
              FI_LONG_DOUBLE_COMPLEX == int(AtomicType::complex_long_double) &&
              FI_INT128 == int(AtomicType::int128) && FI_UINT128 == int(AtomicType::uint128));

Endpoint& ep_of(fid_ep* handle) {
    return object_of<Endpoint>(handle);
}

bool is_known(fi_datatype type, fi_op op) {
    return static_cast<size_t>(type) < wire::kAtomicTypes &&
           static_cast<size_t>(op) < wire::kAtomicOps;
}

// Elements of one operation; 0: there is no such operation.
size_t elements(AtomicKind kind, fi_datatype type, fi_op op) {
    if (!is_known(type, op)) return 0;
    const auto t = static_cast<AtomicType>(type);
    if (!nic::is_valid_atomic(kind, static_cast<AtomicOp>(op), t)) return 0;
    const size_t lists = kind == AtomicKind::compare ? 2 : 1;
    return wire::kAtomicBytesMax / lists / wire::bytes_of(t);
}

int report_elements(AtomicKind kind, fi_datatype type, fi_op op, size_t* count) {
    const size_t n = elements(kind, type, op);
    if (n == 0) return -FI_EOPNOTSUPP;
    if (count) *count = n;
    return 0;
}

// A list of the program's, in bytes.
struct List {
    iovec entries[rdm::kIovMax];
    size_t count = 0;
    size_t bytes = 0;

    // -FI_EINVAL: too many entries; -FI_EMSGSIZE: too many bytes for any atomic operation.
    int take(const fi_ioc* from, size_t n, size_t element) {
        if (n > rdm::kIovMax) return -FI_EINVAL;
        for (size_t i = 0; i < n; ++i) {
            if (from[i].count > wire::kAtomicBytesMax) return -FI_EMSGSIZE;
            entries[i] = {from[i].addr, from[i].count * element};
            bytes += entries[i].iov_len;
        }
        count = n;
        return 0;
    }
};

// The three lists of a call, by count of elements; those that it does not have are empty.
struct Lists {
    const fi_ioc* operands = nullptr;
    size_t operand_count = 0;
    const fi_ioc* compares = nullptr;
    size_t compare_count = 0;
    const fi_ioc* results = nullptr;
    size_t result_count = 0;
};

struct Call {
    AtomicKind kind;
    fi_datatype type;
    fi_op op;
    fi_addr_t peer;
    void* context;
    uint64_t flags;
    bool inject = false;
    rdm::CompletionSink* sink = nullptr;
};

// `ranges` null: one, as long as the lists, at (addr, key).
ssize_t post(Endpoint& ep, const Call& call, const Lists& lists, const fi_rma_ioc* ranges,
             size_t range_count, uint64_t addr = 0, uint64_t key = 0) {
    if (elements(call.kind, call.type, call.op) == 0) return -FI_EOPNOTSUPP;
    if (range_count > rdm::kRangesMax) return -FI_EINVAL;
    const auto type = static_cast<AtomicType>(call.type);
    const size_t element = wire::bytes_of(type);
    List operands, compares, results;
    int failed = 0;
    if (call.op != FI_ATOMIC_READ)
        failed = operands.take(lists.operands, lists.operand_count, element);
    if (!failed) failed = compares.take(lists.compares, lists.compare_count, element);
    if (!failed) failed = results.take(lists.results, lists.result_count, element);
    if (failed) return failed;
    rdm::RemoteMemory memory[rdm::kRangesMax];
    if (!ranges)
        memory[0] = {addr, call.op == FI_ATOMIC_READ ? results.bytes : operands.bytes, key};
    for (size_t i = 0; ranges && i < range_count; ++i) {
        if (ranges[i].count > wire::kAtomicBytesMax) return -FI_EMSGSIZE;
        memory[i] = {ranges[i].addr, ranges[i].count * element, ranges[i].key};
    }
    rdm::AtomicRequest r;
    r.operands = operands.entries;
    r.operand_count = operands.count;
    r.compares = compares.entries;
    r.compare_count = compares.count;
    r.results = results.entries;
    r.result_count = results.count;
    r.ranges = memory;
    r.range_count = range_count;
    r.op = static_cast<AtomicOp>(call.op);
    r.type = type;
    r.kind = call.kind;
    r.destination = call.peer;
    r.context = call.context;
    r.sink = call.sink;
    return call.inject ? ep.inject_atomic(r) : ep.atomic(r, call.flags);
}

fi_ioc one(const void* buf, size_t count) {
    return {.addr = const_cast<void*>(buf), .count = count};
}

// The message form of any kind; the lists of `results` and `compares` are empty where it has none.
ssize_t post_message(Endpoint& ep, AtomicKind kind, const fi_msg_atomic& m,
                     const fi_msg_compare& compares, const fi_msg_fetch& results, uint64_t flags,
                     rdm::CompletionSink* sink) {
    // Nobody can be told data by an atomic operation. As the endpoint's default it means others.
    if (flags & FI_REMOTE_CQ_DATA) return -FI_EINVAL;
    return post(ep, {kind, m.datatype, m.op, m.addr, m.context, flags, false, sink},
                {m.msg_iov, m.iov_count, compares.msg_iov, compares.iov_count, results.msg_iov,
                 results.iov_count},
                m.rma_iov, m.rma_iov_count);
}

ssize_t write_entry(fid_ep* handle, const void* buf, size_t count, void*, fi_addr_t peer,
                    uint64_t addr, uint64_t key, fi_datatype type, fi_op op, void* context) {
    return guarded([&] {
        const fi_ioc ioc = one(buf, count);
        return post(ep_of(handle),
                    {AtomicKind::base, type, op, peer, context, ep_of(handle).tx_flags()},
                    {.operands = &ioc, .operand_count = 1}, nullptr, 1, addr, key);
    });
}

ssize_t writev_entry(fid_ep* handle, const fi_ioc* iov, void**, size_t count, fi_addr_t peer,
                     uint64_t addr, uint64_t key, fi_datatype type, fi_op op, void* context) {
    return guarded([&] {
        return post(ep_of(handle),
                    {AtomicKind::base, type, op, peer, context, ep_of(handle).tx_flags()},
                    {.operands = iov, .operand_count = count}, nullptr, 1, addr, key);
    });
}

ssize_t writemsg_entry(fid_ep* handle, const fi_msg_atomic* m, uint64_t flags) {
    return guarded([&] {
        Endpoint& ep = ep_of(handle);
        return atomic_message(ep, *m, flags | ep.tx_msg_flags(), nullptr);
    });
}

ssize_t inject_entry(fid_ep* handle, const void* buf, size_t count, fi_addr_t peer, uint64_t addr,
                     uint64_t key, fi_datatype type, fi_op op) {
    return guarded([&] {
        const fi_ioc ioc = one(buf, count);
        return post(ep_of(handle), {AtomicKind::base, type, op, peer, nullptr, 0, true},
                    {.operands = &ioc, .operand_count = 1}, nullptr, 1, addr, key);
    });
}

ssize_t readwrite_entry(fid_ep* handle, const void* buf, size_t count, void*, void* result, void*,
                        fi_addr_t peer, uint64_t addr, uint64_t key, fi_datatype type, fi_op op,
                        void* context) {
    return guarded([&] {
        const fi_ioc ioc = one(buf, count);
        const fi_ioc to = one(result, count);
        return post(ep_of(handle),
                    {AtomicKind::fetch, type, op, peer, context, ep_of(handle).tx_flags()},
                    {.operands = &ioc, .operand_count = 1, .results = &to, .result_count = 1},
                    nullptr, 1, addr, key);
    });
}

ssize_t readwritev_entry(fid_ep* handle, const fi_ioc* iov, void**, size_t count, fi_ioc* resultv,
                         void**, size_t result_count, fi_addr_t peer, uint64_t addr, uint64_t key,
                         fi_datatype type, fi_op op, void* context) {
    return guarded([&] {
        return post(ep_of(handle),
                    {AtomicKind::fetch, type, op, peer, context, ep_of(handle).tx_flags()},
                    {.operands = iov,
                     .operand_count = count,
                     .results = resultv,
                     .result_count = result_count},
                    nullptr, 1, addr, key);
    });
}

ssize_t readwritemsg_entry(fid_ep* handle, const fi_msg_atomic* m, fi_ioc* resultv, void**,
                           size_t result_count, uint64_t flags) {
    return guarded([&] {
        Endpoint& ep = ep_of(handle);
        return fetch_atomic_message(ep, *m, {resultv, nullptr, result_count},
                                    flags | ep.tx_msg_flags(), nullptr);
    });
}

ssize_t compwrite_entry(fid_ep* handle, const void* buf, size_t count, void*, const void* compare,
                        void*, void* result, void*, fi_addr_t peer, uint64_t addr, uint64_t key,
                        fi_datatype type, fi_op op, void* context) {
    return guarded([&] {
        const fi_ioc ioc = one(buf, count);
        const fi_ioc with = one(compare, count);
        const fi_ioc to = one(result, count);
        return post(ep_of(handle),
                    {AtomicKind::compare, type, op, peer, context, ep_of(handle).tx_flags()},
                    {&ioc, 1, &with, 1, &to, 1}, nullptr, 1, addr, key);
    });
}

ssize_t compwritev_entry(fid_ep* handle, const fi_ioc* iov, void**, size_t count,
                         const fi_ioc* comparev, void**, size_t compare_count, fi_ioc* resultv,
                         void**, size_t result_count, fi_addr_t peer, uint64_t addr, uint64_t key,
                         fi_datatype type, fi_op op, void* context) {
    return guarded([&] {
        return post(
            ep_of(handle), {AtomicKind::compare, type, op, peer, context, ep_of(handle).tx_flags()},
            {iov, count, comparev, compare_count, resultv, result_count}, nullptr, 1, addr, key);
    });
}

ssize_t compwritemsg_entry(fid_ep* handle, const fi_msg_atomic* m, const fi_ioc* comparev, void**,
                           size_t compare_count, fi_ioc* resultv, void**, size_t result_count,
                           uint64_t flags) {
    return guarded([&] {
        Endpoint& ep = ep_of(handle);
        return compare_atomic_message(ep, *m, {comparev, nullptr, compare_count},
                                      {resultv, nullptr, result_count}, flags | ep.tx_msg_flags(),
                                      nullptr);
    });
}

int writevalid_entry(fid_ep*, fi_datatype type, fi_op op, size_t* count) {
    return report_elements(AtomicKind::base, type, op, count);
}

int readwritevalid_entry(fid_ep*, fi_datatype type, fi_op op, size_t* count) {
    return report_elements(AtomicKind::fetch, type, op, count);
}

int compwritevalid_entry(fid_ep*, fi_datatype type, fi_op op, size_t* count) {
    return report_elements(AtomicKind::compare, type, op, count);
}

} // namespace

ssize_t atomic_message(Endpoint& ep, const fi_msg_atomic& msg, uint64_t flags,
                       rdm::CompletionSink* sink) {
    return post_message(ep, AtomicKind::base, msg, {}, {}, flags, sink);
}

ssize_t fetch_atomic_message(Endpoint& ep, const fi_msg_atomic& msg, const fi_msg_fetch& results,
                             uint64_t flags, rdm::CompletionSink* sink) {
    return post_message(ep, AtomicKind::fetch, msg, {}, results, flags, sink);
}

ssize_t compare_atomic_message(Endpoint& ep, const fi_msg_atomic& msg,
                               const fi_msg_compare& compares, const fi_msg_fetch& results,
                               uint64_t flags, rdm::CompletionSink* sink) {
    return post_message(ep, AtomicKind::compare, msg, compares, results, flags, sink);
}

int query_atomic(fi_datatype type, fi_op op, uint64_t flags, fi_atomic_attr& attr) {
    if (flags & FI_TAGGED) return -FI_EOPNOTSUPP; // atomic operations on receive buffers
    AtomicKind kind = AtomicKind::base;
    switch (flags) {
    case 0: break;
    case FI_FETCH_ATOMIC: kind = AtomicKind::fetch; break;
    case FI_COMPARE_ATOMIC: kind = AtomicKind::compare; break;
    default: return -FI_EBADFLAGS;
    }
    if (const int failed = report_elements(kind, type, op, &attr.count)) return failed;
    attr.size = wire::bytes_of(static_cast<AtomicType>(type));
    return 0;
}

fi_ops_atomic atomic_ops = {
    .size = sizeof(fi_ops_atomic),
    .write = write_entry,
    .writev = writev_entry,
    .writemsg = writemsg_entry,
    .inject = inject_entry,
    .readwrite = readwrite_entry,
    .readwritev = readwritev_entry,
    .readwritemsg = readwritemsg_entry,
    .compwrite = compwrite_entry,
    .compwritev = compwritev_entry,
    .compwritemsg = compwritemsg_entry,
    .writevalid = writevalid_entry,
    .readwritevalid = readwritevalid_entry,
    .compwritevalid = compwritevalid_entry,
};

} // namespace rill::fi
