// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "harness.hpp"

namespace functional {

// Cases of the program `completions` about wait objects.
void add_wait_cases(std::vector<Case>& cases);

} // namespace functional
