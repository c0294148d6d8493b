// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

#include "endpoint.hpp"

#include <rdma/fi_errno.h>

#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace faults {
namespace {

// A full queue that stays full is a fault of its own.
constexpr std::chrono::seconds full_queue_patience{20};

void demand(int64_t code, const char* what) {
    if (code < 0) die("%s: %s", what, fi_strerror(static_cast<int>(-code)));
}

fi_info* find_provider() {
    fi_info* hints = fi_allocinfo();
    if (!hints) die("fi_allocinfo: out of memory");
    hints->caps = FI_MSG | FI_TAGGED | FI_DIRECTED_RECV;
    hints->mode = FI_CONTEXT | FI_CONTEXT2;
    hints->ep_attr->type = FI_EP_RDM;
    hints->domain_attr->mr_mode = 0;
    hints->domain_attr->threading = FI_THREAD_DOMAIN;
    hints->domain_attr->resource_mgmt = FI_RM_ENABLED;
    hints->tx_attr->msg_order = FI_ORDER_SAS;
    hints->rx_attr->msg_order = FI_ORDER_SAS;
    const char* provider = getenv("FI_PROVIDER");
    if (provider) hints->fabric_attr->prov_name = strdup(provider);
    fi_info* info = nullptr;
    int code = fi_getinfo(FI_VERSION(1, 17), nullptr, nullptr, 0, hints, &info);
    fi_freeinfo(hints);
    if (code)
        die("fi_getinfo for provider %s: %s", provider ? provider : "(any)", fi_strerror(-code));
    return info;
}

uint64_t word_at(uint64_t seed, size_t index) {
    uint64_t value = seed * 0x9e3779b97f4a7c15U + index;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
    return value ^ (value >> 27);
}

} // namespace

void die(const char* format, ...) {
    fflush(stdout); // what came before explains it
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "process %d: ", static_cast<int>(getpid()));
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    _exit(1);
}

void fill(std::span<std::byte> data, uint64_t seed) {
    for (size_t at = 0; at < data.size(); at += sizeof(uint64_t)) {
        uint64_t word = word_at(seed, at / sizeof word);
        memcpy(&data[at], &word, std::min(sizeof word, data.size() - at));
    }
}

bool holds(std::span<const std::byte> data, uint64_t seed) {
    for (size_t at = 0; at < data.size(); at += sizeof(uint64_t)) {
        uint64_t word = word_at(seed, at / sizeof word);
        if (memcmp(&data[at], &word, std::min(sizeof word, data.size() - at)) != 0) return false;
    }
    return true;
}

Endpoint::Endpoint() : info(find_provider()) {
    demand(fi_fabric(info->fabric_attr, &fabric, nullptr), "fi_fabric");
    demand(fi_domain(fabric, info, &domain, nullptr), "fi_domain");
    fi_av_attr av_attr{};
    av_attr.type = FI_AV_MAP;
    demand(fi_av_open(domain, &av_attr, &addresses, nullptr), "fi_av_open");
    fi_cq_attr cq_attr{};
    cq_attr.format = FI_CQ_FORMAT_TAGGED;
    demand(fi_cq_open(domain, &cq_attr, &queue, nullptr), "fi_cq_open");
    demand(fi_endpoint(domain, info, &endpoint, nullptr), "fi_endpoint");
    demand(fi_ep_bind(endpoint, &addresses->fid, 0), "fi_ep_bind of the address vector");
    demand(fi_ep_bind(endpoint, &queue->fid, FI_TRANSMIT | FI_RECV),
           "fi_ep_bind of the completion queue");
    demand(fi_enable(endpoint), "fi_enable");
}

void Endpoint::close() {
    auto end = [](fid* object, const char* what) {
        if (object) demand(fi_close(object), what);
    };
    end(endpoint ? &endpoint->fid : nullptr, "fi_close of the endpoint");
    end(queue ? &queue->fid : nullptr, "fi_close of the completion queue");
    end(addresses ? &addresses->fid : nullptr, "fi_close of the address vector");
    end(domain ? &domain->fid : nullptr, "fi_close of the domain");
    end(fabric ? &fabric->fid : nullptr, "fi_close of the fabric");
    if (info) fi_freeinfo(info);
    endpoint = nullptr;
    queue = nullptr;
    addresses = nullptr;
    domain = nullptr;
    fabric = nullptr;
    info = nullptr;
}

Address Endpoint::address() const {
    size_t length = 0;
    fi_getname(&endpoint->fid, nullptr, &length);
    Address name(length);
    demand(fi_getname(&endpoint->fid, name.data(), &length), "fi_getname");
    return name;
}

fi_addr_t Endpoint::add(const Address& peer) {
    fi_addr_t handle = FI_ADDR_NOTAVAIL;
    if (fi_av_insert(addresses, peer.data(), 1, &handle, 0, nullptr) != 1)
        die("fi_av_insert took no address");
    return handle;
}

template <class Post>
int Endpoint::post(Post call) {
    auto deadline = Clock::now() + full_queue_patience;
    for (;;) {
        ssize_t code = call();
        if (code != -FI_EAGAIN || Clock::now() > deadline) return static_cast<int>(code);
        progress();
    }
}

int Endpoint::send(Operation& operation, std::span<const std::byte> data, fi_addr_t to,
                   uint64_t tag) {
    completions.erase(&operation); // left by another at the same address
    return post(
        [&] { return fi_tsend(endpoint, data.data(), data.size(), nullptr, to, tag, &operation); });
}

int Endpoint::receive(Operation& operation, std::span<std::byte> data, fi_addr_t from,
                      uint64_t tag) {
    completions.erase(&operation);
    return post([&] {
        return fi_trecv(endpoint, data.data(), data.size(), nullptr, from, tag, 0, &operation);
    });
}

int Endpoint::inject(std::span<const std::byte> data, fi_addr_t to, uint64_t tag) {
    return post([&] { return fi_tinject(endpoint, data.data(), data.size(), to, tag); });
}

void Endpoint::progress() {
    fi_cq_tagged_entry entries[16];
    ssize_t count = fi_cq_read(queue, entries, std::size(entries));
    auto now = Clock::now();
    for (ssize_t i = 0; i < count; ++i)
        completions[static_cast<const Operation*>(entries[i].op_context)] = {0, 0, entries[i].len,
                                                                             now};
    if (count >= 0 || count == -FI_EAGAIN) return;
    if (count != -FI_EAVAIL) die("fi_cq_read: %s", fi_strerror(static_cast<int>(-count)));
    fi_cq_err_entry entry{};
    if (fi_cq_readerr(queue, &entry, 0) != 1) return;
    auto* operation = static_cast<const Operation*>(entry.op_context);
    if (!operation) // of an inject, which has no context
        die("an injected message failed: %s", fi_strerror(entry.err));
    completions[operation] = {entry.err, entry.prov_errno, entry.len, now};
}

const Completion* Endpoint::done(const Operation& operation) const {
    auto found = completions.find(&operation);
    return found == completions.end() ? nullptr : &found->second;
}

bool Endpoint::wait(const Operation& operation, Clock::time_point deadline) {
    // The clock only now and then: the program should be in the library nearly all the time.
    for (unsigned turn = 0; !done(operation); ++turn) {
        progress();
        if (turn % 256 == 255 && Clock::now() > deadline) return false;
    }
    return true;
}

} // namespace faults
