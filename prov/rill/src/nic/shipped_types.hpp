// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <span>

namespace rill::nic {

// The files of prov/rill/devices, as text; the first is the type that is taken when none is named.
std::span<const char* const> shipped_device_types();

} // namespace rill::nic
