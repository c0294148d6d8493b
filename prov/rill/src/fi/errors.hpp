// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "util/status.hpp"

#include <cstddef>

namespace rill::fi {

// The positive libfabric code of a status: what a completion carries as `err`. The status itself
// travels beside it as `prov_errno`.
int errno_of(Status status);

// What a call returns: 0, or the negative code.
inline int result_of(Status status) {
    return is_ok(status) ? 0 : -errno_of(status);
}

// Text for a prov_errno, as fi_cq_strerror wants it: into `buf` if there is one.
const char* describe_error(int prov_errno, char* buf, size_t len);

} // namespace rill::fi
