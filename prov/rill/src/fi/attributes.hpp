// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "fi/settings.hpp"

#include <rdma/fabric.h>
#include <rdma/fi_ext_rill.h>

namespace rill::fi {

// Flags that calls may carry, and that may stand as an endpoint's default.
inline constexpr uint64_t kTxFlags = FI_COMPLETION | FI_INJECT | FI_INJECT_COMPLETE |
                                     FI_TRANSMIT_COMPLETE | FI_DELIVERY_COMPLETE |
                                     FI_MATCH_COMPLETE | FI_REMOTE_CQ_DATA | FI_MORE;
// FI_TRANSMIT_COMPLETE lets a receive be reported before its data is visible to all; ours never is.
inline constexpr uint64_t kRxFlags = FI_COMPLETION | FI_MULTI_RECV | FI_MORE | FI_TRANSMIT_COMPLETE;
// Of a call that receives, beyond what may be an endpoint's default.
inline constexpr uint64_t kRxCallFlags = FI_TRIGGER | FI_RILL_REPORT_CHUNKS;
// What transmits take besides, each by itself; FI_TRIGGER also as the default that hints, fi_ep_alias
// and FI_SETOPSFLAG set.
inline constexpr uint64_t kTxCallFlags = kTxFlags | FI_FENCE | FI_TRIGGER;

// Lengths are 64 bits everywhere; half of that keeps sums of them positive in ssize_t.
inline constexpr size_t kMessageMax = SIZE_MAX / 2;
inline constexpr size_t kQueueSizeMax = 1 << 20; // tx_attr and rx_attr size

// Whether we can be what the hints ask for, names and addresses apart: 0, or -FI_ENODATA with the
// reason in the log (info). Null hints ask for nothing.
[[nodiscard]] int check_hints(uint32_t version, const fi_info* hints);

// The same for the attributes of a transmit and of a receive context.
[[nodiscard]] int check_transmit(uint32_t version, const fi_tx_attr& attr);
[[nodiscard]] int check_receive(const fi_rx_attr& attr);

// Fills a fresh fi_info with what we are, shaped by hints that were checked.
void fill_attributes(fi_info& info, uint32_t version, const fi_info* hints,
                     const Settings& settings);

} // namespace rill::fi
