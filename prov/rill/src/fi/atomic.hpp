// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "fi/common.hpp"

namespace rill::fi {

// fi_query_atomic: FI_FETCH_ATOMIC or FI_COMPARE_ATOMIC among the flags, none for the base form.
// -FI_EOPNOTSUPP: there is no such operation for that type.
int query_atomic(fi_datatype type, fi_op op, uint64_t flags, fi_atomic_attr& attr);

} // namespace rill::fi
