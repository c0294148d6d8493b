// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

// What the commands of the admin queue have in common.

#include "nic/admin.hpp"
#include "util/status.hpp"

#include <algorithm>
#include <iterator>

namespace rill::nic {

// Arguments from `used` on must be zero: they may mean something one day.
inline bool rest_is_zero(const AdminCommand& c, size_t used) {
    return std::all_of(c.arguments + used, std::end(c.arguments),
                       [](uint64_t a) { return a == 0; }) &&
           std::all_of(std::begin(c.reserved), std::end(c.reserved),
                       [](uint8_t b) { return b == 0; });
}

inline AdminStatus status_of(Status s) {
    switch (s) {
    case Status::ok: return AdminStatus::ok;
    case Status::address_in_use: return AdminStatus::busy;
    case Status::invalid:
    case Status::not_found: return AdminStatus::illegal_parameter;
    case Status::unsupported: return AdminStatus::unsupported;
    default: return AdminStatus::resource_failure;
    }
}

} // namespace rill::nic
