// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "link/interfaces.hpp"

#include <rdma/fabric.h>

namespace rill::fi {

// What fi_info tells of the network card that an interface is: name, driver, PCI address, MAC address,
// MTU in bytes, speed in bits per second, link state. fi_freeinfo and fi_dupinfo free and copy it
// through its operations. Null for want of memory.
fid_nic* new_nic(const link::Interface& interface);

} // namespace rill::fi
