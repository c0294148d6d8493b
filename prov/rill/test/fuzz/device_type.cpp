// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A device type's file: what is taken is a device that can be built and looked at, what is not says
// why.
#include "nic/device_type.hpp"
#include "nic/config_image.hpp"
#include "test/fuzz/input.hpp"

using namespace rill;
using fuzz::expect;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    nic::DeviceType type;
    std::string error;
    if (!nic::read_device_type(fuzz::Input(data, size).text(), type, error)) {
        expect(!error.empty(), "a refusal has a reason");
        return 0;
    }
    expect(type.virtual_functions() <= nic::kVirtualFunctionsMax, "as many as have numbers");
    expect(type.device_memory_bytes <= nic::kDeviceMemoryMax, "as much as there can be");
    for (const nic::Capability& c : type.capabilities)
        expect(c.at % 4 == 0 && c.at + nic::capability_bytes(c.kind) <= nic::pci::kConfigBytes,
               "a capability lies in configuration space");
    for (const bool is_virtual : {false, true}) {
        const nic::ConfigImage image = nic::make_config_image(type, is_virtual);
        uint32_t at = image.read(nic::pci::kCapabilities, 1);
        for (int n = 0; at != 0; ++n, at = image.read(static_cast<uint16_t>(at + 1), 1))
            expect(n < 64 && at >= 0x40 && at % 4 == 0, "the list of capabilities comes to an end");
    }
    return 0;
}
