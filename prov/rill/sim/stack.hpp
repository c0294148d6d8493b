// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/card.hpp"
#include "rdm/module.hpp"

namespace rill::sim {

// What a host consists of.
struct Stack {
    nic::CardConfig card;
    rdm::ModuleConfig module;
};

} // namespace rill::sim
