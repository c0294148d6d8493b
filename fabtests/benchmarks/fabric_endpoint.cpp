// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fabric_endpoint.hpp"

#include <rdma/fi_errno.h>

#include <array>
#include <cerrno>
#include <cstring>

#include <poll.h>

#include "process_pair.hpp"

namespace bench {
namespace {

constexpr std::uint64_t tag = 0x7111;
constexpr std::uint64_t ignore_nothing = 0;
// Room for every completion that the largest window can have, send and receive.
constexpr std::size_t completion_queue_size = 4096;
// Real programs read several at a time, and providers deliver in batches.
constexpr std::size_t completions_per_read = 16;

void check(const char* call, ssize_t result) {
    if (result < 0) fail(call, fi_strerror(static_cast<int>(-result)));
}

std::unique_ptr<fi_info, InfoFreer> make_hints(const std::string& provider, bool remote) {
    std::unique_ptr<fi_info, InfoFreer> hints(fi_allocinfo());
    if (!hints) fail("fi_allocinfo", "out of memory");
    hints->caps = FI_MSG | FI_TAGGED;
    if (remote) hints->caps |= FI_RMA | FI_ATOMIC;
    hints->mode = FI_CONTEXT | FI_CONTEXT2;
    hints->ep_attr->type = FI_EP_RDM;
    hints->domain_attr->mr_mode = FI_MR_LOCAL;
    if (remote) hints->domain_attr->mr_mode |= FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY;
    hints->domain_attr->threading = FI_THREAD_DOMAIN;
    hints->domain_attr->control_progress = FI_PROGRESS_MANUAL;
    hints->domain_attr->data_progress = FI_PROGRESS_MANUAL;
    // The order that MPI asks for; the data check relies on it.
    hints->tx_attr->msg_order = FI_ORDER_SAS;
    hints->rx_attr->msg_order = FI_ORDER_SAS;
    hints->fabric_attr->prov_name = ::strdup(provider.c_str()); // freed with the hints
    return hints;
}

} // namespace

FabricEndpoint::FabricEndpoint(const std::string& provider, const std::string& node, bool remote,
                               bool counted, bool sleeps) {
    open_info(provider, node, remote);
    open_objects(counted, sleeps);
}

void FabricEndpoint::open_info(const std::string& provider, const std::string& node, bool remote) {
    const auto hints = make_hints(provider, remote);
    fi_info* info = nullptr;
    set_phase("fi_getinfo");
    const int result = fi_getinfo(FI_VERSION(1, 17), node.empty() ? nullptr : node.c_str(), nullptr,
                                  node.empty() ? 0 : FI_SOURCE, hints.get(), &info);
    if (result == -FI_ENODATA) fail("fi_getinfo", "no such provider here", exit_missing);
    check("fi_getinfo", result);
    info_.reset(info);
    if (provider != info->fabric_attr->prov_name)
        fail("fi_getinfo",
             std::string("answers with another provider: ") + info->fabric_attr->prov_name);
}

void FabricEndpoint::open_objects(bool counted, bool sleeps) {
    set_phase("opening the endpoint");
    fid_fabric* fabric = nullptr;
    check("fi_fabric", fi_fabric(info_->fabric_attr, &fabric, nullptr));
    fabric_.reset(fabric);

    fid_domain* domain = nullptr;
    check("fi_domain", fi_domain(fabric, info_.get(), &domain, nullptr));
    domain_.reset(domain);

    fi_av_attr av_attr{};
    av_attr.type = info_->domain_attr->av_type;
    av_attr.count = 2;
    fid_av* av = nullptr;
    check("fi_av_open", fi_av_open(domain, &av_attr, &av, nullptr));
    av_.reset(av);

    fi_cq_attr cq_attr{};
    cq_attr.format = FI_CQ_FORMAT_TAGGED;
    cq_attr.size = completion_queue_size;
    cq_attr.wait_obj = sleeps ? FI_WAIT_FD : FI_WAIT_NONE;
    fid_cq* cq = nullptr;
    check("fi_cq_open", fi_cq_open(domain, &cq_attr, &cq, nullptr));
    cq_.reset(cq);

    fid_ep* endpoint = nullptr;
    check("fi_endpoint", fi_endpoint(domain, info_.get(), &endpoint, nullptr));
    endpoint_.reset(endpoint);
    check("fi_ep_bind av", fi_ep_bind(endpoint, &av->fid, 0));
    bind_completions(endpoint, counted);
    check("fi_enable", fi_enable(endpoint));
}

void FabricEndpoint::bind_completions(fid_ep* endpoint, bool counted) {
    const std::uint64_t queued = counted ? FI_RECV : FI_TRANSMIT | FI_RECV;
    check("fi_ep_bind cq", fi_ep_bind(endpoint, &cq_->fid, queued));
    if (!counted) return;
    fi_cntr_attr attr{};
    attr.events = FI_CNTR_EVENTS_COMP;
    attr.wait_obj = FI_WAIT_NONE;
    fid_cntr* counter = nullptr;
    check("fi_cntr_open", fi_cntr_open(domain_.get(), &attr, &counter, nullptr));
    counter_.reset(counter);
    check("fi_ep_bind cntr", fi_ep_bind(endpoint, &counter->fid, FI_SEND | FI_READ | FI_WRITE));
}

std::string FabricEndpoint::name() const {
    std::string bytes(512, '\0');
    std::size_t length = bytes.size();
    check("fi_getname", fi_getname(&endpoint_->fid, bytes.data(), &length));
    bytes.resize(length);
    return bytes;
}

void FabricEndpoint::connect(const std::string& peer_name) {
    set_phase("fi_av_insert");
    const int inserted = fi_av_insert(av_.get(), peer_name.data(), 1, &peer_, 0, nullptr);
    check("fi_av_insert", inserted);
    if (inserted != 1) fail("fi_av_insert", "did not take the peer's address");
}

std::vector<Operation> FabricEndpoint::make_operations(std::size_t count, std::size_t size,
                                                       bool is_receive) {
    memory_.push_back(std::make_unique<std::byte[]>(count * size));
    std::byte* base = memory_.back().get();
    void* descriptor = nullptr;
    if (info_->domain_attr->mr_mode & FI_MR_LOCAL) {
        fid_mr* region = nullptr;
        check("fi_mr_reg",
              fi_mr_reg(domain_.get(), base, count * size, FI_SEND | FI_RECV | FI_READ | FI_WRITE,
                        0, regions_.size() + 1, 0, &region, nullptr));
        regions_.emplace_back(region);
        descriptor = fi_mr_desc(region);
    }
    std::vector<Operation> operations(count);
    for (std::size_t i = 0; i < count; ++i) {
        operations[i].is_receive = is_receive;
        operations[i].buffer = {base + i * size, size};
        operations[i].descriptor = descriptor;
    }
    return operations;
}

bool FabricEndpoint::busy(const char* call, ssize_t result) {
    if (result == 0) return false;
    if (result != -FI_EAGAIN) check(call, result);
    set_phase(call);
    read_completions();
    return true;
}

void FabricEndpoint::receive(Operation& operation) {
    const auto call = [&] {
        return fi_trecv(endpoint_.get(), operation.buffer.data(), operation.buffer.size(),
                        operation.descriptor, peer_, tag, ignore_nothing, &operation.context);
    };
    while (busy("fi_trecv", call())) {
    }
}

void FabricEndpoint::send(Operation& operation) {
    const auto call = [&] {
        return fi_tsend(endpoint_.get(), operation.buffer.data(), operation.buffer.size(),
                        operation.descriptor, peer_, tag, &operation.context);
    };
    while (busy("fi_tsend", call())) {
    }
}

void FabricEndpoint::inject(std::span<const std::byte> data) {
    const auto call = [&] {
        return fi_tinject(endpoint_.get(), data.data(), data.size(), peer_, tag);
    };
    while (busy("fi_tinject", call())) {
    }
}

RemoteMemory FabricEndpoint::expose(std::span<const Operation> operations) {
    std::byte* base = operations.front().buffer.data();
    const auto bytes = static_cast<std::size_t>(operations.back().buffer.data() - base) +
                       operations.back().buffer.size();
    fid_mr* region = nullptr;
    check("fi_mr_reg", fi_mr_reg(domain_.get(), base, bytes, FI_REMOTE_READ | FI_REMOTE_WRITE, 0,
                                 regions_.size() + 1, 0, &region, nullptr));
    regions_.emplace_back(region);
    const bool is_virtual = info_->domain_attr->mr_mode & FI_MR_VIRT_ADDR;
    return {is_virtual ? reinterpret_cast<std::uintptr_t>(base) : 0, fi_mr_key(region)};
}

void FabricEndpoint::write(Operation& operation, const RemoteMemory& to) {
    const auto call = [&] {
        return fi_write(endpoint_.get(), operation.buffer.data(), operation.buffer.size(),
                        operation.descriptor, peer_, to.address, to.key, &operation.context);
    };
    while (busy("fi_write", call())) {
    }
}

void FabricEndpoint::read(Operation& operation, const RemoteMemory& from) {
    const auto call = [&] {
        return fi_read(endpoint_.get(), operation.buffer.data(), operation.buffer.size(),
                       operation.descriptor, peer_, from.address, from.key, &operation.context);
    };
    while (busy("fi_read", call())) {
    }
}

void FabricEndpoint::fetch_add(Operation& operation, const RemoteMemory& to) {
    static const std::uint64_t one = 1;
    const auto call = [&] {
        return fi_fetch_atomic(endpoint_.get(), &one, 1, nullptr, operation.buffer.data(),
                               operation.descriptor, peer_, to.address, to.key, FI_UINT64, FI_SUM,
                               &operation.context);
    };
    while (busy("fi_fetch_atomic", call())) {
    }
    if (counter_) under_way_.push_back(&operation);
}

Operation* FabricEndpoint::poll() {
    if (seen_.empty()) read_completions();
    if (seen_.empty()) return nullptr;
    Operation* operation = seen_.front();
    seen_.pop_front();
    return operation;
}

void FabricEndpoint::sleep() {
    fid* waited_for = &cq_->fid;
    const int result = fi_trywait(fabric_.get(), &waited_for, 1);
    if (result == -FI_EAGAIN) return;
    check("fi_trywait", result);
    pollfd wait{-1, POLLIN, 0};
    check("fi_control", fi_control(waited_for, FI_GETWAIT, &wait.fd));
    if (::poll(&wait, 1, -1) < 0 && errno != EINTR) fail_errno("poll");
}

void FabricEndpoint::read_counter() {
    const std::uint64_t value = fi_cntr_read(counter_.get());
    for (; counted_ < value; ++counted_) {
        seen_.push_back(under_way_.front());
        under_way_.pop_front();
    }
}

void FabricEndpoint::read_completions() {
    if (counter_) return read_counter();
    std::array<fi_cq_tagged_entry, completions_per_read> entries; // written by fi_cq_read
    const ssize_t result = fi_cq_read(cq_.get(), entries.data(), entries.size());
    if (result == -FI_EAGAIN) return;
    if (result == -FI_EAVAIL) fail_completion();
    check("fi_cq_read", result);
    for (std::size_t i = 0; i < static_cast<std::size_t>(result); ++i) {
        // The context is the operation's first member.
        auto* operation = static_cast<Operation*>(entries[i].op_context);
        if (operation->is_receive && entries[i].len != operation->buffer.size())
            fail("completion of fi_trecv", "a message of " + std::to_string(entries[i].len) +
                                               " bytes instead of " +
                                               std::to_string(operation->buffer.size()));
        seen_.push_back(operation);
    }
}

void FabricEndpoint::fail_completion() {
    fi_cq_err_entry error{};
    check("fi_cq_readerr", fi_cq_readerr(cq_.get(), &error, 0));
    char text[256] = "";
    const char* detail =
        fi_cq_strerror(cq_.get(), error.prov_errno, error.err_data, text, sizeof text);
    const auto* operation = static_cast<const Operation*>(error.op_context);
    fail(operation != nullptr && operation->is_receive ? "completion of fi_trecv"
                                                       : "completion of fi_tsend",
         std::string(fi_strerror(error.err)) + " (" + (detail != nullptr ? detail : "") + ")");
}

} // namespace bench
