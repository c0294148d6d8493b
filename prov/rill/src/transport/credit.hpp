// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "util/time.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace rill::transport {

// What this device's senders may have outstanding, in what the kernel charges its receive buffer
// (an unpaced burst lost a third of its packets there: the buffer, not the network, is what
// overflows first). Half of the buffer is shared out; the other half is for those that still hold
// an older, larger share.
class CreditBudget {
public:
    explicit CreditBudget(size_t buffer_bytes) : buffer_bytes_(buffer_bytes) {}

    // One sender's share, when `active` of them send; at least one packet of full size.
    uint32_t share(size_t active, size_t packet_charge, Instant now) {
        size_t budget = buffer_bytes_ / 2 / shrink(now) / std::max<size_t>(active, 1);
        return static_cast<uint32_t>(std::min<size_t>(std::max(budget, packet_charge), UINT32_MAX));
    }
    // The kernel's drop counter, read now; returns by how much it has grown.
    uint64_t drops(uint64_t total, Instant now);

private:
    size_t shrink(Instant now);

    size_t buffer_bytes_;
    uint64_t drops_ = 0;
    uint32_t shrink_ = 1; // 1, 2, 4, 8
    Instant shrunk_at_{};
};

} // namespace rill::transport
