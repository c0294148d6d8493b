// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "fi/domain.hpp"

#include <rdma/fi_trigger.h>

namespace rill::fi {

// A domain's deferred work queue: FI_QUEUE_WORK, FI_CANCEL_WORK and FI_FLUSH_WORK of fi_control.
// What `work` points to stays the program's, and unchanged, until the operation is complete.
int queue_work(Domain& domain, fi_deferred_work* work);
int cancel_work(Domain& domain, fi_deferred_work* work); // -FI_ENOENT: started, or never queued
int flush_work(Domain& domain, fid_cntr* counter);       // null: whatever the counter

} // namespace rill::fi
