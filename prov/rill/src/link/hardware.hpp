// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "link/interfaces.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace rill::link {

// What sysfs and the driver tell of the device behind an interface. What nobody tells is empty.
struct Hardware {
    struct Pci {
        uint16_t domain = 0;
        uint8_t bus = 0;
        uint8_t device = 0;
        uint8_t function = 0;
    };
    std::optional<Pci> pci; // none: a virtual device
    std::string driver;     // "mlx5_core", "veth"
    std::string firmware;   // its version
    std::string vendor;     // of PCI: "0x15b3"
    std::string device;     // of PCI: "0x1017"
    std::string revision;   // of PCI: "0x00"
    std::string mac;        // "02:00:00:00:00:01"
    bool has_carrier = false;
};

Hardware describe_hardware(const Interface& interface);

// "0000:3b:00.1", the last such part of a path in sysfs: a virtio device has a PCI device above it.
std::optional<Hardware::Pci> pci_in(const std::string& path);

} // namespace rill::link
