// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace rill::tools {

// A value as a table shows it: numbers as they are, lists with commas, null as "-".
std::string cell_of(const nlohmann::ordered_json& value);

// Rows of cells under a heading, in columns as wide as they need; numbers to the right.
std::string table_of(const std::vector<std::vector<std::string>>& rows);

// Of a list of objects, all with the same keys, which are the heading.
std::string table_of(const nlohmann::ordered_json& objects);

} // namespace rill::tools
