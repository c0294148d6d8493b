// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "wire/address.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace rill::link {

// The local address from which the kernel would send to `to`; its port is 0. False when there is no
// route. Sends nothing.
bool source_for(const wire::Address& to, wire::Address& local);

// The path MTU that the kernel assumes from `local` (and, unless empty, `interface`) to `to`;
// 0 when there is no route. Sends nothing.
size_t route_mtu(const wire::Address& local, const std::string& interface, const wire::Address& to);

// UDP payload that fits a packet of this MTU without fragmentation.
size_t packet_bytes_for(wire::Family family, size_t mtu);

// Largest unfragmented datagrams by destination host. Direct-mapped and of fixed size: a miss costs
// five system calls, and more peers than entries cost only that.
class RouteCache {
public:
    static constexpr size_t kEntries = 256;

    size_t packet_bytes(const wire::Address& local, const std::string& interface,
                        const wire::Address& to);
    void forget(const wire::Address& to);

private:
    struct Entry {
        wire::Address host; // port 0
        uint32_t packet_bytes = 0;
    };
    Entry& entry(const wire::Address& host);

    std::array<Entry, kEntries> entries_;
};

} // namespace rill::link
