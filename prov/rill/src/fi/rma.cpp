// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// RMA: fi_read, fi_write and their forms.
#include "fi/operations.hpp"

#include <algorithm>

namespace rill::fi {

namespace {

Endpoint& ep_of(fid_ep* handle) {
    return object_of<Endpoint>(handle);
}

iovec one(const void* buf, size_t len) {
    return {.iov_base = const_cast<void*>(buf), .iov_len = len};
}

// A request for one range as long as the list.
struct Request : rdm::RmaRequest {
    Request(bool is_read, const iovec* list, size_t count, fi_addr_t peer, uint64_t addr,
            uint64_t key, void* op_context)
        : range{addr, 0, key} {
        for (size_t i = 0; i < count; ++i)
            range.length += list[i].iov_len;
        iov = list;
        iov_count = count;
        ranges = &range;
        range_count = 1;
        destination = peer;
        context = op_context;
        read = is_read;
    }
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;

    rdm::RemoteMemory range;
};

ssize_t post_message(Endpoint& ep, const fi_msg_rma& msg, uint64_t flags, rdm::CompletionSink* sink,
                     bool read) {
    if (msg.rma_iov_count > rdm::kRangesMax || (read && (flags & FI_REMOTE_CQ_DATA)))
        return -FI_EINVAL;
    rdm::RemoteMemory ranges[rdm::kRangesMax];
    std::transform(msg.rma_iov, msg.rma_iov + msg.rma_iov_count, ranges, [](const fi_rma_iov& r) {
        return rdm::RemoteMemory{r.addr, r.len, r.key};
    });
    rdm::RmaRequest r;
    r.iov = msg.msg_iov;
    r.iov_count = msg.iov_count;
    r.ranges = ranges;
    r.range_count = msg.rma_iov_count;
    r.destination = msg.addr;
    r.context = msg.context;
    r.read = read;
    r.has_data = flags & FI_REMOTE_CQ_DATA;
    if (r.has_data) r.data = msg.data;
    r.sink = sink;
    return ep.rma(r, flags);
}

ssize_t read_entry(fid_ep* handle, void* buf, size_t len, void*, fi_addr_t source, uint64_t addr,
                   uint64_t key, void* context) {
    return guarded([&] {
        const iovec iov = one(buf, len);
        Request r(true, &iov, 1, source, addr, key, context);
        return ep_of(handle).rma(r, ep_of(handle).tx_flags());
    });
}

ssize_t readv_entry(fid_ep* handle, const iovec* iov, void**, size_t count, fi_addr_t source,
                    uint64_t addr, uint64_t key, void* context) {
    return guarded([&]() -> ssize_t {
        if (count > rdm::kIovMax) return -FI_EINVAL;
        Request r(true, iov, count, source, addr, key, context);
        return ep_of(handle).rma(r, ep_of(handle).tx_flags());
    });
}

ssize_t readmsg_entry(fid_ep* handle, const fi_msg_rma* msg, uint64_t flags) {
    return guarded([&] {
        Endpoint& ep = ep_of(handle);
        return read_message(ep, *msg, flags | ep.tx_msg_flags(), nullptr);
    });
}

ssize_t write_entry(fid_ep* handle, const void* buf, size_t len, void*, fi_addr_t destination,
                    uint64_t addr, uint64_t key, void* context) {
    return guarded([&] {
        const iovec iov = one(buf, len);
        Request r(false, &iov, 1, destination, addr, key, context);
        return ep_of(handle).rma(r, ep_of(handle).tx_flags());
    });
}

ssize_t writev_entry(fid_ep* handle, const iovec* iov, void**, size_t count, fi_addr_t destination,
                     uint64_t addr, uint64_t key, void* context) {
    return guarded([&]() -> ssize_t {
        if (count > rdm::kIovMax) return -FI_EINVAL;
        Request r(false, iov, count, destination, addr, key, context);
        return ep_of(handle).rma(r, ep_of(handle).tx_flags());
    });
}

ssize_t writemsg_entry(fid_ep* handle, const fi_msg_rma* msg, uint64_t flags) {
    return guarded([&] {
        Endpoint& ep = ep_of(handle);
        return write_message(ep, *msg, flags | ep.tx_msg_flags(), nullptr);
    });
}

ssize_t inject_entry(fid_ep* handle, const void* buf, size_t len, fi_addr_t destination,
                     uint64_t addr, uint64_t key) {
    return guarded([&] {
        const iovec iov = one(buf, len);
        Request r(false, &iov, 1, destination, addr, key, nullptr);
        return ep_of(handle).inject_write(r);
    });
}

ssize_t writedata_entry(fid_ep* handle, const void* buf, size_t len, void*, uint64_t data,
                        fi_addr_t destination, uint64_t addr, uint64_t key, void* context) {
    return guarded([&] {
        const iovec iov = one(buf, len);
        Request r(false, &iov, 1, destination, addr, key, context);
        r.has_data = true;
        r.data = data;
        return ep_of(handle).rma(r, ep_of(handle).tx_flags());
    });
}

ssize_t injectdata_entry(fid_ep* handle, const void* buf, size_t len, uint64_t data,
                         fi_addr_t destination, uint64_t addr, uint64_t key) {
    return guarded([&] {
        const iovec iov = one(buf, len);
        Request r(false, &iov, 1, destination, addr, key, nullptr);
        r.has_data = true;
        r.data = data;
        return ep_of(handle).inject_write(r);
    });
}

} // namespace

ssize_t write_message(Endpoint& ep, const fi_msg_rma& msg, uint64_t flags,
                      rdm::CompletionSink* sink) {
    return post_message(ep, msg, flags, sink, false);
}

ssize_t read_message(Endpoint& ep, const fi_msg_rma& msg, uint64_t flags,
                     rdm::CompletionSink* sink) {
    return post_message(ep, msg, flags, sink, true);
}

fi_ops_rma rma_ops = {
    .size = sizeof(fi_ops_rma),
    .read = read_entry,
    .readv = readv_entry,
    .readmsg = readmsg_entry,
    .write = write_entry,
    .writev = writev_entry,
    .writemsg = writemsg_entry,
    .inject = inject_entry,
    .writedata = writedata_entry,
    .injectdata = injectdata_entry,
};

} // namespace rill::fi
