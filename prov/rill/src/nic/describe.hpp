// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/adapter.hpp"
#include "nic/device.hpp"
#include "obs/snapshot.hpp"
#include "util/time.hpp"

namespace rill::nic {

inline obs::AddressWords words_of(const wire::Address& address) {
    obs::AddressWords w;
    static_assert(sizeof w == sizeof address);
    std::memcpy(&w, &address, sizeof w);
    return w;
}

inline wire::Address address_of(const obs::AddressWords& words) {
    wire::Address a;
    std::memcpy(static_cast<void*>(&a), &words, sizeof a);
    return a;
}

// Everything that a device shows of itself to other processes, one table of each kind. Changes
// nothing, and is no access that the device would log.
void describe(Adapter& adapter, Device& device, Instant now, obs::Snapshot& out);

} // namespace rill::nic
