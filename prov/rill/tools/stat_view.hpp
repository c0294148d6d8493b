// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace rill::tools {

// Lines that show a device: traffic, placement, contexts and paths. `before` is its state `seconds`
// earlier, from which rates follow; null: there are none yet, and totals stand in their place.
std::vector<std::string> view_of(const nlohmann::ordered_json& now,
                                 const nlohmann::ordered_json& before, double seconds);

} // namespace rill::tools
