// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "link/interfaces.hpp"
#include "wire/address.hpp"

#include <cstddef>
#include <vector>

namespace rill::fi {

// link::resolve, with the reason of a failure in the log (info), and without services that are no
// ports: the name service takes 70000 for 4464.
[[nodiscard]] bool resolve_service(const char* node, const char* service,
                                   const link::ResolveOptions& options,
                                   std::vector<wire::Address>& out);

// The addresses of `nodes` nodes from `node` on (numeric addresses count up, names count up at
// their numeric end), each with `services` ports from `service` on: all ports of a node before the
// next node. 0 or a negative code; a name that cannot be resolved becomes an invalid address.
[[nodiscard]] int expand_names(const char* node, size_t nodes, const char* service, size_t services,
                               wire::Family family, std::vector<wire::Address>& out);

} // namespace rill::fi
