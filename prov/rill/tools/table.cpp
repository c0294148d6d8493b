// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "table.hpp"

#include <algorithm>
#include <cstdio>

namespace rill::tools {
namespace {

bool is_number(const std::string& cell) {
    return cell == "-" || (!cell.empty() && cell.find_first_not_of("0123456789.%kMG") == cell.npos);
}

} // namespace

std::string cell_of(const nlohmann::ordered_json& value) {
    if (value.is_null()) return "-";
    if (value.is_string()) return value.get<std::string>();
    if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
    if (value.is_number_float()) {
        char text[32];
        std::snprintf(text, sizeof text, "%.3f", value.get<double>());
        return text;
    }
    if (!value.is_array()) return value.dump();
    std::string all;
    for (const auto& one : value)
        all += (all.empty() ? "" : ",") + cell_of(one);
    return all.empty() ? "-" : all;
}

std::string table_of(const std::vector<std::vector<std::string>>& rows) {
    std::vector<size_t> widths;
    std::vector<bool> right;
    for (size_t r = 0; r < rows.size(); ++r) {
        widths.resize(std::max(widths.size(), rows[r].size()));
        right.resize(widths.size(), true);
        for (size_t c = 0; c < rows[r].size(); ++c) {
            widths[c] = std::max(widths[c], rows[r][c].size());
            if (r > 0 && !is_number(rows[r][c])) right[c] = false;
        }
    }
    std::string out;
    for (const auto& row : rows) {
        std::string line;
        for (size_t c = 0; c < row.size(); ++c) {
            const std::string blanks(widths[c] - row[c].size(), ' ');
            line += (c ? "  " : "") + (right[c] ? blanks + row[c] : row[c] + blanks);
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + "\n";
    }
    return out;
}

std::string table_of(const nlohmann::ordered_json& objects) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& object : objects) {
        std::vector<std::string> cells;
        if (rows.empty()) {
            rows.emplace_back();
            for (const auto& [key, value] : object.items())
                rows[0].push_back(key);
        }
        for (const auto& [key, value] : object.items())
            cells.push_back(cell_of(value));
        rows.push_back(std::move(cells));
    }
    return rows.empty() ? "none\n" : table_of(rows);
}

} // namespace rill::tools
