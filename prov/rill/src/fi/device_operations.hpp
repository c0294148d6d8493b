// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstdint>

namespace rill::fi {

// fi_open_ops of a domain: the operations of rdma/fi_ext_rill.h. -FI_ENOSYS: others.
[[nodiscard]] int open_device_operations(const char* name, uint64_t flags, void** out);

} // namespace rill::fi
