// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "link/interfaces.hpp"

#include "link/locality.hpp"
#include "link/sockaddr.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <ifaddrs.h>
#include <memory>
#include <net/if.h>
#include <netdb.h>
#include <unistd.h>

namespace rill::link {

using wire::Address;
using wire::Family;

namespace {

// Interfaces that container and virtual machine managers make for themselves: their addresses are
// the same on every host, so a peer elsewhere that is given one talks to itself.
constexpr const char* kManagedPrefixes[] = {"docker",  "br-",    "veth",  "virbr", "vnet",
                                            "cni",     "podman", "lxcbr", "lxdbr", "cali",
                                            "flannel", "cilium", "kube-", "weave", "nodelocaldns"};

struct Candidate {
    Interface interface;
    bool running = false;
};

bool is_managed(const std::string& name) {
    return std::any_of(std::begin(kManagedPrefixes), std::end(kManagedPrefixes),
                       [&](const char* prefix) { return name.rfind(prefix, 0) == 0; });
}

// What is plugged into a bridge carries the bridge's packets, whatever address it has.
bool is_bridge_port(const std::string& name) {
    return access(("/sys/class/net/" + device_of(name) + "/brport").c_str(), F_OK) == 0;
}

// One number from /sys/class/net/NAME/; -1 if it cannot be read, as for an interface without speed.
int64_t sysfs_number(const std::string& name, const char* file) {
    std::ifstream in("/sys/class/net/" + device_of(name) + '/' + file);
    int64_t value = -1;
    return in >> value ? value : -1;
}

Interface describe(const ifaddrs& entry) {
    const bool ip4 = entry.ifa_addr->sa_family == AF_INET;
    const socklen_t length = ip4 ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    Interface out;
    out.name = entry.ifa_name;
    out.address = from_sockaddr(entry.ifa_addr, length).with_port(0);
    if (entry.ifa_netmask) {
        out.netmask = from_sockaddr(entry.ifa_netmask, length).with_port(0);
        out.netmask.scope = 0;
    }
    out.index = if_nametoindex(entry.ifa_name);
    out.mtu = static_cast<uint32_t>(std::max<int64_t>(sysfs_number(out.name, "mtu"), 0));
    out.speed_mbps = std::max<int64_t>(sysfs_number(out.name, "speed"), -1);
    if (out.speed_mbps == 0) out.speed_mbps = -1;
    out.is_loopback = (entry.ifa_flags & IFF_LOOPBACK) != 0;
    return out;
}

Status read_candidates(std::vector<Candidate>& out, std::string& error) {
    ifaddrs* first = nullptr;
    if (getifaddrs(&first) != 0) {
        error = std::string("list of interfaces: ") + std::strerror(errno);
        return Status::io_error;
    }
    const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> list(first, freeifaddrs);
    constexpr unsigned kUsable = IFF_UP | IFF_RUNNING;
    for (const ifaddrs* e = first; e; e = e->ifa_next) {
        if (!e->ifa_addr) continue;
        const int family = e->ifa_addr->sa_family;
        if (family != AF_INET && family != AF_INET6) continue;
        out.push_back({describe(*e), (e->ifa_flags & kUsable) == kUsable});
    }
    return Status::ok;
}

// Asking hwloc takes milliseconds: not where there is nothing to choose.
void sort_by_distance(std::vector<Interface>& interfaces) {
    const std::string* first = nullptr;
    bool several = false;
    for (const Interface& i : interfaces) {
        if (i.is_loopback) continue;
        several |= first && *first != i.name;
        first = &i.name;
    }
    if (several) {
        const std::set<std::string> far = far_devices();
        for (Interface& i : interfaces)
            i.is_near = !far.contains(device_of(i.name));
    }
    std::ranges::stable_sort(
        interfaces, {}, [](const Interface& i) { return std::pair(i.is_loopback, !i.is_near); });
}

void choose_unnamed(const std::vector<Candidate>& candidates, std::vector<Interface>& out) {
    for (const Candidate& c : candidates)
        if (c.running && !is_managed(c.interface.name) && !is_bridge_port(c.interface.name) &&
            !is_link_local(c.interface.address))
            out.push_back(c.interface);
    sort_by_distance(out);
}

void add_once(const Interface& interface, std::vector<Interface>& out) {
    for (const Interface& o : out)
        if (o.name == interface.name && o.address == interface.address) return;
    out.push_back(interface);
}

// A named interface gives its link-local address only if it has no other.
void choose_by_name(const std::vector<const Candidate*>& named, std::vector<Interface>& out) {
    const bool only_link_local = std::all_of(named.begin(), named.end(), [](const Candidate* c) {
        return is_link_local(c->interface.address);
    });
    for (const Candidate* c : named)
        if (only_link_local || !is_link_local(c->interface.address)) add_once(c->interface, out);
}

Status choose(const std::string& word, const std::vector<Candidate>& candidates,
              std::vector<Interface>& out, std::string& error) {
    Address address;
    const bool by_address = parse_host(word, address);
    std::vector<const Candidate*> named;
    bool down = false;
    for (const Candidate& c : candidates) {
        const bool hit =
            by_address ? c.interface.address.same_host(address) &&
                             (address.scope == 0 || address.scope == c.interface.address.scope)
                       : c.interface.name == word;
        if (hit && c.running) named.push_back(&c);
        if (hit && !c.running) down = true;
    }
    if (!named.empty()) {
        if (by_address)
            add_once(named.front()->interface, out);
        else
            choose_by_name(named, out);
        return Status::ok;
    }
    if (by_address)
        error = down ? "the interface of address '" + word + "' is down"
                     : "no interface has the address '" + word + "'";
    else if (down)
        error = "interface '" + word + "' is down";
    else if (if_nametoindex(word.c_str()) != 0)
        error = "interface '" + word + "' has no IP address";
    else
        error = "there is no interface '" + word + "'";
    return Status::not_found;
}

} // namespace

std::string device_of(const std::string& interface) {
    return interface.substr(0, interface.find(':'));
}

Status list_interfaces(std::string_view selection, std::vector<Interface>& out,
                       std::string& error) {
    std::vector<Candidate> candidates;
    std::vector<Interface> chosen;
    if (Status s = read_candidates(candidates, error); !is_ok(s)) return s;
    if (selection.empty()) choose_unnamed(candidates, chosen);
    for (size_t at = 0; !selection.empty() && at <= selection.size();) {
        const size_t end = std::min(selection.find(',', at), selection.size());
        const std::string word(selection.substr(at, end - at));
        if (word.empty()) {
            error = "empty word in the list of interfaces '" + std::string(selection) + "'";
            return Status::invalid;
        }
        if (Status s = choose(word, candidates, chosen, error); !is_ok(s)) return s;
        at = end + 1;
    }
    out = std::move(chosen);
    return Status::ok;
}

Status resolve(const char* node, const char* service, const ResolveOptions& options,
               std::vector<Address>& out, std::string& error) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_DGRAM;
    hints.ai_family = AF_UNSPEC;
    if (options.family == Family::ip4) hints.ai_family = AF_INET;
    if (options.family == Family::ip6) hints.ai_family = AF_INET6;
    if (options.numeric_host) hints.ai_flags |= AI_NUMERICHOST;
    if (options.passive) hints.ai_flags |= AI_PASSIVE;
    if (!node && !service) service = "0"; // getaddrinfo wants one of them
    addrinfo* first = nullptr;
    const int failed = getaddrinfo(node, service, &hints, &first);
    if (failed != 0) {
        error = std::string("'") + (node ? node : "") + (service && node ? "', service '" : "") +
                (service ? service : "") +
                "': " + (failed == EAI_SYSTEM ? std::strerror(errno) : gai_strerror(failed));
        return failed == EAI_MEMORY ? Status::no_memory : Status::not_found;
    }
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> list(first, freeaddrinfo);
    std::vector<Address> found;
    for (const addrinfo* a = first; a; a = a->ai_next) {
        const Address address = from_sockaddr(a->ai_addr, a->ai_addrlen);
        if (address.valid() && std::find(found.begin(), found.end(), address) == found.end())
            found.push_back(address);
    }
    out = std::move(found);
    return Status::ok;
}

} // namespace rill::link
