// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "harness.hpp"

namespace functional {

// Cases of the program `messages` about operation flags and selective completion.
void add_flag_cases(std::vector<Case>& cases, Kind kind);

} // namespace functional
