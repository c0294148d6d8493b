// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/device_type.hpp"

#include <string>

namespace rill::fi {

// A shipped type by its name, or, when the word has a slash, a file. False, with an error that names
// it.
[[nodiscard]] bool find_device_type(const std::string& word, nic::DeviceType& out,
                                    std::string& error);

} // namespace rill::fi
