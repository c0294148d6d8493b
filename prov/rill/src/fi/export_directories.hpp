// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <string>
#include <vector>

namespace rill::fi {

// Where this user's processes export what their devices do, best first: under $XDG_RUNTIME_DIR if
// that is set, else in /dev/shm. Nothing there need exist.
std::vector<std::string> export_directories();

} // namespace rill::fi
