// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "wire/address.hpp"

#include <arpa/inet.h>

namespace rill::wire {

std::string to_string(const Address& a) {
    char text[INET6_ADDRSTRLEN] = "";
    switch (a.family) {
    case Family::ip4:
        inet_ntop(AF_INET, a.ip.data(), text, sizeof text);
        return std::string(text) + ':' + std::to_string(a.port);
    case Family::ip6:
        inet_ntop(AF_INET6, a.ip.data(), text, sizeof text);
        return '[' + std::string(text) + "]:" + std::to_string(a.port);
    case Family::none: break;
    }
    return "none";
}

} // namespace rill::wire
