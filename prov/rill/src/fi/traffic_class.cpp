// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/traffic_class.hpp"

#include <cstddef>

namespace rill::fi {

namespace {

struct Label {
    uint32_t tclass;
    uint8_t code_point;
};

// The service classes of RFC 4594 that come nearest to libfabric's descriptions.
constexpr Label kLabels[] = {
    {FI_TC_UNSPEC, 0},
    {FI_TC_BEST_EFFORT, 0},
    {FI_TC_LOW_LATENCY, 18},      // AF21, low-latency data (4.7)
    {FI_TC_DEDICATED_ACCESS, 46}, // EF, RFC 3246: above all but network control
    {FI_TC_BULK_DATA, 10},        // AF11, high-throughput data (4.8)
    {FI_TC_SCAVENGER, 1},         // LE, RFC 8622
    {FI_TC_NETWORK_CTRL, 48},     // CS6, network control (3.1)
};
constexpr uint32_t kCodePointMax = 63;

bool is_code_point(uint32_t tclass) {
    return (tclass & FI_TC_DSCP) && (tclass & ~uint32_t{FI_TC_DSCP}) <= kCodePointMax;
}

bool has_classes(uint32_t version) {
    return FI_VERSION_GE(version, FI_VERSION(1, 9));
}

} // namespace

bool is_traffic_class(uint32_t tclass) {
    for (const Label& label : kLabels)
        if (label.tclass == tclass) return true;
    return is_code_point(tclass);
}

uint8_t code_point_of(uint32_t tclass) {
    for (const Label& label : kLabels)
        if (label.tclass == tclass) return label.code_point;
    return static_cast<uint8_t>(tclass & kCodePointMax);
}

uint32_t traffic_class_of(uint32_t version, const fi_info& info) {
    if (!has_classes(version)) return FI_TC_UNSPEC;
    if (info.domain_attr && info.domain_attr->tclass != FI_TC_UNSPEC)
        return info.domain_attr->tclass;
    return info.tx_attr ? info.tx_attr->tclass : uint32_t{FI_TC_UNSPEC};
}

bool same_traffic_class(uint32_t version, const fi_info& info, uint32_t of_domain) {
    if (!has_classes(version) || !info.tx_attr) return true;
    const uint32_t own = info.tx_attr->tclass;
    return own == FI_TC_UNSPEC || code_point_of(own) == code_point_of(of_domain);
}

} // namespace rill::fi
