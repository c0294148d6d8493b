// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "wire/link.hpp"

#include <cstddef>

namespace rill::transport {

// What a receiver is charged for a packet, as the link knows it. Full packets are asked about three
// times for each one that leaves, and are nearly always equally long.
class Charges {
public:
    explicit Charges(const wire::Link& link) : link_(link) {}

    size_t of(size_t packet_bytes) const { return link_.charge_bytes(packet_bytes); }
    size_t of_full(size_t packet_bytes) {
        if (packet_bytes != bytes_) [[unlikely]] {
            bytes_ = packet_bytes;
            charge_ = of(packet_bytes);
        }
        return charge_;
    }

private:
    const wire::Link& link_;
    size_t bytes_ = 0;
    size_t charge_ = 0; // of so many
};

} // namespace rill::transport
