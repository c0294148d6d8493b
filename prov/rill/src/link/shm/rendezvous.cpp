// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "link/shm/rendezvous.hpp"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace rill::link::shm {
namespace {

constexpr int kType = SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC;
constexpr int kBacklog = 128;
// Changed with the layout of the rings: a device of another build is no peer then, and UDP serves.
constexpr char kMagic[8] = {'r', 'i', 'l', 'l', 's', 'h', 'm', '1'};

struct Offer {
    char magic[8];
    uint16_t family;
    uint16_t port;
    uint32_t scope;
    uint8_t ip[16];
};
static_assert(sizeof(Offer) == 32);

socklen_t name_of(const wire::Address& address, sockaddr_un& out) {
    const std::string name =
        "rill/" + wire::to_string(address) + "/" + std::to_string(address.scope);
    out = {};
    out.sun_family = AF_UNIX;
    const size_t n = std::min(name.size(), sizeof out.sun_path - 1);
    std::memcpy(out.sun_path + 1, name.data(), n); // the leading 0 makes it abstract
    return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + n);
}

bool is_ours(const Fd& socket) {
    ucred peer{};
    socklen_t length = sizeof peer;
    return getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
           peer.uid == geteuid();
}

Talk after_receiving(ssize_t got, size_t wanted) {
    if (got < 0) return errno == EAGAIN || errno == EINTR ? Talk::nothing_yet : Talk::failed;
    return static_cast<size_t>(got) == wanted ? Talk::done : Talk::failed;
}

} // namespace

Fd listen_as(const wire::Address& own) {
    Fd socket(::socket(AF_UNIX, kType, 0));
    sockaddr_un name;
    const socklen_t length = name_of(own, name);
    if (!socket || bind(socket.get(), reinterpret_cast<sockaddr*>(&name), length) != 0 ||
        listen(socket.get(), kBacklog) != 0)
        return Fd();
    return socket;
}

Fd connect_to(const wire::Address& peer) {
    Fd socket(::socket(AF_UNIX, kType, 0));
    sockaddr_un name;
    const socklen_t length = name_of(peer, name);
    if (!socket || connect(socket.get(), reinterpret_cast<sockaddr*>(&name), length) != 0 ||
        !is_ours(socket))
        return Fd();
    return socket;
}

Fd accept_from(const Fd& listener) {
    Fd socket(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket && !is_ours(socket)) socket.reset();
    return socket;
}

bool send_offer(const Fd& socket, const wire::Address& own, const Fd& memory) {
    Offer offer{};
    std::memcpy(offer.magic, kMagic, sizeof kMagic);
    offer.family = static_cast<uint16_t>(own.family);
    offer.port = own.port;
    offer.scope = own.scope;
    std::memcpy(offer.ip, own.ip.data(), sizeof offer.ip);
    iovec iov = {&offer, sizeof offer};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &iov;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    const int fd = memory.get();
    std::memcpy(CMSG_DATA(c), &fd, sizeof fd);
    return sendmsg(socket.get(), &message, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof offer);
}

Talk receive_offer(const Fd& socket, wire::Address& peer, Fd& memory) {
    Offer offer{};
    iovec iov = {&offer, sizeof offer};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    msghdr message{};
    message.msg_iov = &iov;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t got = recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC);
    if (got >= 0) {
        for (cmsghdr* c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
            if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
            int fd;
            std::memcpy(&fd, CMSG_DATA(c), sizeof fd); // there is room for one only
            memory = Fd(fd);
        }
    }
    const Talk talk = after_receiving(got, sizeof offer);
    if (talk != Talk::done) return talk;
    if (!memory || std::memcmp(offer.magic, kMagic, sizeof kMagic) != 0) return Talk::failed;
    if (offer.family != static_cast<uint16_t>(wire::Family::ip4) &&
        offer.family != static_cast<uint16_t>(wire::Family::ip6))
        return Talk::failed;
    peer.family = static_cast<wire::Family>(offer.family);
    peer.port = offer.port;
    peer.scope = offer.scope;
    std::memcpy(peer.ip.data(), offer.ip, sizeof offer.ip);
    return Talk::done;
}

bool send_answer(const Fd& socket) {
    return send(socket.get(), kMagic, sizeof kMagic, MSG_NOSIGNAL) ==
           static_cast<ssize_t>(sizeof kMagic);
}

Talk receive_answer(const Fd& socket) {
    char answer[sizeof kMagic];
    const Talk talk = after_receiving(recv(socket.get(), answer, sizeof answer, 0), sizeof answer);
    if (talk != Talk::done) return talk;
    return std::memcmp(answer, kMagic, sizeof kMagic) == 0 ? Talk::done : Talk::failed;
}

} // namespace rill::link::shm
