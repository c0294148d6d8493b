// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "harness.hpp"

namespace functional {

// What no operation knows. The bits from here on belong to providers; rill has none.
constexpr uint64_t unknown_flag = 1ull << 62;

// Nothing that was refused may report anything later.
void stays_silent(Side& side);

// Cases of the program `refusals` about RMA and atomic operations.
void add_remote_refusal_cases(std::vector<Case>& cases);

} // namespace functional
