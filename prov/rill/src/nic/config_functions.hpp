// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/config_space.hpp"

#include <memory>
#include <vector>

namespace rill::nic {

// What a write to a capability does to the function behind it. Called in the write.
class FunctionEffects {
public:
    virtual ~FunctionEffects() = default;
    // Function-level reset, or a virtual function that goes away: nothing of it is left.
    virtual void reset_function(uint16_t function) = 0;
    virtual void set_bus_master(uint16_t function, bool on) = 0; // off: no DMA
    virtual void set_msix(uint16_t function, bool enabled, bool masked) = 0;
};

// One emulation for the physical function of a device type and the virtual functions that its SR-IOV
// capability makes.
class ConfigFunctions : public ConfigEmulation {
public:
    ConfigFunctions(const DeviceType& type, FunctionEffects& effects);

    bool has(uint16_t function) const override { return function < functions_.size(); }
    Status serve(const ConfigAccess& access, uint32_t& value) override;
    // How many there are now, the physical one included.
    uint16_t count() const { return static_cast<uint16_t>(functions_.size()); }
    const ConfigImage& image(uint16_t function) const { return *functions_[function]; }

private:
    void write(const ConfigAccess& access);
    void reset(uint16_t function);
    void make_virtual(uint16_t number);
    uint32_t field(uint16_t function, uint16_t offset) const {
        return functions_[function]->read(offset, 2);
    }
    // The place of a field of a capability; 0: this type has none.
    uint16_t at(CapabilityKind kind, uint16_t field) const;

    const DeviceType& type_;
    FunctionEffects& effects_;
    std::vector<std::unique_ptr<ConfigImage>> functions_;
};

} // namespace rill::nic
