// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "util/time.hpp"

#include <time.h>

namespace rill::link {

// The one clock of a running provider: CLOCK_MONOTONIC, which does not stand still in user space
// (no system call) and stops while the machine is suspended, so that a suspended peer is not timed
// out by the sleep itself.
inline Instant monotonic_now() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return Instant(std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec));
}

} // namespace rill::link
