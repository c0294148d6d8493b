// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/bus.hpp"
#include "nic/device_type.hpp"

#include <array>
#include <cstdint>

namespace rill::nic {

// Offsets in configuration space and bits of them that have effects here. Names and values are those
// of the PCI Express Base Specification 4.0 and of the SR-IOV chapter in it.
namespace pci {
inline constexpr uint16_t kVendorId = 0x00;
inline constexpr uint16_t kDeviceId = 0x02;
inline constexpr uint16_t kCommand = 0x04;
inline constexpr uint16_t kBar0 = 0x10;
inline constexpr uint16_t kBar2 = 0x18;
inline constexpr uint16_t kCapabilities = 0x34;
inline constexpr uint16_t kMemorySpace = 1 << 1;    // in kCommand
inline constexpr uint16_t kBusMaster = 1 << 2;      // in kCommand
inline constexpr uint16_t kDeviceControl = 8;       // in pci_express
inline constexpr uint16_t kFunctionReset = 1 << 15; // in kDeviceControl
inline constexpr uint16_t kMsixControl = 2;         // in msi_x
inline constexpr uint16_t kSriovControl = 8;        // in sr_iov
inline constexpr uint16_t kSriovNumber = 0x10;      // in sr_iov: number of virtual functions
inline constexpr uint16_t kVirtualEnable = 1 << 0;  // in kSriovControl
} // namespace pci

inline constexpr uint32_t kBar0Bytes = 64 * 1024;

// The bytes of one function's configuration space, which bits of them a write changes, and which a
// written one clears.
struct ConfigImage {
    std::array<uint8_t, pci::kConfigBytes> bytes{};
    std::array<uint8_t, pci::kConfigBytes> writable{};
    std::array<uint8_t, pci::kConfigBytes> clears{};

    // Little endian, width 1, 2 or 4, aligned and inside: the caller has looked.
    uint32_t read(uint16_t offset, uint8_t width) const;
    void write(uint16_t offset, uint8_t width, uint32_t value);
};

// As after power-up. A virtual function's has the IDs that an operating system presents (those in the
// hardware read as 0xffff), no address registers and no SR-IOV of its own.
ConfigImage make_config_image(const DeviceType& type, bool virtual_function);

} // namespace rill::nic
