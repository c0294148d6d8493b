// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "link/route.hpp"

#include "link/sockaddr.hpp"

#include <algorithm>
#include <unistd.h>

namespace rill::link {

using wire::Address;
using wire::Family;

namespace {

// Every IP host takes datagrams of 576 bytes (RFC 791), with 60 of IP and 8 of UDP header: what
// fits there is assumed to pass where nothing is known, in fragments if need be.
constexpr size_t kPacketBytesMin = 508;
// IPv6's smallest MTU, less headers: for a destination to which there is no route (yet).
constexpr size_t kPacketBytesUnknown = 1280 - 48;

// A UDP socket that is connected, for the sake of what the kernel looks up then. Its port is any:
// no packet leaves from it, so no firewall need let it through.
class Probe {
public:
    Probe(const Address& local, const std::string& interface, const Address& to) {
        const int family = to.family == Family::ip4 ? AF_INET : AF_INET6;
        SocketAddress address;
        fd_ = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd_ < 0) return;
        if (!interface.empty())
            (void)setsockopt(fd_, SOL_SOCKET, SO_BINDTODEVICE, interface.c_str(),
                             static_cast<socklen_t>(interface.size()));
        if (local.valid()) {
            socklen_t length = to_sockaddr(local.with_port(0), address);
            if (bind(fd_, &address.any, length) != 0) return;
        }
        // Port 9 (discard) where none is given: connect() wants one.
        socklen_t length = to_sockaddr(to.with_port(to.port ? to.port : 9), address);
        connected_ = connect(fd_, &address.any, length) == 0;
    }
    Probe(const Probe&) = delete;
    Probe& operator=(const Probe&) = delete;
    ~Probe() {
        if (fd_ >= 0) ::close(fd_);
    }
    bool connected() const { return connected_; }
    int fd() const { return fd_; }

private:
    int fd_ = -1;
    bool connected_ = false;
};

} // namespace

bool source_for(const Address& to, Address& local) {
    if (!to.valid()) return false;
    Probe probe(Address{}, std::string(), to);
    SocketAddress name;
    socklen_t length = sizeof name;
    if (!probe.connected() || getsockname(probe.fd(), &name.any, &length) != 0) return false;
    local = from_sockaddr(&name.any, length).with_port(0);
    return local.valid();
}

size_t route_mtu(const Address& local, const std::string& interface, const Address& to) {
    if (!to.valid() || (local.valid() && local.family != to.family)) return 0;
    Probe probe(local, interface, to);
    const bool ip4 = to.family == Family::ip4;
    int mtu = 0;
    socklen_t length = sizeof mtu;
    if (!probe.connected() || getsockopt(probe.fd(), ip4 ? IPPROTO_IP : IPPROTO_IPV6,
                                         ip4 ? IP_MTU : IPV6_MTU, &mtu, &length) != 0)
        return 0;
    return mtu > 0 ? static_cast<size_t>(mtu) : 0;
}

size_t packet_bytes_for(Family family, size_t mtu) {
    if (mtu == 0) return kPacketBytesUnknown;
    const size_t headers = family == Family::ip4 ? 20 + 8 : 40 + 8;
    // The length fields of IPv4 and UDP are of 16 bits, whatever the loopback says its MTU is.
    return std::max(std::min<size_t>(mtu, 65535), kPacketBytesMin + headers) - headers;
}

RouteCache::Entry& RouteCache::entry(const Address& host) {
    return entries_[wire::AddressHash()(host) % kEntries];
}

size_t RouteCache::packet_bytes(const Address& local, const std::string& interface,
                                const Address& to) {
    const Address host = to.with_port(0);
    Entry& e = entry(host);
    if (e.host == host && e.packet_bytes != 0) return e.packet_bytes;
    const size_t mtu = route_mtu(local, interface, to);
    const size_t bytes = packet_bytes_for(to.family, mtu);
    // Without a route nothing is remembered: the next look may find one.
    if (mtu != 0) e = {host, static_cast<uint32_t>(bytes)};
    return bytes;
}

void RouteCache::forget(const Address& to) {
    Entry& e = entry(to.with_port(0));
    if (e.host == to.with_port(0)) e = {};
}

} // namespace rill::link
