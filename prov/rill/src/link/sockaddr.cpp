// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "link/sockaddr.hpp"

#include <arpa/inet.h>
#include <cstring>
#include <net/if.h>
#include <netdb.h>

namespace rill::link {

using wire::Address;
using wire::Family;

socklen_t to_sockaddr(const Address& address, SocketAddress& out) {
    switch (address.family) {
    case Family::ip4:
        out.ip4 = {};
        out.ip4.sin_family = AF_INET;
        out.ip4.sin_port = htons(address.port);
        std::memcpy(&out.ip4.sin_addr, address.ip.data(), 4);
        return sizeof out.ip4;
    case Family::ip6:
        out.ip6 = {};
        out.ip6.sin6_family = AF_INET6;
        out.ip6.sin6_port = htons(address.port);
        out.ip6.sin6_scope_id = address.scope;
        std::memcpy(&out.ip6.sin6_addr, address.ip.data(), 16);
        return sizeof out.ip6;
    case Family::none: break;
    }
    return 0;
}

Address from_sockaddr(const sockaddr* in, socklen_t length) {
    Address address;
    if (!in || length < sizeof(sa_family_t)) return address;
    if (in->sa_family == AF_INET && length >= sizeof(sockaddr_in)) {
        sockaddr_in ip4;
        std::memcpy(&ip4, in, sizeof ip4);
        address.family = Family::ip4;
        address.port = ntohs(ip4.sin_port);
        std::memcpy(address.ip.data(), &ip4.sin_addr, 4);
    } else if (in->sa_family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
        sockaddr_in6 ip6;
        std::memcpy(&ip6, in, sizeof ip6);
        address.family = Family::ip6;
        address.port = ntohs(ip6.sin6_port);
        address.scope = ip6.sin6_scope_id;
        std::memcpy(address.ip.data(), &ip6.sin6_addr, 16);
    }
    return address;
}

std::string host_text(const Address& address) {
    char text[INET6_ADDRSTRLEN] = "none";
    const int family = address.family == Family::ip4 ? AF_INET : AF_INET6;
    if (address.valid()) inet_ntop(family, address.ip.data(), text, sizeof text);
    std::string out = text;
    char name[IF_NAMESIZE];
    if (address.scope != 0 && if_indextoname(address.scope, name)) out += std::string("%") + name;
    return out;
}

bool parse_host(const std::string& text, Address& out) {
    addrinfo hints{};
    hints.ai_flags = AI_NUMERICHOST;
    hints.ai_socktype = SOCK_DGRAM;
    // getaddrinfo takes inet_aton's forms too ("10" for 0.0.0.10), which hardly anyone means.
    if (text.find_first_of(".:") == std::string::npos) return false;
    addrinfo* found = nullptr;
    if (getaddrinfo(text.c_str(), nullptr, &hints, &found) != 0) return false;
    const Address address = from_sockaddr(found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    if (address.valid()) out = address;
    return address.valid();
}

bool is_loopback(const Address& address) {
    switch (address.family) {
    case Family::ip4: return address.ip[0] == 127;
    case Family::ip6: {
        std::array<uint8_t, 16> loopback{};
        loopback[15] = 1;
        return address.ip == loopback;
    }
    case Family::none: break;
    }
    return false;
}

bool is_link_local(const Address& address) {
    return address.family == Family::ip6 && address.ip[0] == 0xfe && (address.ip[1] & 0xc0) == 0x80;
}

} // namespace rill::link
