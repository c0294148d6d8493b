// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "wire/address.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

namespace rill::link {

// Room for either family and no more: a send fills it, and sockaddr_storage is 128 bytes.
union SocketAddress {
    sockaddr any;
    sockaddr_in ip4;
    sockaddr_in6 ip6;
};

// Fills `out` and returns its length; 0 when the address has no family.
socklen_t to_sockaddr(const wire::Address& address, SocketAddress& out);

// Family::none when `in` is of another family or shorter than its family needs. An IPv4-mapped
// IPv6 address stays IPv6: rill's sockets are of one family each.
wire::Address from_sockaddr(const sockaddr* in, socklen_t length);

// The IP part as a user writes it: "192.0.2.1", "fe80::1%eth0".
std::string host_text(const wire::Address& address);

// Reads a numeric IPv4 or IPv6 address, with "%zone" if need be; the port becomes 0.
bool parse_host(const std::string& text, wire::Address& out);

bool is_loopback(const wire::Address& address);
bool is_link_local(const wire::Address& address);

} // namespace rill::link
