// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "harness.hpp"

namespace functional {

// Hints that ask for this provider and nothing else.
Info open_hints();
// The answer, and null with the code in `ret` if there is none.
Info ask(const fi_info* hints, int& ret, const char* node = nullptr, const char* service = nullptr,
         uint64_t flags = 0, uint32_t version = FI_VERSION(1, 17));
Info must(const fi_info* hints, const std::string& what, const char* node = nullptr,
          const char* service = nullptr, uint64_t flags = 0);
void must_not(const fi_info* hints, const std::string& what, const char* node = nullptr,
              const char* service = nullptr, uint64_t flags = 0);

// Cases of the program `getinfo`.
void add_address_cases(std::vector<Case>& cases);
void add_tunable_cases(std::vector<Case>& cases);

} // namespace functional
