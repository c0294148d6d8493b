// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/nic_info.hpp"

#include "link/hardware.hpp"

#include <rdma/fi_errno.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

namespace rill::fi {

namespace {

extern fi_ops nic_ops;

// Each part is an allocation by itself, as programs may take one for another of libfabric's.
int close_nic(fid* f) {
    auto* nic = reinterpret_cast<fid_nic*>(f);
    if (const fi_device_attr* d = nic->device_attr)
        for (char* text :
             {d->name, d->device_id, d->device_version, d->vendor_id, d->driver, d->firmware})
            std::free(text);
    if (const fi_link_attr* l = nic->link_attr) {
        std::free(l->address);
        std::free(l->network_type);
    }
    std::free(nic->device_attr);
    std::free(nic->bus_attr);
    std::free(nic->link_attr);
    std::free(nic);
    return 0;
}

struct NicClose {
    void operator()(fid_nic* nic) const { close_nic(&nic->fid); }
};
using NicPtr = std::unique_ptr<fid_nic, NicClose>;

template <class T>
T* new_zeroed() {
    return static_cast<T*>(std::calloc(1, sizeof(T)));
}

NicPtr new_empty() {
    NicPtr nic(new_zeroed<fid_nic>());
    if (!nic) return {};
    nic->fid.fclass = FI_CLASS_NIC;
    nic->fid.ops = &nic_ops;
    nic->device_attr = new_zeroed<fi_device_attr>();
    nic->bus_attr = new_zeroed<fi_bus_attr>();
    nic->link_attr = new_zeroed<fi_link_attr>();
    return nic->device_attr && nic->bus_attr && nic->link_attr ? std::move(nic) : NicPtr();
}

// What is not known stays null. False for want of memory.
bool set(char*& out, const char* text) {
    if (!text || !*text) return true;
    out = strdup(text);
    return out != nullptr;
}

bool copy(const fi_device_attr& from, fi_device_attr& to) {
    return set(to.name, from.name) && set(to.device_id, from.device_id) &&
           set(to.device_version, from.device_version) && set(to.vendor_id, from.vendor_id) &&
           set(to.driver, from.driver) && set(to.firmware, from.firmware);
}

bool copy(const fi_link_attr& from, fi_link_attr& to) {
    to.mtu = from.mtu;
    to.speed = from.speed;
    to.state = from.state;
    return set(to.address, from.address) && set(to.network_type, from.network_type);
}

int control_nic(fid* f, int command, void* argument) {
    if (command != FI_DUP) return -FI_ENOSYS;
    const auto* from = reinterpret_cast<const fid_nic*>(f);
    NicPtr made = new_empty();
    if (!made || !copy(*from->device_attr, *made->device_attr) ||
        !copy(*from->link_attr, *made->link_attr))
        return -FI_ENOMEM;
    *made->bus_attr = *from->bus_attr;
    *static_cast<fid_nic**>(argument) = made.release();
    return 0;
}

void line(std::string& out, unsigned depth, const char* name, const std::string& value) {
    out.append(4 * depth, ' ').append(name).append(": ").append(value) += '\n';
}

void line(std::string& out, unsigned depth, const char* name, const char* value) {
    line(out, depth, name, std::string(value ? value : "(null)"));
}

void print(const fi_device_attr& device, std::string& out) {
    out.append(8, ' ').append("fi_device_attr:\n");
    line(out, 3, "name", device.name);
    line(out, 3, "device_id", device.device_id);
    line(out, 3, "device_version", device.device_version);
    line(out, 3, "vendor_id", device.vendor_id);
    line(out, 3, "driver", device.driver);
    line(out, 3, "firmware", device.firmware);
}

void print(const fi_bus_attr& bus, std::string& out) {
    const bool is_pci = bus.bus_type == FI_BUS_PCI;
    out.append(8, ' ').append("fi_bus_attr:\n");
    line(out, 3, "bus_type", is_pci ? "FI_BUS_PCI" : "FI_BUS_UNKNOWN");
    if (!is_pci) return;
    const fi_pci_attr& pci = bus.attr.pci;
    out.append(12, ' ').append("fi_pci_attr:\n");
    line(out, 4, "domain_id", std::to_string(pci.domain_id));
    line(out, 4, "bus_id", std::to_string(pci.bus_id));
    line(out, 4, "device_id", std::to_string(pci.device_id));
    line(out, 4, "function_id", std::to_string(pci.function_id));
}

void print(const fi_link_attr& link, std::string& out) {
    out.append(8, ' ').append("fi_link_attr:\n");
    line(out, 3, "address", link.address);
    line(out, 3, "mtu", std::to_string(link.mtu));
    line(out, 3, "speed", std::to_string(link.speed));
    line(out, 3, "state",
         link.state == FI_LINK_UP     ? "FI_LINK_UP"
         : link.state == FI_LINK_DOWN ? "FI_LINK_DOWN"
                                      : "FI_LINK_UNKNOWN");
    line(out, 3, "network_type", link.network_type);
}

// In libfabric's words, behind what stands in `buffer` already. libfabric passes what is left of it
// as its length, so that is the least that the whole has.
int print_nic(const fid* f, char* buffer, size_t bytes) {
    const auto* nic = reinterpret_cast<const fid_nic*>(f);
    std::string out(4, ' ');
    out.append("nic:\n");
    print(*nic->device_attr, out);
    print(*nic->bus_attr, out);
    print(*nic->link_attr, out);
    const size_t used = strnlen(buffer, bytes);
    if (used + 1 >= bytes) return 0;
    const size_t fits = out.copy(buffer + used, bytes - used - 1);
    buffer[used + fits] = '\0';
    return 0;
}

fi_ops nic_ops = {
    .size = sizeof(fi_ops),
    .close = close_nic,
    .bind = nullptr,
    .control = control_nic,
    .ops_open = nullptr,
    .tostr = print_nic,
    .ops_set = nullptr,
};

fi_link_state state_of(const link::Interface& interface, const link::Hardware& hardware) {
    return interface.is_loopback || hardware.has_carrier ? FI_LINK_UP : FI_LINK_DOWN;
}

} // namespace

fid_nic* new_nic(const link::Interface& interface) {
    const link::Hardware hardware = link::describe_hardware(interface);
    NicPtr nic = new_empty();
    if (!nic) return nullptr;
    fi_device_attr& device = *nic->device_attr;
    fi_link_attr& link = *nic->link_attr;
    const bool set_all = set(device.name, link::device_of(interface.name).c_str()) &&
                         set(device.device_id, hardware.device.c_str()) &&
                         set(device.device_version, hardware.revision.c_str()) &&
                         set(device.vendor_id, hardware.vendor.c_str()) &&
                         set(device.driver, hardware.driver.c_str()) &&
                         set(device.firmware, hardware.firmware.c_str()) &&
                         set(link.address, hardware.mac.c_str()) &&
                         set(link.network_type, interface.is_loopback ? "loopback" : "Ethernet");
    if (!set_all) return nullptr;
    link.mtu = interface.mtu;
    if (interface.speed_mbps > 0) link.speed = static_cast<size_t>(interface.speed_mbps) * 1000000;
    link.state = state_of(interface, hardware);
    if (const auto& pci = hardware.pci) {
        nic->bus_attr->bus_type = FI_BUS_PCI;
        nic->bus_attr->attr.pci = {pci->domain, pci->bus, pci->device, pci->function};
    }
    return nic.release();
}

} // namespace rill::fi
