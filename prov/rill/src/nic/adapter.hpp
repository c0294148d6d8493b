// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/config_functions.hpp"
#include "nic/config_space.hpp"
#include "nic/function.hpp"

#include <memory>
#include <vector>

namespace rill::nic {

// A device of some type as a bus shows it: configuration spaces, and behind each a function. The
// physical function is number 0.
class Adapter final : public Bus, public ConfigPort, FunctionEffects {
public:
    // All functions' commands act on one backend.
    Adapter(const DeviceType& type, FunctionBackend& backend);

    const DeviceType& type() const { return type_; }
    // Bus. What a capability write does is done on return.
    ConfigPort& config() override { return *this; }
    FunctionPort* port(uint16_t number) override { return function(number); }
    void connect_interrupts(InterruptSink* sink) override { interrupts_ = sink; }

    [[nodiscard]] Status access(const ConfigAccess& access, Instant now, uint32_t& value) override;
    ConfigSpaces& config_spaces() { return spaces_; }
    // The bytes behind the emulated space of a function that is there: no access of the host's.
    const ConfigImage& config_image(uint16_t function) const { return config_.image(function); }
    uint16_t functions() const { return config_.count(); }
    // Null: not there now.
    Function* function(uint16_t number);
    DeviceMemory& memory() { return memory_; }

private:
    void reset_function(uint16_t function) override;
    void set_bus_master(uint16_t function, bool on) override;
    void set_msix(uint16_t function, bool enabled, bool masked) override;

    const DeviceType type_;
    DeviceMemory memory_;
    InterruptSink* interrupts_ = nullptr;
    std::vector<std::unique_ptr<Function>> functions_; // all that there can be
    ConfigFunctions config_;
    ConfigSpaces spaces_;
    Instant now_{}; // of the access that is served
};

} // namespace rill::nic
