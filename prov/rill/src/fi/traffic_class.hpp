// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstdint>
#include <rdma/fabric.h>

namespace rill::fi {

// Traffic classes (fi_endpoint(3), tclass) as differentiated services code points, RFC 2474. All
// packets of a domain carry one, since endpoints share the contexts to their peers.

// A label of libfabric's, a code point, or FI_TC_UNSPEC.
[[nodiscard]] bool is_traffic_class(uint32_t tclass);

// The six bits that stand for a class that is_traffic_class.
[[nodiscard]] uint8_t code_point_of(uint32_t tclass);

// What hints, or the attributes that a domain is opened with, ask for: the domain's class, or if
// it has none the transmit side's. FI_TC_UNSPEC for an API version that has no classes (before
// 1.9).
[[nodiscard]] uint32_t traffic_class_of(uint32_t version, const fi_info& info);

// Whether the transmit side leaves the class to the domain or asks for the same.
[[nodiscard]] bool same_traffic_class(uint32_t version, const fi_info& info, uint32_t of_domain);

} // namespace rill::fi
