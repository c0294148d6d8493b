// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/getinfo.hpp"

#include "fi/address.hpp"
#include "fi/attributes.hpp"
#include "fi/domain.hpp"
#include "fi/fabric.hpp"
#include "fi/nic_info.hpp"
#include "fi/place.hpp"

#include <rdma/fi_errno.h>

#include <cstring>
#include <memory>

namespace rill::fi {

namespace {

struct InfoFree {
    void operator()(fi_info* info) const { fi_freeinfo(info); }
};

// Allocated by libfabric, which may know longer structures than our headers do.
int describe(const Place& place, fi_info& info) {
    info.addr_format = format_of(place.source.family);
    info.src_addr = new_sockaddr(place.source);
    info.src_addrlen = info.src_addr ? sockaddr_bytes(place.source.family) : 0;
    if (place.destination.valid()) {
        info.dest_addr = new_sockaddr(place.destination);
        info.dest_addrlen = info.dest_addr ? sockaddr_bytes(place.destination.family) : 0;
        if (!info.dest_addr) return -FI_ENOMEM;
    }
    info.domain_attr->name = strdup(domain_name(place.interfaces).c_str());
    info.fabric_attr->name = strdup(network_name(place.interface).c_str());
    info.nic = new_nic(place.interface);
    if (!info.nic) return -FI_ENOMEM;
    const bool complete = info.src_addr && info.domain_attr->name && info.fabric_attr->name;
    return complete ? 0 : -FI_ENOMEM;
}

// Objects that hints name must be ours; the answer then stands on the same interface.
int check_objects(const fi_info* hints, const Place& place) {
    if (!hints) return 0;
    fid_fabric* fabric = hints->fabric_attr ? hints->fabric_attr->fabric : nullptr;
    fid_domain* domain = hints->domain_attr ? hints->domain_attr->domain : nullptr;
    if (fabric && !Fabric::is_open(fabric, network_name(place.interface))) return -FI_ENODATA;
    if (domain && !Domain::is_open(domain, place.interface.address)) return -FI_ENODATA;
    return 0;
}

} // namespace

int getinfo(uint32_t version, const char* node, const char* service, uint64_t flags,
            const fi_info* hints, fi_info** out) {
    if (const int failed = check_hints(version, hints)) return failed;
    Settings settings;
    if (const int failed = read_settings(settings)) return failed;
    Place place;
    if (const int failed = find_place(node, service, flags, hints, settings, place)) return failed;
    if (const int failed = check_objects(hints, place)) return failed;
    std::unique_ptr<fi_info, InfoFree> info(fi_allocinfo());
    if (!info) return -FI_ENOMEM;
    fill_attributes(*info, version, hints, settings);
    if (const int failed = describe(place, *info)) return failed;
    if (hints) {
        info->handle = hints->handle;
        if (hints->fabric_attr) info->fabric_attr->fabric = hints->fabric_attr->fabric;
        if (hints->domain_attr) info->domain_attr->domain = hints->domain_attr->domain;
    }
    if (!info->fabric_attr->fabric)
        info->fabric_attr->fabric = Fabric::first_open(info->fabric_attr->name);
    if (!info->domain_attr->domain)
        info->domain_attr->domain = Domain::first_open(info->domain_attr->name);
    *out = info.release();
    return 0;
}

} // namespace rill::fi
