// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/place.hpp"

#include "fi/address.hpp"
#include "fi/address_range.hpp"
#include "fi/log.hpp"
#include "link/route.hpp"
#include "link/sockaddr.hpp"

#include <rdma/fi_errno.h>

#include <algorithm>
#include <bit>
#include <vector>

namespace rill::fi {

namespace {

using Interfaces = std::vector<link::Interface>;

int no(const std::string& why) {
    inform(FI_LOG_CORE, why);
    return -FI_ENODATA;
}

// What the caller said, resolved: both sides may be wildcards or missing.
struct Wish {
    wire::Family family = wire::Family::none;
    wire::Address source;
    wire::Address destination;
};

int resolve(const char* node, const char* service, uint64_t flags, Wish& wish) {
    link::ResolveOptions options;
    options.family = wish.family;
    options.numeric_host = flags & FI_NUMERICHOST;
    options.passive = flags & FI_SOURCE;
    std::vector<wire::Address> found;
    if (!resolve_service(node, service, options, found)) return no("node or service unknown");
    (flags & FI_SOURCE ? wish.source : wish.destination) = found.front();
    return 0;
}

int read_wish(const char* node, const char* service, uint64_t flags, const fi_info* hints,
              Wish& wish) {
    if ((flags & FI_SOURCE) && !node && !service) {
        inform(FI_LOG_CORE, "FI_SOURCE without node and service");
        return -FI_EINVAL;
    }
    if (hints && !family_of(hints->addr_format, wish.family)) return no("addr_format");
    if (hints && hints->src_addr) {
        wish.source = read_sockaddr(hints->src_addr, hints->src_addrlen);
        if (!wish.source.valid()) return no("hints: src_addr is not an IP address");
    }
    if (hints && hints->dest_addr) {
        wish.destination = read_sockaddr(hints->dest_addr, hints->dest_addrlen);
        if (!wish.destination.valid()) return no("hints: dest_addr is not an IP address");
    }
    // Node and service say more than the address that they replace.
    if (node || service) {
        if (const int failed = resolve(node, service, flags, wish)) return failed;
    }
    for (const wire::Address* a : {&wish.source, &wish.destination}) {
        if (!a->valid()) continue;
        if (wish.family != wire::Family::none && a->family != wish.family)
            return no("addresses of different families");
        wish.family = a->family;
    }
    return 0;
}

std::string known_interfaces() {
    Interfaces all;
    std::string text, error;
    if (!is_ok(link::list_interfaces("", all, error))) return error;
    for (const link::Interface& i : all)
        text += (text.empty() ? "" : ", ") + i.name + " (" + link::host_text(i.address) + ")";
    return text.empty() ? "none" : text;
}

// Whether a domain of that name has the interface.
bool is_named(const std::string& domain, const std::string& interface) {
    return ("," + domain + ",").find("," + interface + ",") != std::string::npos;
}

// The interfaces that may be used at all, in the order of preference of the administrator.
int list(const fi_info* hints, const Settings& settings, const Wish& wish, Interfaces& out) {
    const char* domain = hints && hints->domain_attr ? hints->domain_attr->name : nullptr;
    std::string selection = settings.interface();
    const bool by_us = selection.empty();
    // Interfaces that are left out by default may still be named.
    if (by_us && domain)
        selection = domain;
    else if (by_us && wish.source.valid() && !is_wildcard(wish.source) &&
             !link::is_loopback(wish.source))
        selection = link::host_text(wish.source);
    std::string error;
    if (!is_ok(link::list_interfaces(selection, out, error))) {
        if (by_us) return no(error);
        warn(FI_LOG_CORE, "FI_RILL_IFACE: " + error + "; there are: " + known_interfaces());
        return -FI_ENODEV;
    }
    std::erase_if(out, [&](const link::Interface& i) {
        return (wish.family != wire::Family::none && i.address.family != wish.family) ||
               (domain && !is_named(domain, i.name));
    });
    return out.empty() ? no("no interface fits names and address format") : 0;
}

// Those whose endpoints would be in the fabric asked for.
Interfaces in_fabric(const Interfaces& all, const fi_info* hints) {
    const char* fabric = hints && hints->fabric_attr ? hints->fabric_attr->name : nullptr;
    Interfaces out;
    for (const link::Interface& i : all)
        if (!fabric || network_name(i) == fabric) out.push_back(i);
    return out;
}

bool in_network(const link::Interface& i, const wire::Address& a) {
    if (i.address.family != a.family) return false;
    for (size_t byte = 0; byte < a.ip.size(); ++byte)
        if ((i.address.ip[byte] ^ a.ip[byte]) & i.netmask.ip[byte]) return false;
    return true;
}

const link::Interface* with_address(const Interfaces& all, const wire::Address& a) {
    const auto found = std::find_if(
        all.begin(), all.end(), [&](const link::Interface& i) { return i.address.same_host(a); });
    return found == all.end() ? nullptr : &*found;
}

const link::Interface* loopback(const Interfaces& all, wire::Family family) {
    const auto found = std::find_if(all.begin(), all.end(), [&](const link::Interface& i) {
        return i.is_loopback && i.address.family == family;
    });
    return found == all.end() ? nullptr : &*found;
}

// The fastest one, then the nearest, loopback only for want of any other, IPv4 before IPv6 at last.
const link::Interface& best(const Interfaces& all) {
    const auto worse = [](const link::Interface& a, const link::Interface& b) {
        if (a.is_loopback != b.is_loopback) return a.is_loopback;
        if (a.speed_mbps != b.speed_mbps) return a.speed_mbps < b.speed_mbps;
        if (a.is_near != b.is_near) return b.is_near;
        return a.address.family > b.address.family;
    };
    return *std::max_element(all.begin(), all.end(),
                             [&](const auto& a, const auto& b) { return worse(a, b); });
}

int pick_by_source(const Interfaces& all, const wire::Address& source, link::Interface& out) {
    if (const link::Interface* i = with_address(all, source)) {
        out = *i;
        return 0;
    }
    // All of 127.0.0.0/8 is here.
    const link::Interface* lo = loopback(all, source.family);
    if (!lo || !in_network(*lo, source))
        return no("no usable interface has the address " + wire::to_string(source));
    out = *lo;
    out.address = source.with_port(0);
    return 0;
}

const link::Interface& pick_by_destination(const Interfaces& all, const wire::Address& to) {
    const link::Interface* found = nullptr;
    wire::Address local;
    if (link::is_loopback(to))
        found = loopback(all, to.family);
    else if (link::source_for(to, local))
        found = with_address(all, local);
    return found ? *found : best(all);
}

// All that a domain uses: one address of each interface, in the family of the first. The loopback
// stands alone, and so does an address that the program named without a domain.
Interfaces beside(const Interfaces& all, const link::Interface& first, const Wish& wish,
                  const fi_info* hints) {
    Interfaces out = {first};
    const bool named = hints && hints->domain_attr && hints->domain_attr->name;
    if (first.is_loopback || (wish.source.valid() && !is_wildcard(wish.source) && !named))
        return out;
    for (const link::Interface& i : all)
        if (!i.is_loopback && i.address.family == first.address.family &&
            std::ranges::none_of(out, [&](const auto& o) { return o.name == i.name; }))
            out.push_back(i);
    return out;
}

} // namespace

std::string network_name(const link::Interface& interface) {
    wire::Address network = interface.address;
    int bits = 0;
    for (size_t byte = 0; byte < network.ip.size(); ++byte) {
        network.ip[byte] &= interface.netmask.ip[byte];
        bits += std::popcount(interface.netmask.ip[byte]);
    }
    network.scope = 0;
    return link::host_text(network) + "/" + std::to_string(bits);
}

std::string domain_name(const std::vector<link::Interface>& interfaces) {
    std::string name;
    for (const link::Interface& i : interfaces)
        name += (name.empty() ? "" : ",") + i.name;
    return name;
}

int find_place(const char* node, const char* service, uint64_t flags, const fi_info* hints,
               const Settings& settings, Place& out) {
    Wish wish;
    if (const int failed = read_wish(node, service, flags, hints, wish)) return failed;
    Interfaces all;
    if (const int failed = list(hints, settings, wish, all)) return failed;
    const Interfaces eligible = in_fabric(all, hints);
    if (eligible.empty()) return no("no interface in that fabric");
    Place place;
    if (wish.source.valid() && !is_wildcard(wish.source)) {
        if (const int failed = pick_by_source(eligible, wish.source, place.interface))
            return failed;
    } else if (wish.destination.valid()) {
        place.interface = pick_by_destination(eligible, wish.destination);
    } else {
        place.interface = best(eligible);
    }
    place.interfaces = beside(all, place.interface, wish, hints);
    place.source = place.interface.address.with_port(wish.source.port);
    place.destination = wish.destination;
    out = std::move(place);
    return 0;
}

} // namespace rill::fi
