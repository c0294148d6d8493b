// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/admin.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rill::nic {

// Capabilities that an image can be composed of, standard ones first. Names in files: as here.
enum class CapabilityKind : uint8_t {
    power_management,
    pci_express,
    msi_x,
    vendor,
    advanced_error_reporting,
    serial_number,
    sr_iov,
    ari,
    vendor_specific,
};

struct Capability {
    CapabilityKind kind{};
    uint16_t at = 0;    // offset in configuration space, a multiple of 4
    uint64_t value = 0; // msi_x: vectors; sr_iov: virtual functions; serial_number: the number
};

// A device type, as a file of prov/rill/devices describes it.
struct DeviceType {
    std::string name;
    std::string description;
    uint16_t vendor_id = 0;
    uint16_t device_id = 0;
    uint16_t virtual_device_id = 0; // of virtual functions
    uint16_t subsystem_vendor_id = 0;
    uint16_t subsystem_id = 0;
    uint8_t revision = 0;
    uint32_t class_code = 0;          // 24 bits
    uint32_t device_memory_bytes = 0; // size of BAR2, a power of two, or 0: there is none
    std::vector<Capability> capabilities;
    uint32_t queue_pairs_max = 0; // of one function
    uint32_t address_handles_max = 0;
    uint32_t features = 0; // Feature bits

    const Capability* find(CapabilityKind kind) const;
    uint16_t virtual_functions() const;
};

inline constexpr uint16_t kVirtualFunctionsMax = 7; // function numbers of one device, without ARI
inline constexpr uint32_t kDeviceMemoryMax = 256u << 20;

// The length that a capability takes in configuration space, header included, in bytes.
uint16_t capability_bytes(CapabilityKind kind);

// Reads a description. False, with an error that names the field, when anything is missing, unknown,
// out of range, or two capabilities overlap.
[[nodiscard]] bool read_device_type(std::string_view json, DeviceType& out, std::string& error);

// The shipped type that is taken when none is named.
const DeviceType& default_device_type();

} // namespace rill::nic
