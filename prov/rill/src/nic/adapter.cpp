// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "nic/adapter.hpp"

namespace rill::nic {

Adapter::Adapter(const DeviceType& type, FunctionBackend& backend)
    : type_(type), memory_(type.device_memory_bytes), config_(type_, *this), spaces_(config_) {
    for (uint16_t n = 0; n <= type.virtual_functions(); ++n)
        functions_.push_back(std::make_unique<Function>(n, type_, memory_, backend, interrupts_));
}

Status Adapter::access(const ConfigAccess& access, Instant now, uint32_t& value) {
    now_ = now;
    return spaces_.access(access, now, value);
}

Function* Adapter::function(uint16_t number) {
    return config_.has(number) ? functions_[number].get() : nullptr;
}

void Adapter::reset_function(uint16_t function) {
    functions_[function]->reset(now_);
}

void Adapter::set_bus_master(uint16_t function, bool on) {
    functions_[function]->set_bus_master(on);
}

void Adapter::set_msix(uint16_t function, bool enabled, bool masked) {
    functions_[function]->set_msix(enabled, masked);
}

} // namespace rill::nic
