// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/address.hpp"

#include "link/sockaddr.hpp"

#include <rdma/fabric.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace rill::fi {

uint32_t format_of(wire::Family family) {
    return family == wire::Family::ip6 ? FI_SOCKADDR_IN6 : FI_SOCKADDR_IN;
}

bool family_of(uint32_t format, wire::Family& out) {
    switch (format) {
    case FI_FORMAT_UNSPEC:
    case FI_SOCKADDR: out = wire::Family::none; return true;
    case FI_SOCKADDR_IN: out = wire::Family::ip4; return true;
    case FI_SOCKADDR_IN6: out = wire::Family::ip6; return true;
    default: return false;
    }
}

size_t sockaddr_bytes(wire::Family family) {
    return family == wire::Family::ip6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

wire::Address read_sockaddr(const void* in, size_t limit_bytes) {
    sa_family_t family;
    if (!in || limit_bytes < sizeof(sockaddr_in)) return {};
    // A user's array of addresses is under no obligation to be aligned.
    std::memcpy(&family, static_cast<const char*>(in) + offsetof(sockaddr, sa_family),
                sizeof family);
    if (family != AF_INET && family != AF_INET6) return {};
    const size_t bytes = family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    if (bytes > limit_bytes) return {};
    link::SocketAddress copy;
    std::memcpy(&copy, in, bytes);
    return link::from_sockaddr(&copy.any, static_cast<socklen_t>(bytes));
}

bool write_sockaddr(const wire::Address& address, void* buf, size_t* len) {
    link::SocketAddress copy;
    const size_t bytes = link::to_sockaddr(address, copy);
    const size_t room = std::exchange(*len, bytes);
    if (buf && room) std::memcpy(buf, &copy, std::min(room, bytes));
    return buf && room >= bytes;
}

void* new_sockaddr(const wire::Address& address) {
    size_t bytes = sockaddr_bytes(address.family);
    void* copy = std::calloc(1, bytes);
    if (copy && !write_sockaddr(address, copy, &bytes)) {
        std::free(copy);
        return nullptr;
    }
    return copy;
}

bool is_wildcard(const wire::Address& address) {
    return address.ip == decltype(address.ip){};
}

std::string address_text(const wire::Address& address) {
    return (address.family == wire::Family::ip6 ? "fi_sockaddr_in6://" : "fi_sockaddr_in://") +
           wire::to_string(address);
}

} // namespace rill::fi
