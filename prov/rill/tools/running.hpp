// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "obs/export_reader.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace rill::tools {

// What tells a process ("4711") or one of its devices ("4711-0") from the name of a device type.
bool names_process(std::string_view word);

// The devices of running processes that this user may look at. A file that cannot be read as an
// export is a line of `problems`.
std::vector<obs::ExportReader> running_devices(std::vector<std::string>& problems);

// Those that `word` names; empty: all. False, with an error that says why there is none.
[[nodiscard]] bool find_running(std::string_view word, std::vector<obs::ExportReader>& out,
                                std::string& error);

// Has the process write down its device's state, and reads that. `note` says so when the process did
// not answer, and `out` is older. False, with an error, when it has ended or nothing can be read.
[[nodiscard]] bool look(obs::ExportReader& device, obs::ExportReader::Tables& out,
                        std::string& note, std::string& error);

// Has the process do that to its device, and waits for it. False, with an error: it may not be asked,
// does not answer, or the device did not come up.
[[nodiscard]] bool command(obs::ExportReader& device, obs::Command what, std::string& error);

} // namespace rill::tools
