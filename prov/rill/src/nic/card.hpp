// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/adapter.hpp"
#include "nic/device.hpp"
#include "nic/device_type.hpp"

namespace rill::nic {

struct CardConfig {
    Config device;
    transport::Config transport;
    DeviceType type = default_device_type();
};

// A whole device, with a link in its port: who composes a machine plugs one in, and gives its host the
// bus.
class Card {
public:
    Card(const CardConfig& config, wire::Link& link, const SipKey& secret, obs::Counters& counters,
         Log& log)
        : device_(config.device, config.transport, link, secret, counters, log),
          adapter_(config.type, device_) {}

    Bus& bus() { return adapter_; }
    Adapter& adapter() { return adapter_; }
    Device& device() { return device_; }

private:
    Device device_;
    Adapter adapter_;
};

} // namespace rill::nic
