// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "udp_socket.hpp"

#include <arpa/inet.h>
#include <linux/sock_diag.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "process_pair.hpp"

namespace bench {
namespace {

bool nothing_yet() {
    return errno == EAGAIN || errno == EINTR;
}

} // namespace

UdpSocket::UdpSocket() : descriptor_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    if (descriptor_ < 0) fail_errno("socket");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        fail_errno("bind");
}

UdpSocket::~UdpSocket() {
    ::close(descriptor_);
}

std::string UdpSocket::name() const {
    std::string bytes(sizeof(sockaddr_in), '\0');
    socklen_t length = sizeof(sockaddr_in);
    if (::getsockname(descriptor_, reinterpret_cast<sockaddr*>(bytes.data()), &length) != 0)
        fail_errno("getsockname");
    return bytes;
}

void UdpSocket::connect(const std::string& peer_name) {
    if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(peer_name.data()),
                  static_cast<socklen_t>(peer_name.size())) != 0)
        fail_errno("connect");
}

void UdpSocket::enable(int level, int option, const char* option_name) {
    const int on = 1;
    if (::setsockopt(descriptor_, level, option, &on, sizeof on) != 0) fail_errno(option_name);
}

std::size_t UdpSocket::set_receive_buffer(int bytes) {
    socklen_t length = sizeof bytes;
    if (::setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &bytes, length) != 0 ||
        ::getsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &bytes, &length) != 0)
        fail_errno("SO_RCVBUF");
    return static_cast<std::size_t>(bytes);
}

bool UdpSocket::send_train(std::span<const std::byte> train, std::size_t segment) {
    iovec piece{const_cast<std::byte*>(train.data()), train.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(std::uint16_t))] = {};
    if (train.size() > segment) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_UDP;
        header->cmsg_type = UDP_SEGMENT;
        header->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
        const auto value = static_cast<std::uint16_t>(segment);
        std::memcpy(CMSG_DATA(header), &value, sizeof value);
    }
    const ssize_t sent = ::sendmsg(descriptor_, &message, MSG_DONTWAIT);
    if (sent == static_cast<ssize_t>(train.size())) return true;
    if (sent < 0 && (nothing_yet() || errno == ENOBUFS)) return false;
    fail_errno("sendmsg");
}

std::optional<std::size_t> UdpSocket::receive(std::span<std::byte> buffer) {
    const ssize_t got = ::recv(descriptor_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (nothing_yet()) return std::nullopt;
    fail_errno("recv");
}

std::optional<std::size_t> UdpSocket::receive_annotated(std::span<std::byte> buffer) {
    iovec piece{buffer.data(), buffer.size()};
    sockaddr_in source{};
    alignas(cmsghdr) char control[128];
    msghdr message{};
    message.msg_name = &source;
    message.msg_namelen = sizeof source;
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t got = ::recvmsg(descriptor_, &message, MSG_DONTWAIT);
    if (got < 0) {
        if (nothing_yet()) return std::nullopt;
        fail_errno("recvmsg");
    }
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header))
        note(*header);
    return static_cast<std::size_t>(got);
}

void UdpSocket::note(const cmsghdr& header) {
    const unsigned char* data = CMSG_DATA(&header);
    if (header.cmsg_level == SOL_UDP && header.cmsg_type == UDP_GRO)
        std::memcpy(&annotations_.segment, data, sizeof annotations_.segment);
    else if (header.cmsg_level == IPPROTO_IP && header.cmsg_type == IP_TOS)
        annotations_.tos = *data;
    else if (header.cmsg_level == SOL_SOCKET && header.cmsg_type == SO_RXQ_OVFL)
        std::memcpy(&annotations_.dropped, data, sizeof annotations_.dropped);
}

std::uint32_t UdpSocket::dropped() const {
    std::uint32_t info[SK_MEMINFO_VARS] = {};
    socklen_t length = sizeof info;
    if (::getsockopt(descriptor_, SOL_SOCKET, SO_MEMINFO, info, &length) != 0) return 0;
    return info[SK_MEMINFO_DROPS];
}

} // namespace bench
