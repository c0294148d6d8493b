// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Tagged messages: fi_tsend, fi_trecv and their forms.
#include "fi/attributes.hpp"
#include "fi/operations.hpp"

namespace rill::fi {

namespace {

constexpr uint64_t kLookFlags = FI_PEEK | FI_CLAIM | FI_DISCARD;

Endpoint& ep_of(fid_ep* handle) {
    return object_of<Endpoint>(handle);
}

struct Match {
    fi_addr_t source;
    uint64_t tag;
    uint64_t ignore;
};

rdm::RecvRequest receive_request(Endpoint& ep, const iovec* iov, size_t count, const Match& match,
                                 void* context) {
    rdm::RecvRequest r;
    r.iov = iov;
    r.iov_count = count;
    r.source = ep.receive_source(match.source);
    r.tag = match.tag;
    r.ignore = match.ignore;
    r.context = context;
    r.tagged = true;
    return r;
}

// Multi-receive is for messages without tags: as a default of the endpoint it is not meant here.
ssize_t post_receive(Endpoint& ep, const iovec* iov, size_t count, const Match& match,
                     void* context) {
    rdm::RecvRequest r = receive_request(ep, iov, count, match, context);
    return ep.receive(r, ep.rx_flags());
}

// FI_PEEK with or without what is to become of the message, or FI_CLAIM of what a peek held.
ssize_t look(Endpoint& ep, const fi_msg_tagged& msg, uint64_t flags) {
    const bool claim = flags & FI_CLAIM;
    const bool discard = flags & FI_DISCARD;
    const Match match{msg.addr, msg.tag, msg.ignore};
    if (flags & FI_PEEK) {
        if (claim && discard) return -FI_EINVAL;
        rdm::PeekRequest r;
        r.source = ep.receive_source(match.source);
        r.tag = match.tag;
        r.ignore = match.ignore;
        r.context = msg.context;
        r.claim = claim;
        r.discard = discard;
        return ep.peek(r);
    }
    if (!claim) return -FI_EINVAL; // FI_DISCARD alone
    rdm::RecvRequest r = receive_request(ep, msg.msg_iov, msg.iov_count, match, msg.context);
    return ep.receive_claimed(r, flags, discard);
}

rdm::SendRequest send_request(const iovec* iov, size_t count, fi_addr_t destination, uint64_t tag,
                              void* context) {
    rdm::SendRequest r;
    r.iov = iov;
    r.iov_count = count;
    r.destination = destination;
    r.tag = tag;
    r.context = context;
    r.tagged = true;
    return r;
}

iovec one(const void* buf, size_t len) {
    return {.iov_base = const_cast<void*>(buf), .iov_len = len};
}

ssize_t recv_entry(fid_ep* handle, void* buf, size_t len, void*, fi_addr_t source, uint64_t tag,
                   uint64_t ignore, void* context) {
    return guarded([&] {
        const iovec iov = one(buf, len);
        return post_receive(ep_of(handle), &iov, 1, {source, tag, ignore}, context);
    });
}

ssize_t recvv_entry(fid_ep* handle, const iovec* iov, void**, size_t count, fi_addr_t source,
                    uint64_t tag, uint64_t ignore, void* context) {
    return guarded([&] {
        return post_receive(ep_of(handle), iov, count, {source, tag, ignore}, context);
    });
}

ssize_t recvmsg_entry(fid_ep* handle, const fi_msg_tagged* msg, uint64_t flags) {
    return guarded([&]() -> ssize_t {
        Endpoint& ep = ep_of(handle);
        const uint64_t all = flags | ep.rx_msg_flags();
        const uint64_t either = flags & FI_TRIGGER ? FI_TRIGGER : kLookFlags;
        constexpr uint64_t always = (kRxFlags & ~FI_MULTI_RECV) | FI_RILL_REPORT_CHUNKS;
        if (flags & ~(always | either)) return -FI_EINVAL;
        if (flags & kLookFlags) return look(ep, *msg, all);
        return receive_tagged(ep, *msg, all, nullptr);
    });
}

ssize_t send_entry(fid_ep* handle, const void* buf, size_t len, void*, fi_addr_t destination,
                   uint64_t tag, void* context) {
    return guarded([&] {
        Endpoint& ep = ep_of(handle);
        const iovec iov = one(buf, len);
        rdm::SendRequest r = send_request(&iov, 1, destination, tag, context);
        return ep.send(r, ep.tx_flags());
    });
}

ssize_t sendv_entry(fid_ep* handle, const iovec* iov, void**, size_t count, fi_addr_t destination,
                    uint64_t tag, void* context) {
    return guarded([&] {
        Endpoint& ep = ep_of(handle);
        rdm::SendRequest r = send_request(iov, count, destination, tag, context);
        return ep.send(r, ep.tx_flags());
    });
}

ssize_t sendmsg_entry(fid_ep* handle, const fi_msg_tagged* msg, uint64_t flags) {
    return guarded([&] {
        Endpoint& ep = ep_of(handle);
        return send_tagged(ep, *msg, flags | ep.tx_msg_flags(), nullptr);
    });
}

ssize_t inject_entry(fid_ep* handle, const void* buf, size_t len, fi_addr_t destination,
                     uint64_t tag) {
    return guarded([&] {
        const iovec iov = one(buf, len);
        rdm::SendRequest r = send_request(&iov, 1, destination, tag, nullptr);
        return ep_of(handle).inject(r);
    });
}

ssize_t senddata_entry(fid_ep* handle, const void* buf, size_t len, void*, uint64_t data,
                       fi_addr_t destination, uint64_t tag, void* context) {
    return guarded([&] {
        Endpoint& ep = ep_of(handle);
        const iovec iov = one(buf, len);
        rdm::SendRequest r = send_request(&iov, 1, destination, tag, context);
        r.has_data = true;
        r.data = data;
        return ep.send(r, ep.tx_flags());
    });
}

ssize_t injectdata_entry(fid_ep* handle, const void* buf, size_t len, uint64_t data,
                         fi_addr_t destination, uint64_t tag) {
    return guarded([&] {
        const iovec iov = one(buf, len);
        rdm::SendRequest r = send_request(&iov, 1, destination, tag, nullptr);
        r.has_data = true;
        r.data = data;
        return ep_of(handle).inject(r);
    });
}

} // namespace

ssize_t send_tagged(Endpoint& ep, const fi_msg_tagged& msg, uint64_t flags,
                    rdm::CompletionSink* sink) {
    rdm::SendRequest r = send_request(msg.msg_iov, msg.iov_count, msg.addr, msg.tag, msg.context);
    r.has_data = flags & FI_REMOTE_CQ_DATA;
    if (r.has_data) r.data = msg.data;
    r.sink = sink;
    return ep.send(r, flags);
}

ssize_t receive_tagged(Endpoint& ep, const fi_msg_tagged& msg, uint64_t flags,
                       rdm::CompletionSink* sink) {
    rdm::RecvRequest r = receive_request(ep, msg.msg_iov, msg.iov_count,
                                         {msg.addr, msg.tag, msg.ignore}, msg.context);
    r.sink = sink;
    return ep.receive(r, flags);
}

fi_ops_tagged tagged_ops = {
    .size = sizeof(fi_ops_tagged),
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
