// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "fi/settings.hpp"
#include "link/interfaces.hpp"
#include "wire/address.hpp"

#include <rdma/fabric.h>

#include <string>
#include <vector>

namespace rill::fi {

// Where a domain stands: the interface it uses, the address of its endpoints there (the port is 0
// unless the user chose one) and, if the user named one, the peer's.
struct Place {
    link::Interface interface;               // of its endpoints
    std::vector<link::Interface> interfaces; // all that it uses, that one first
    wire::Address source;
    wire::Address destination; // Family::none: not named
};

// The network of an interface, as fi_info names its fabric: "192.0.2.0/24".
std::string network_name(const link::Interface& interface);

// What a domain is called: its interfaces, "eth0,eth1". Given back as a hint it means the same.
std::string domain_name(const std::vector<link::Interface>& interfaces);

// Finds the one interface that fits the arguments of fi_getinfo best. -FI_ENODATA when none does,
// -FI_ENODEV when FI_RILL_IFACE names one that is not there.
[[nodiscard]] int find_place(const char* node, const char* service, uint64_t flags,
                             const fi_info* hints, const Settings& settings, Place& out);

} // namespace rill::fi
