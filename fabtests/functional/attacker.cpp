// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "attacker.hpp"

#include <cerrno>
#include <fstream>

#include <netinet/ip.h>
#include <netinet/udp.h>
#include <rdma/fi_ext_rill.h>
#include <sys/socket.h>
#include <unistd.h>

namespace functional {

namespace {

const sockaddr* generic(const sockaddr_in& a) {
    return reinterpret_cast<const sockaddr*>(&a);
}

} // namespace

AttackSocket::AttackSocket(const char* host)
    : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    name_.sin_family = AF_INET;
    check_eq(inet_pton(AF_INET, host, &name_.sin_addr), 1, "an address");
    check_ok(bind(fd_, generic(name_), sizeof name_), "bind");
    socklen_t len = sizeof name_;
    check_ok(getsockname(fd_, reinterpret_cast<sockaddr*>(&name_), &len), "getsockname");
}

AttackSocket::~AttackSocket() {
    close(fd_);
}

void AttackSocket::send(const sockaddr_in& to, const Bytes& packet) {
    const ssize_t n = sendto(fd_, packet.data(), packet.size(), 0, generic(to), sizeof to);
    sent_bytes += n > 0 ? static_cast<size_t>(n) : 0;
}

std::optional<Bytes> AttackSocket::receive(sockaddr_in* from) {
    Bytes room(65536);
    sockaddr_in name{};
    socklen_t len = sizeof name;
    const ssize_t n =
        recvfrom(fd_, room.data(), room.size(), 0, reinterpret_cast<sockaddr*>(&name), &len);
    if (n < 0) {
        return std::nullopt;
    }
    received_bytes += static_cast<size_t>(n);
    room.resize(static_cast<size_t>(n));
    if (from) {
        *from = name;
    }
    return room;
}

void AttackSocket::drain() {
    while (receive()) {
    }
}

Spoofer::Spoofer() : fd_(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW)) {
    if (fd_ < 0 && errno == EPERM) {
        throw Skip("a forged source address takes CAP_NET_RAW");
    }
    check(fd_ >= 0, "a raw socket");
}

Spoofer::~Spoofer() {
    close(fd_);
}

// Without a UDP checksum, which IPv4 allows; the kernel fills in the IP header's.
void Spoofer::send(const sockaddr_in& from, const sockaddr_in& to, const Bytes& packet) {
    ip outer{};
    outer.ip_v = 4;
    outer.ip_hl = sizeof outer / 4;
    outer.ip_ttl = 64;
    outer.ip_p = IPPROTO_UDP;
    outer.ip_src = from.sin_addr;
    outer.ip_dst = to.sin_addr;
    udphdr inner{};
    inner.source = from.sin_port;
    inner.dest = to.sin_port;
    inner.len = htons(static_cast<uint16_t>(sizeof inner + packet.size()));
    outer.ip_len = htons(static_cast<uint16_t>(sizeof outer + sizeof inner + packet.size()));
    Datagram whole(outer, inner);
    whole.insert(whole.end(), packet.begin(), packet.end());
    check_eq(sendto(fd_, whole.data(), whole.size(), 0, generic(to), sizeof to),
             static_cast<ssize_t>(whole.size()), "a forged datagram");
}

wire::Hello some_hello(uint64_t token, uint16_t data_port) {
    wire::Hello h;
    memcpy(h.device.data(), &token, sizeof token);
    h.device[15] = 0xaa;
    h.context = static_cast<uint32_t>(token) | 1;
    h.first_psn = 1000;
    h.token = token;
    h.data_port = ntohs(data_port);
    return h;
}

Insider::Insider(Group& group, size_t victim, AttackSocket& socket, uint16_t flags,
                 uint32_t features, size_t trailing)
    : group_(group), socket_(socket) {
    static uint64_t tokens = 0x1ace0000;
    wire::Hello hello = some_hello(++tokens, socket.port());
    wire::Header opening;
    opening.type = wire::control;
    opening.flags = wire::has_hello | wire::ack_now | flags;
    hello.features = features;
    opening.psn = hello.first_psn;
    socket.send(address_of(group[victim]), Datagram(opening, hello).pad(trailing));
    group.until("an answer to an opening", [&] {
        const auto packet = socket.receive(&data_);
        if (!packet || packet->size() < sizeof(wire::Header)) {
            return false;
        }
        wire::Header h;
        memcpy(&h, packet->data(), sizeof h);
        if (h.type == wire::retry) {
            hello.cookie = h.token;
            socket.send(address_of(group[victim]), Datagram(opening, hello).pad(trailing));
        }
        if (h.token != hello.token || !(h.flags & wire::has_hello)) {
            return false;
        }
        wire::Hello answer;
        memcpy(&answer, packet->data() + sizeof h, sizeof answer);
        context_ = answer.context;
        token_ = answer.token;
        their_psn_ = answer.first_psn;
        queue_pair_ = answer.queue_pair;
        return true;
    });
    put(Datagram(header(wire::control, wire::ack_now))); // the proof
}

wire::Header Insider::header(wire::Type type, uint16_t flags) {
    wire::Header h;
    h.type = type;
    h.flags = flags;
    h.context = context_;
    h.token = token_;
    h.psn = psn_;
    return h;
}

Datagram Insider::packet() {
    Datagram made(header(wire::data, wire::ack_now));
    ++psn_;
    return made;
}

void Insider::put(const Bytes& packet) {
    send(packet);
    group_.settle();
    socket_.drain();
}

sockaddr_in address_of(const Side& side) {
    sockaddr_in addr{};
    memcpy(&addr, side.name().data(), sizeof addr);
    return addr;
}

uint64_t counter(const Side& side, const char* name) {
    fi_rill_ops_device* operations = nullptr;
    check_ok(fi_open_ops(side.domain.id(), FI_RILL_DEVICE_OPS_1, 0,
                         reinterpret_cast<void**>(&operations), nullptr),
             "fi_open_ops");
    uint64_t value = 0;
    check_ok(operations->counter(side.domain.get(), name, &value), name);
    return value;
}

size_t resident_kb() {
    std::ifstream statm("/proc/self/statm");
    size_t total = 0, resident = 0;
    statm >> total >> resident;
    return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE)) / 1024;
}

} // namespace functional
