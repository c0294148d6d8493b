// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "link/udp_socket.hpp"

#include "link/sockaddr.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

// Debian 12's <netinet/udp.h> has both; older C libraries have neither, kernels since 5.0 do.
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

namespace rill::link {

using wire::Address;
using wire::Family;

namespace {

// What an unprivileged socket may have on hosts where net.core.rmem_max was raised at all, and
// what holds a train of 64 KiB from each of some sixty peers.
constexpr size_t kReceiveBufferWanted = size_t{4} << 20;

constexpr int kEct0 = 0x02; // ECN-capable transport, codepoint 0 (RFC 3168)
constexpr int kEcnBits = 2;
constexpr int kEcnMask = 0x03;
constexpr int kEcnCe = 0x03; // congestion experienced

// A packet (train) of more bytes is part of what can fill a queue on the way.
constexpr size_t kBulkBytes = 1024;
// After so many smaller ones in a row the kernel is not asked for marks any more: 150 ns a packet, of
// 2300 that 64 bytes take one way, for what could not be acted on.
constexpr uint32_t kSmallInRow = 1024;

bool set_int(int fd, int level, int name, int value) {
    return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

template <class T>
T control_value(const cmsghdr* control) {
    T value;
    std::memcpy(&value, CMSG_DATA(control), sizeof value);
    return value;
}

template <class T>
void put_control(cmsghdr* control, int level, int type, T value) {
    control->cmsg_level = level;
    control->cmsg_type = type;
    control->cmsg_len = CMSG_LEN(sizeof value);
    std::memcpy(CMSG_DATA(control), &value, sizeof value);
}

// sendmsg and recvmsg without libc's cancellation point, which costs a program with threads two
// atomic exchanges a call; nothing here blocks, so nothing here needs to be cancelled.
long call(long number, int fd, msghdr* message, int flags) {
    return syscall(number, fd, message, flags);
}

Status bind_status(int error) {
    switch (error) {
    case EADDRINUSE: return Status::address_in_use;
    case EADDRNOTAVAIL: return Status::not_found;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS: return Status::no_memory;
    default: return Status::invalid;
    }
}

int bind_to(int fd, const Address& address) {
    SocketAddress name;
    const socklen_t length = to_sockaddr(address, name);
    return bind(fd, &name.any, length) == 0 ? 0 : errno;
}

} // namespace

std::string to_string(const PortRange& range) {
    if (range.any()) return "any";
    return std::to_string(range.low) + '-' + std::to_string(range.high);
}

UdpSocket& UdpSocket::operator=(UdpSocket&& other) noexcept {
    std::swap(segmentation, other.segmentation);
    std::swap(fd_, other.fd_);
    std::swap(marks_, other.marks_);
    std::swap(small_in_row_, other.small_in_row_);
    std::swap(drops_seen_, other.drops_seen_);
    std::swap(drops_taken_, other.drops_taken_);
    std::swap(receive_buffer_bytes_, other.receive_buffer_bytes_);
    std::swap(address_, other.address_);
    return *this;
}

void UdpSocket::close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
    address_ = {};
    drops_seen_ = drops_taken_ = 0;
    receive_buffer_bytes_ = 0;
    segmentation = true;
    marks_ = true;
    small_in_row_ = 0;
}

Status UdpSocket::open(const SocketConfig& config, std::string& error) {
    if (!config.local.valid()) {
        error = "no local address given";
        return Status::invalid;
    }
    const int family = config.local.family == Family::ip4 ? AF_INET : AF_INET6;
    fd_ = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) {
        error = std::string("UDP socket: ") + std::strerror(errno);
        return bind_status(errno);
    }
    Status status = set_options(config, error);
    if (is_ok(status)) status = bind_in_range(config, error);
    if (!is_ok(status)) close();
    return status;
}

Status UdpSocket::set_options(const SocketConfig& config, std::string& error) {
    if (!config.interface.empty())
        if (Status s = send_by(config, error); !is_ok(s)) return s;
    const bool ip4 = config.local.family == Family::ip4;
    const int level = ip4 ? IPPROTO_IP : IPPROTO_IPV6;
    if (!ip4) set_int(fd_, level, IPV6_V6ONLY, 1);
    // WANT: "don't fragment" on every packet that fits the path MTU that the kernel knows, so that
    // routers report a smaller one; a single packet over it leaves in fragments. DO and PROBE would
    // refuse it (a PSN that no longer fits after a shrink must still go); DONT would never learn.
    set_int(fd_, level, ip4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER,
            ip4 ? static_cast<int>(IP_PMTUDISC_WANT) : static_cast<int>(IPV6_PMTUDISC_WANT));
    set_int(fd_, level, ip4 ? IP_TOS : IPV6_TCLASS, config.code_point << kEcnBits | kEct0);
    set_int(fd_, level, ip4 ? IP_RECVERR : IPV6_RECVERR, 1);
    if (!config.receives) {
        refuse_everything();
        return Status::ok;
    }
    // Each of the three costs less than the noise of the measurement (docs/link.md); where one is
    // missing, trains arrive as single packets, marks and drop counts not at all.
    set_int(fd_, level, ip4 ? IP_RECVTOS : IPV6_RECVTCLASS, 1);
    set_int(fd_, SOL_UDP, UDP_GRO, 1);
    set_int(fd_, SOL_SOCKET, SO_RXQ_OVFL, 1);
    size_receive_buffer(config.rcvbuf_bytes);
    return Status::ok;
}

// What is sent leaves by the interface, whatever the routing table prefers. A socket that receives is
// not bound to it: with several interfaces in one subnet, Linux answers for an address of one by
// any of them (ARP, arp(7)), and what then arrives by another would be dropped.
Status UdpSocket::send_by(const SocketConfig& config, std::string& error) {
    int failed = 0;
    if (config.receives) {
        const bool ip4 = config.local.family == Family::ip4;
        const auto index = static_cast<int>(htonl(if_nametoindex(config.interface.c_str())));
        if (index == 0 || !set_int(fd_, ip4 ? IPPROTO_IP : IPPROTO_IPV6,
                                   ip4 ? IP_UNICAST_IF : IPV6_UNICAST_IF, index))
            failed = errno;
    } else if (setsockopt(fd_, SOL_SOCKET, SO_BINDTODEVICE, config.interface.c_str(),
                          static_cast<socklen_t>(config.interface.size())) != 0) {
        // A kernel before 5.7 wants a privilege for it; there the routing table decides.
        failed = errno == EPERM ? 0 : errno;
    }
    if (failed == 0) return Status::ok;
    error = "interface " + config.interface + ": " + std::strerror(failed);
    return failed == ENODEV ? Status::not_found : Status::invalid;
}

void UdpSocket::size_receive_buffer(size_t wanted_bytes) {
    const int bytes = static_cast<int>(
        std::min<size_t>(wanted_bytes ? wanted_bytes : kReceiveBufferWanted, INT32_MAX / 2));
    // FORCE passes over net.core.rmem_max, and needs CAP_NET_ADMIN.
    if (!set_int(fd_, SOL_SOCKET, SO_RCVBUFFORCE, bytes))
        set_int(fd_, SOL_SOCKET, SO_RCVBUF, bytes);
    int granted = 0;
    socklen_t length = sizeof granted;
    if (getsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &granted, &length) == 0)
        receive_buffer_bytes_ = static_cast<size_t>(granted);
}

// A socket that only sends never becomes readable: strangers' packets would wake every waiter.
// ICMP errors do not pass the filter.
void UdpSocket::refuse_everything() {
    sock_filter drop = {BPF_RET | BPF_K, 0, 0, 0};
    sock_fprog program = {1, &drop};
    (void)setsockopt(fd_, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

Status UdpSocket::bind_in_range(const SocketConfig& config, std::string& error) {
    const PortRange& range = config.ports;
    int why = 0;
    if (config.local.port != 0 || range.any()) {
        why = bind_to(fd_, config.local);
        if (why != 0) {
            error = wire::to_string(config.local) + ": " + std::strerror(why);
            return bind_status(why);
        }
    } else {
        // From a place of one's own, so that the ranks of a host do not all try the same ports.
        const uint32_t count = uint32_t{range.high} - range.low + 1;
        const uint32_t first = static_cast<uint32_t>(getpid()) * 0x9e3779b1u % count;
        for (uint32_t i = 0; i < count; ++i) {
            const auto port = static_cast<uint16_t>(range.low + (first + i) % count);
            why = bind_to(fd_, config.local.with_port(port));
            if (why != EADDRINUSE) break;
        }
        if (why != 0) {
            error = host_text(config.local) + ", ports " + to_string(range) + ": ";
            error += why == EADDRINUSE ? "all in use" : std::strerror(why);
            return bind_status(why);
        }
    }
    SocketAddress name;
    socklen_t length = sizeof name;
    if (getsockname(fd_, &name.any, &length) != 0) return Status::io_error;
    address_ = from_sockaddr(&name.any, length);
    return Status::ok;
}

bool UdpSocket::connect(const Address& to) {
    SocketAddress name;
    const socklen_t length = to_sockaddr(to, name);
    connected_ = ::connect(fd_, &name.any, length) == 0;
    return connected_;
}

int UdpSocket::send(const Address& to, const iovec* iov, size_t iovs, size_t segment_bytes) {
    SocketAddress name;
    alignas(cmsghdr) std::byte control[CMSG_SPACE(sizeof(uint16_t))];
    msghdr message{};
    if (!connected_) {
        message.msg_name = &name;
        message.msg_namelen = to_sockaddr(to, name);
    }
    message.msg_iov = const_cast<iovec*>(iov);
    message.msg_iovlen = iovs;
    if (segment_bytes != 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        put_control(CMSG_FIRSTHDR(&message), SOL_UDP, UDP_SEGMENT,
                    static_cast<uint16_t>(segment_bytes));
    }
    return call(SYS_sendmsg, fd_, &message, MSG_NOSIGNAL) >= 0 ? 0 : errno;
}

int UdpSocket::receive(std::byte* buffer, size_t buffer_bytes, wire::RxTrain& out) {
    SocketAddress name;
    // Segment size, mark and drop count; four more bytes than any of them needs.
    alignas(cmsghdr) std::byte control[3 * CMSG_SPACE(sizeof(uint64_t))];
    iovec iov = {buffer, buffer_bytes};
    msghdr message{};
    message.msg_name = &name;
    message.msg_namelen = sizeof name;
    message.msg_iov = &iov;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const long got = call(SYS_recvmsg, fd_, &message, MSG_DONTWAIT);
    if (got < 0) return errno;
    out = {};
    out.data = buffer;
    out.total_bytes = out.segment_bytes = static_cast<size_t>(got);
    out.from = from_sockaddr(&name.any, message.msg_namelen);
    note_size(out.total_bytes);
    read_controls(message, out);
    return 0;
}

void UdpSocket::ask_for_marks(bool wanted) {
    const bool ip4 = address_.family == Family::ip4;
    set_int(fd_, ip4 ? IPPROTO_IP : IPPROTO_IPV6, ip4 ? IP_RECVTOS : IPV6_RECVTCLASS, wanted);
    marks_ = wanted;
    small_in_row_ = 0;
}

// Small packets do not fill the queues that mark them. When only such have come for a while, marks
// are not asked for, until the next large one.
void UdpSocket::note_size(size_t bytes) {
    if (bytes > kBulkBytes) {
        small_in_row_ = 0;
        if (!marks_) [[unlikely]]
            ask_for_marks(true);
    } else if (marks_ && ++small_in_row_ == kSmallInRow) {
        ask_for_marks(false);
    }
}

void UdpSocket::read_controls(const msghdr& message, wire::RxTrain& out) {
    auto* m = const_cast<msghdr*>(&message);
    for (cmsghdr* c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
            const int segment = control_value<int>(c);
            if (segment > 0) out.segment_bytes = static_cast<size_t>(segment);
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
            out.congestion_marked = (control_value<uint8_t>(c) & kEcnMask) == kEcnCe;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
            out.congestion_marked = (control_value<int>(c) & kEcnMask) == kEcnCe;
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            drops_seen_ = control_value<uint32_t>(c);
        }
    }
}

bool UdpSocket::next_error(SocketError& out) {
    SocketAddress name;
    alignas(cmsghdr) std::byte control[256]; // the error, and the address of who reported it
    msghdr message{};
    message.msg_name = &name;
    message.msg_namelen = sizeof name;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    // No buffer: the packet itself, which the queue would return too, is not needed.
    if (recvmsg(fd_, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return false;
    out = {from_sockaddr(&name.any, message.msg_namelen), 0};
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        const bool ip4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
        const bool ip6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
        if (!ip4 && !ip6) continue;
        const auto error = control_value<sock_extended_err>(c);
        // Our own kernel's errors were told by the call that failed; only the network's are news.
        if (error.ee_origin == SO_EE_ORIGIN_ICMP || error.ee_origin == SO_EE_ORIGIN_ICMP6)
            out.error = static_cast<int>(error.ee_errno);
    }
    return true;
}

uint64_t UdpSocket::take_drops() {
    const uint32_t grown = drops_seen_ - drops_taken_;
    drops_taken_ = drops_seen_;
    return grown;
}

} // namespace rill::link
