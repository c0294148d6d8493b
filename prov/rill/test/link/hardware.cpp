// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "link/hardware.hpp"

#include "link/locality.hpp"

#include <criterion/criterion.h>
#include <vector>

using namespace rill::link;

Test(hardware, the_last_pci_address_of_a_path_counts) {
    const auto nic = pci_in("/sys/devices/pci0000:3a/0000:3a:00.0/0000:3b:00.1/net/eth0");
    cr_assert(nic && nic->domain == 0 && nic->bus == 0x3b && nic->device == 0 &&
              nic->function == 1);
    const auto virtio = pci_in("/sys/devices/pci0000:00/0000:00:1f.7/virtio3");
    cr_assert(virtio && virtio->bus == 0 && virtio->device == 0x1f && virtio->function == 7);
    for (const char* path : {"/sys/devices/virtual/net/lo", "", "/pci0000:00", "/0000:00:00.00"})
        cr_assert(!pci_in(path), "%s", path);
}

Test(hardware, the_loopback_is_no_pci_device_and_a_label_is_its_device) {
    cr_assert_str_eq(device_of("eth0:1").c_str(), "eth0");
    Interface lo;
    lo.name = "lo:1";
    const Hardware h = describe_hardware(lo);
    cr_assert(!h.pci && h.vendor.empty() && h.device.empty());
    cr_assert_str_eq(h.mac.c_str(), "00:00:00:00:00:00");
    lo.name = "rill-none0";
    cr_assert(describe_hardware(lo).mac.empty() && !describe_hardware(lo).has_carrier);
}

Test(hardware, of_equal_interfaces_the_near_ones_come_first) {
    std::vector<Interface> all;
    std::string error;
    cr_assert(is_ok(list_interfaces("", all, error)));
    bool far = false, loopback = false;
    for (const Interface& i : all) {
        cr_assert(!(far && i.is_near) || i.is_loopback || loopback, "%s", i.name.c_str());
        far |= !i.is_near;
        loopback |= i.is_loopback;
    }
    cr_assert(!far_devices().contains("lo"), "nobody is far from a device without a place");
}
