// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// What fi_atomic(3) says that operations do, computed in the plainest way.
#pragma once

#include "harness.hpp"

#include <rdma/fi_atomic.h>

namespace functional {

enum class AtomicForm { base, fetch, compare };

inline constexpr fi_datatype all_atomic_types[] = {
    FI_INT8,          FI_UINT8,
    FI_INT16,         FI_UINT16,
    FI_INT32,         FI_UINT32,
    FI_INT64,         FI_UINT64,
    FI_FLOAT,         FI_DOUBLE,
    FI_FLOAT_COMPLEX, FI_DOUBLE_COMPLEX,
    FI_LONG_DOUBLE,   FI_LONG_DOUBLE_COMPLEX,
    FI_INT128,        FI_UINT128,
};

size_t bytes_of(fi_datatype type);
// Whether the manual page has the operation for the type in that form: complex numbers are not
// ordered, only integers have bits.
bool atomic_exists(AtomicForm form, fi_op op, fi_datatype type);
// Small values of either sign, zero among them.
void fill_elements(fi_datatype type, Bytes& bytes, uint32_t seed);
// What becomes of the elements in `before`.
Bytes atomic_reference(fi_op op, fi_datatype type, const Bytes& before, const Bytes& operand,
                       const Bytes& compare);
// By value: padding does not count.
bool same_elements(fi_datatype type, const void* a, const void* b, size_t count);

} // namespace functional
