// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "checkpoint/fabric.hpp"

#include <cstring>
#include <netdb.h>
#include <sys/socket.h>

namespace checkpoint {

void must(ssize_t result, const char* what) {
    if (result < 0)
        throw Failure(std::string(what) + ": " + fi_strerror(static_cast<int>(-result)));
}

Fabric::Fabric(const std::string& host, const std::string& port, bool local) {
    const std::unique_ptr<fi_info, FreeInfo> hints(fi_allocinfo());
    if (!hints) throw std::bad_alloc();
    hints->caps = FI_TAGGED | FI_DIRECTED_RECV;
    hints->mode = FI_CONTEXT | FI_CONTEXT2;
    hints->ep_attr->type = FI_EP_RDM;
    hints->fabric_attr->prov_name = strdup("rill");
    hints->domain_attr->resource_mgmt = FI_RM_ENABLED;
    hints->domain_attr->cq_data_size = sizeof(uint64_t);
    fi_info* found = nullptr;
    const char* node = host.empty() ? nullptr : host.c_str();
    const char* service = port.empty() ? nullptr : port.c_str();
    const uint64_t flags = local && (node || service) ? FI_SOURCE : 0;
    must(fi_getinfo(FI_VERSION(1, 17), node, service, flags, hints.get(), &found), "fi_getinfo");
    info_.reset(found);
    fid_fabric* fabric = nullptr;
    must(fi_fabric(info_->fabric_attr, &fabric, nullptr), "fi_fabric");
    fabric_.reset(fabric);
    fid_domain* domain = nullptr;
    must(fi_domain(fabric, info_.get(), &domain, nullptr), "fi_domain");
    domain_.reset(domain);
    void* ops = nullptr;
    must(fi_open_ops(&domain->fid, FI_RILL_DEDUP_OPS_1, 0, &ops, nullptr), "fi_open_ops");
    dedup_ = static_cast<fi_rill_ops_dedup*>(ops);
}

void Fabric::open_endpoint() {
    fi_av_attr av_attr{};
    fid_av* peers = nullptr;
    must(fi_av_open(domain_.get(), &av_attr, &peers, nullptr), "fi_av_open");
    peers_.reset(peers);
    fi_cq_attr cq_attr{};
    cq_attr.format = FI_CQ_FORMAT_TAGGED;
    cq_attr.wait_obj = FI_WAIT_UNSPEC;
    fid_cq* queue = nullptr;
    must(fi_cq_open(domain_.get(), &cq_attr, &queue, nullptr), "fi_cq_open");
    queue_.reset(queue);
    fid_ep* endpoint = nullptr;
    must(fi_endpoint(domain_.get(), info_.get(), &endpoint, nullptr), "fi_endpoint");
    endpoint_.reset(endpoint);
    must(fi_ep_bind(endpoint, &peers->fid, 0), "fi_ep_bind");
    must(fi_ep_bind(endpoint, &queue->fid, FI_TRANSMIT | FI_RECV), "fi_ep_bind");
    must(fi_enable(endpoint), "fi_enable");
}

fi_addr_t Fabric::insert(const void* address) {
    fi_addr_t peer = FI_ADDR_UNSPEC;
    if (fi_av_insert(peers_.get(), address, 1, &peer, 0, nullptr) != 1)
        throw Failure("fi_av_insert: an address that is none");
    return peer;
}

fi_addr_t Fabric::destination() {
    if (!info_->dest_addr) throw Failure("no destination");
    return insert(info_->dest_addr);
}

std::vector<char> Fabric::name() const {
    std::vector<char> name(sizeof(sockaddr_storage));
    size_t length = name.size();
    must(fi_getname(&endpoint_->fid, name.data(), &length), "fi_getname");
    name.resize(length);
    return name;
}

std::string Fabric::printable_name() const {
    const std::vector<char> address = name();
    char host[NI_MAXHOST], port[NI_MAXSERV];
    const int failed = getnameinfo(reinterpret_cast<const sockaddr*>(address.data()),
                                   static_cast<socklen_t>(address.size()), host, sizeof host, port,
                                   sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    return failed ? "?" : std::string(host) + " " + port;
}

template <class Post>
void Fabric::post(Operation& op, Post&& post) {
    for (;;) {
        const ssize_t result = post();
        if (result != -FI_EAGAIN) {
            must(result, "a message");
            op.flying = true;
            return;
        }
    }
}

void Fabric::send(const void* data, size_t bytes, fi_addr_t to, uint64_t tag, Operation& op) {
    post(op, [&] { return fi_tsend(endpoint_.get(), data, bytes, nullptr, to, tag, &op); });
}

void Fabric::send_data(const void* data, size_t bytes, uint64_t with, fi_addr_t to, uint64_t tag,
                       Operation& op) {
    post(op,
         [&] { return fi_tsenddata(endpoint_.get(), data, bytes, nullptr, with, to, tag, &op); });
}

void Fabric::receive(void* into, size_t bytes, fi_addr_t from, uint64_t tag, Operation& op,
                     uint64_t flags) {
    const iovec iov{into, bytes};
    fi_msg_tagged msg{};
    msg.msg_iov = &iov;
    msg.iov_count = 1;
    msg.addr = from;
    msg.tag = tag;
    msg.context = &op;
    post(op, [&] { return fi_trecvmsg(endpoint_.get(), &msg, FI_COMPLETION | flags); });
}

std::optional<Event> Fabric::next(int milliseconds) {
    fi_cq_tagged_entry entry{};
    const ssize_t got = fi_cq_sread(queue_.get(), &entry, 1, nullptr, milliseconds);
    if (got == -FI_EAGAIN || got == -FI_EINTR) return std::nullopt;
    Event event;
    if (got == -FI_EAVAIL) {
        fi_cq_err_entry error{};
        must(fi_cq_readerr(queue_.get(), &error, 0), "fi_cq_readerr");
        event.operation = static_cast<Operation*>(error.op_context);
        event.error = error.err;
    } else {
        must(got, "fi_cq_sread");
        event.operation = static_cast<Operation*>(entry.op_context);
        event.data = entry.data;
        event.bytes = entry.len;
    }
    if (event.operation) event.operation->flying = false;
    return event;
}

} // namespace checkpoint
