// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/device_files.hpp"

#include "nic/shipped_types.hpp"

#include <fstream>
#include <sstream>

namespace rill::fi {

bool find_device_type(const std::string& word, nic::DeviceType& out, std::string& error) {
    if (word.find('/') != std::string::npos) {
        std::ifstream in(word);
        std::stringstream text;
        text << in.rdbuf();
        if (!in || text.str().empty()) {
            error = word + ": cannot be read";
            return false;
        }
        if (nic::read_device_type(text.str(), out, error)) return true;
        error = word + ": " + error;
        return false;
    }
    for (const char* text : nic::shipped_device_types()) {
        nic::DeviceType type;
        if (!nic::read_device_type(text, type, error)) return false;
        if (type.name != word) continue;
        out = type;
        return true;
    }
    error = word + ": no such device type; a file is named with a slash";
    return false;
}

} // namespace rill::fi
