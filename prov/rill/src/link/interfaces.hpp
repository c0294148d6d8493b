// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "util/status.hpp"
#include "wire/address.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace rill::link {

// One local address that packets can leave from.
struct Interface {
    std::string name;
    wire::Address address; // port 0
    wire::Address netmask; // same family, port 0
    uint32_t index = 0;
    uint32_t mtu = 0;
    int64_t speed_mbps = -1; // what sysfs says; -1: unknown
    bool is_loopback = false;
    bool is_near = true; // false: it hangs on another NUMA node than where this process may run
};

// The device that an interface is, "eth0" for the label "eth0:1".
std::string device_of(const std::string& interface);

// The usable local addresses. `selection` is the value of FI_RILL_IFACE: names of interfaces and
// addresses, separated by commas; they come in that order, and one that is unknown or down is
// an error (not_found) that names it. Empty: all that are up and running, without link-local IPv6
// and what container and virtual machine managers make (bridges, and what is plugged into one); those
// on the process's own NUMA node first, else in the kernel's order, loopback last.
[[nodiscard]] Status list_interfaces(std::string_view selection, std::vector<Interface>& out,
                                     std::string& error);

struct ResolveOptions {
    wire::Family family = wire::Family::none; // none: either
    bool numeric_host = false;                // no name service
    bool passive = false;                     // without a node: the wildcard, not the loopback
};

// Node and service, either of which may be null, to addresses, best first (getaddrinfo). May block
// on the name service unless numeric_host is set.
[[nodiscard]] Status resolve(const char* node, const char* service, const ResolveOptions& options,
                             std::vector<wire::Address>& out, std::string& error);

} // namespace rill::link
