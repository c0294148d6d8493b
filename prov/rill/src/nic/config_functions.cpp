// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "nic/config_functions.hpp"

namespace rill::nic {

ConfigFunctions::ConfigFunctions(const DeviceType& type, FunctionEffects& effects)
    : type_(type), effects_(effects) {
    functions_.push_back(std::make_unique<ConfigImage>(make_config_image(type, false)));
}

uint16_t ConfigFunctions::at(CapabilityKind kind, uint16_t field) const {
    const Capability* c = type_.find(kind);
    return c ? static_cast<uint16_t>(c->at + field) : 0;
}

Status ConfigFunctions::serve(const ConfigAccess& access, uint32_t& value) {
    if (access.write)
        write(access);
    else
        value = functions_[access.function]->read(access.offset, access.width);
    return Status::ok;
}

// Compares the governing fields before and after: a write of any width and offset is treated alike.
void ConfigFunctions::write(const ConfigAccess& access) {
    const uint16_t f = access.function;
    const uint16_t msix = at(CapabilityKind::msi_x, pci::kMsixControl);
    const uint16_t control = at(CapabilityKind::pci_express, pci::kDeviceControl);
    const uint16_t sriov = f == 0 ? at(CapabilityKind::sr_iov, pci::kSriovControl) : 0;
    const uint16_t number = f == 0 ? at(CapabilityKind::sr_iov, pci::kSriovNumber) : 0;
    const uint32_t command_before = field(f, pci::kCommand);
    const uint32_t msix_before = msix ? field(f, msix) : 0;
    const uint32_t sriov_before = sriov ? field(f, sriov) : 0;
    const uint32_t number_before = number ? field(f, number) : 0;

    ConfigImage& image = *functions_[f];
    image.write(access.offset, access.width, access.value);
    if (field(f, control) & pci::kFunctionReset) return reset(f);
    const uint32_t changed = command_before ^ field(f, pci::kCommand);
    if (changed & pci::kBusMaster)
        effects_.set_bus_master(f, field(f, pci::kCommand) & pci::kBusMaster);
    if (msix && msix_before != field(f, msix))
        effects_.set_msix(f, field(f, msix) & 0x8000, field(f, msix) & 0x4000);
    if (!sriov) return;
    const bool was_on = sriov_before & pci::kVirtualEnable;
    // The number is fixed while they are enabled, and never above what there can be (9.3.3.7).
    const bool bad_number = field(0, number) > type_.virtual_functions();
    if (was_on || bad_number) {
        image.bytes[number] = static_cast<uint8_t>(number_before);
        image.bytes[number + 1] = static_cast<uint8_t>(number_before >> 8);
    }
    const bool is_on = field(0, sriov) & pci::kVirtualEnable;
    if (was_on != is_on) make_virtual(is_on ? static_cast<uint16_t>(field(0, number)) : 0);
}

void ConfigFunctions::make_virtual(uint16_t number) {
    while (functions_.size() > 1u + number) {
        effects_.reset_function(static_cast<uint16_t>(functions_.size() - 1));
        functions_.pop_back();
    }
    while (functions_.size() < 1u + number)
        functions_.push_back(std::make_unique<ConfigImage>(make_config_image(type_, true)));
}

void ConfigFunctions::reset(uint16_t function) {
    if (function == 0) make_virtual(0);
    *functions_[function] = make_config_image(type_, function != 0);
    effects_.reset_function(function);
}

} // namespace rill::nic
