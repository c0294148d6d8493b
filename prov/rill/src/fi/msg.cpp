// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Messages without tags: fi_send, fi_recv and their forms.
#include "fi/attributes.hpp"
#include "fi/operations.hpp"

namespace rill::fi {

namespace {

Endpoint& ep_of(fid_ep* handle) {
    return object_of<Endpoint>(handle);
}

ssize_t post_receive(Endpoint& ep, const iovec* iov, size_t count, fi_addr_t source, void* context,
                     uint64_t flags, rdm::CompletionSink* sink = nullptr) {
    if (flags & ~(kRxFlags | kRxCallFlags)) return -FI_EINVAL;
    rdm::RecvRequest r;
    r.iov = iov;
    r.iov_count = count;
    r.source = ep.receive_source(source);
    r.context = context;
    r.sink = sink;
    r.multi = flags & FI_MULTI_RECV;
    if (r.multi && count != 1) return -FI_EINVAL;
    return ep.receive(r, flags);
}

rdm::SendRequest send_request(const iovec* iov, size_t count, fi_addr_t destination,
                              void* context) {
    rdm::SendRequest r;
    r.iov = iov;
    r.iov_count = count;
    r.destination = destination;
    r.context = context;
    return r;
}

iovec one(const void* buf, size_t len) {
    return {.iov_base = const_cast<void*>(buf), .iov_len = len};
}

ssize_t recv_entry(fid_ep* handle, void* buf, size_t len, void*, fi_addr_t source, void* context) {
    return guarded([&] {
        Endpoint& ep = ep_of(handle);
        const iovec iov = one(buf, len);
        return post_receive(ep, &iov, 1, source, context, ep.rx_flags());
    });
}

ssize_t recvv_entry(fid_ep* handle, const iovec* iov, void**, size_t count, fi_addr_t source,
                    void* context) {
    return guarded([&] {
        Endpoint& ep = ep_of(handle);
        return post_receive(ep, iov, count, source, context, ep.rx_flags());
    });
}

ssize_t recvmsg_entry(fid_ep* handle, const fi_msg* msg, uint64_t flags) {
    return guarded([&] {
        Endpoint& ep = ep_of(handle);
        return receive_message(ep, *msg, flags | ep.rx_msg_flags(), nullptr);
    });
}

ssize_t send_entry(fid_ep* handle, const void* buf, size_t len, void*, fi_addr_t destination,
                   void* context) {
    return guarded([&] {
        Endpoint& ep = ep_of(handle);
        const iovec iov = one(buf, len);
        rdm::SendRequest r = send_request(&iov, 1, destination, context);
        return ep.send(r, ep.tx_flags());
    });
}

ssize_t sendv_entry(fid_ep* handle, const iovec* iov, void**, size_t count, fi_addr_t destination,
                    void* context) {
    return guarded([&] {
        Endpoint& ep = ep_of(handle);
        rdm::SendRequest r = send_request(iov, count, destination, context);
        return ep.send(r, ep.tx_flags());
    });
}

ssize_t sendmsg_entry(fid_ep* handle, const fi_msg* msg, uint64_t flags) {
    return guarded([&] {
        Endpoint& ep = ep_of(handle);
        return send_message(ep, *msg, flags | ep.tx_msg_flags(), nullptr);
    });
}

ssize_t inject_entry(fid_ep* handle, const void* buf, size_t len, fi_addr_t destination) {
    return guarded([&] {
        const iovec iov = one(buf, len);
        rdm::SendRequest r = send_request(&iov, 1, destination, nullptr);
        return ep_of(handle).inject(r);
    });
}

ssize_t senddata_entry(fid_ep* handle, const void* buf, size_t len, void*, uint64_t data,
                       fi_addr_t destination, void* context) {
    return guarded([&] {
        Endpoint& ep = ep_of(handle);
        const iovec iov = one(buf, len);
        rdm::SendRequest r = send_request(&iov, 1, destination, context);
        r.has_data = true;
        r.data = data;
        return ep.send(r, ep.tx_flags());
    });
}

ssize_t injectdata_entry(fid_ep* handle, const void* buf, size_t len, uint64_t data,
                         fi_addr_t destination) {
    return guarded([&] {
        const iovec iov = one(buf, len);
        rdm::SendRequest r = send_request(&iov, 1, destination, nullptr);
        r.has_data = true;
        r.data = data;
        return ep_of(handle).inject(r);
    });
}

} // namespace

ssize_t send_message(Endpoint& ep, const fi_msg& msg, uint64_t flags, rdm::CompletionSink* sink) {
    rdm::SendRequest r = send_request(msg.msg_iov, msg.iov_count, msg.addr, msg.context);
    r.has_data = flags & FI_REMOTE_CQ_DATA;
    if (r.has_data) r.data = msg.data;
    r.sink = sink;
    return ep.send(r, flags);
}

ssize_t receive_message(Endpoint& ep, const fi_msg& msg, uint64_t flags,
                        rdm::CompletionSink* sink) {
    return post_receive(ep, msg.msg_iov, msg.iov_count, msg.addr, msg.context, flags, sink);
}

fi_ops_msg msg_ops = {
    .size = sizeof(fi_ops_msg),
    .recv = recv_entry,
    .recvv = recvv_entry,
    .recvmsg = recvmsg_entry,
    .send = send_entry,
    .sendv = sendv_entry,
    .sendmsg = sendmsg_entry,
    .inject = inject_entry,
    .senddata = senddata_entry,
    .injectdata = injectdata_entry,
};

} // namespace rill::fi
