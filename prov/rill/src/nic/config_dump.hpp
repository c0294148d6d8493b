// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/bus.hpp"

#include <span>
#include <string>

namespace rill::nic {

// What a platform does with a function that it finds: gives the address registers places (under
// 4 GiB, from `base` on) and turns on memory space and bus mastership. By accesses only.
[[nodiscard]] Status assign_addresses(ConfigPort& spaces, uint16_t function, uint32_t base,
                                      Instant now);

// Enables `number` virtual functions of function 0 and their mastership, through its SR-IOV
// capability. unsupported: it has none; invalid: so many there cannot be.
[[nodiscard]] Status enable_virtual(ConfigPort& spaces, uint16_t number, Instant now);

// Finds a capability by its id, in the standard list or in the extended one; 0: there is none.
uint16_t find_capability(ConfigPort& spaces, uint16_t function, uint16_t id, bool extended,
                         Instant now);

// Appends all 4 KiB of a function in the form that `lspci -F` reads and `lspci -xxxx` writes.
[[nodiscard]] Status append_dump(ConfigPort& spaces, uint16_t function, Instant now,
                                 std::string& out);
// The same of bytes that were read before.
void append_dump(std::span<const uint8_t, pci::kConfigBytes> bytes, uint16_t function,
                 std::string& out);

} // namespace rill::nic
