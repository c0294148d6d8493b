// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>

namespace rill::wire {

enum class Family : uint16_t { none = 0, ip4 = 4, ip6 = 6 };

// An IP address and UDP port, host byte order for the port, network order for the address bytes.
// An IPv4 address lies in the first four bytes, the rest is zero, so equality is equality of bytes.
struct Address {
    Family family = Family::none;
    uint16_t port = 0;
    uint32_t scope = 0; // IPv6 zone (interface index) of a link-local address; never on the wire
    std::array<uint8_t, 16> ip{};

    bool operator==(const Address&) const = default;
    auto operator<=>(const Address&) const = default;
    bool valid() const { return family != Family::none; }
    bool same_host(const Address& o) const { return family == o.family && ip == o.ip; }
    Address with_port(uint16_t p) const {
        Address a = *this;
        a.port = p;
        return a;
    }
};

std::string to_string(const Address& a); // "127.0.0.1:4711", "[::1]:4711"

struct AddressHash {
    size_t operator()(const Address& a) const {
        uint64_t hi, lo;
        std::memcpy(&hi, a.ip.data(), 8);
        std::memcpy(&lo, a.ip.data() + 8, 8);
        uint64_t h = (hi ^ (lo * 0x9e3779b97f4a7c15ull)) + a.port;
        h ^= h >> 29;
        return static_cast<size_t>(h * 0xbf58476d1ce4e5b9ull);
    }
};

} // namespace rill::wire
