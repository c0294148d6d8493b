// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "harness.hpp"

namespace functional {

Eq open_eq(const Fabric& fabric, fi_wait_obj wait_obj, uint64_t flags);
Mr register_memory(const Domain& domain, void* memory, size_t size, uint64_t key);

// Cases of the program `objects`.
void add_class_cases(std::vector<Case>& cases);
void add_av_cases(std::vector<Case>& cases);
void add_eq_cases(std::vector<Case>& cases);
void add_mr_cases(std::vector<Case>& cases);

} // namespace functional
