// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "nic/config_image.hpp"

#include "nic/registers.hpp"

namespace rill::nic {
namespace {

// Puts fields into an image, little endian.
class Composer {
public:
    Composer(const DeviceType& type, bool virtual_function, ConfigImage& image)
        : type_(type), virtual_(virtual_function), image_(image) {}

    void compose() {
        header();
        uint16_t last_standard = 0, last_extended = 0;
        for (const Capability& c : type_.capabilities) {
            if (virtual_ && c.kind == CapabilityKind::sr_iov) continue;
            const bool extended = c.at >= 0x100;
            uint16_t& last = extended ? last_extended : last_standard;
            capability(c);
            // The pointer of the one before: bits 31:20 of an extended header, else a byte.
            if (extended && last)
                put16(last + 2,
                      static_cast<uint16_t>((image_.read(last + 2, 2) & 0xf) | c.at << 4));
            else if (!extended)
                image_.bytes[last ? last + 1 : pci::kCapabilities] = static_cast<uint8_t>(c.at);
            last = c.at;
        }
    }

private:
    void put16(uint32_t at, uint16_t v) { put(at, 2, v); }
    void put32(uint32_t at, uint32_t v) { put(at, 4, v); }
    void put(uint32_t at, int width, uint32_t v) {
        for (int i = 0; i < width; ++i)
            image_.bytes[at + i] = static_cast<uint8_t>(v >> 8 * i);
    }
    void allow(std::array<uint8_t, pci::kConfigBytes>& mask, uint32_t at, int width, uint32_t v) {
        for (int i = 0; i < width; ++i)
            mask[at + i] |= static_cast<uint8_t>(v >> 8 * i);
    }
    void writable(uint32_t at, int width, uint32_t v) { allow(image_.writable, at, width, v); }
    void clears(uint32_t at, int width, uint32_t v) { allow(image_.clears, at, width, v); }

    void header() {
        put16(pci::kVendorId, type_.vendor_id);
        put16(pci::kDeviceId, virtual_ ? type_.virtual_device_id : type_.device_id);
        put16(0x06, 1 << 4); // status: there is a list of capabilities
        clears(0x06, 2, 0xf900);
        put32(0x08, type_.class_code << 8 | type_.revision);
        put16(0x2c, type_.subsystem_vendor_id);
        put16(0x2e, type_.subsystem_id);
        if (virtual_) {
            writable(pci::kCommand, 2, pci::kBusMaster);
            return;
        }
        writable(0x0c, 1, 0xff);                                   // cache line size
        image_.bytes[0x0e] = type_.virtual_functions() ? 0x80 : 0; // several functions
        writable(pci::kCommand, 2, pci::kMemorySpace | pci::kBusMaster | 1 << 6 | 1 << 8 | 1 << 10);
        // 32-bit, not prefetchable: addresses stay under 4 GiB. The mask makes sizing work.
        writable(pci::kBar0, 4, ~(kBar0Bytes - 1));
        if (type_.device_memory_bytes) writable(pci::kBar2, 4, ~(type_.device_memory_bytes - 1));
    }

    void capability(const Capability& c) {
        const uint16_t at = c.at;
        switch (c.kind) {
        case CapabilityKind::power_management:
            image_.bytes[at] = 0x01;
            put16(at + 2, 0x0003); // version 1.2, D0 and D3hot, no events
            put16(at + 4, 1 << 3); // no soft reset
            writable(at + 4, 2, 0x0003);
            return;
        case CapabilityKind::pci_express: express(at); return;
        case CapabilityKind::msi_x:
            image_.bytes[at] = 0x11;
            put16(at + 2, static_cast<uint16_t>(c.value - 1));
            writable(at + 2, 2, 0xc000); // enable, mask of the whole function
            put32(at + 4, kMsixTable);
            put32(at + 8, kMsixPending);
            return;
        case CapabilityKind::vendor:
            image_.bytes[at] = 0x09;
            image_.bytes[at + 2] = 16; // length
            image_.bytes[at + 3] = 1;  // of our own: 4 bytes queue pairs, 4 bytes features
            put32(at + 4, type_.queue_pairs_max);
            put32(at + 8, type_.features);
            return;
        case CapabilityKind::advanced_error_reporting:
            put32(at, 0x00020001); // version 2
            clears(at + 0x04, 4, 0x007ff030);
            writable(at + 0x08, 4, 0x007ff030);
            put32(at + 0x0c, 0x00462030);
            writable(at + 0x0c, 4, 0x007ff030);
            clears(at + 0x10, 4, 0x0000f1c1);
            put32(at + 0x14, 0x00002000);
            writable(at + 0x14, 4, 0x0000f1c1);
            return;
        case CapabilityKind::serial_number:
            put32(at, 0x00010003);
            put32(at + 4, static_cast<uint32_t>(c.value));
            put32(at + 8, static_cast<uint32_t>(c.value >> 32));
            return;
        case CapabilityKind::sr_iov: virtualization(c); return;
        case CapabilityKind::ari: put32(at, 0x0001000e); return;
        case CapabilityKind::vendor_specific:
            put32(at, 0x0001000b);
            put32(at + 4, 16u << 20 | 1u << 16 | 0x0001); // length, revision, our id
            put32(at + 8, type_.address_handles_max);
            put32(at + 12, type_.device_memory_bytes);
            return;
        }
    }

    void express(uint16_t at) {
        image_.bytes[at] = 0x10;
        put16(at + 2, 0x0002);                  // version 2, endpoint
        put32(at + 4, 1u << 28 | 1u << 15 | 2); // function reset, error reporting, 512-byte payload
        put16(at + pci::kDeviceControl, 0x2810);
        writable(at + pci::kDeviceControl, 2, 0xfdff); // reset too: it is seen, then cleared
        clears(at + 10, 2, 0x000f);
        put32(at + 12, 16u << 4 | 4); // link: 16 GT/s, 16 lanes
        writable(at + 16, 2, 0x00c0);
        put16(at + 18, 16 << 4 | 4);
        put32(at + 36, 1u << 4); // completion time-out can be disabled
        writable(at + 40, 2, 0x0010);
        put32(at + 44, 0x1e); // link speeds 2.5 to 16 GT/s
        put16(at + 48, 4);
    }

    void virtualization(const Capability& c) {
        const uint16_t at = c.at;
        put32(at, 0x00010010);
        writable(at + pci::kSriovControl, 2, 0x0019); // enable, memory space, ARI hierarchy
        put16(at + 0x0c, static_cast<uint16_t>(c.value));
        put16(at + 0x0e, static_cast<uint16_t>(c.value));
        writable(at + pci::kSriovNumber, 2, 0xffff);
        put16(at + 0x14, 1); // first virtual function: the next number
        put16(at + 0x16, 1); // stride
        put16(at + 0x1a, type_.virtual_device_id);
        put32(at + 0x1c, 1); // 4 KiB pages
        put32(at + 0x20, 1);
        writable(at + 0x20, 4, 1);
        writable(at + 0x24, 4, ~(kBar0Bytes - 1));
        if (type_.device_memory_bytes) writable(at + 0x2c, 4, ~(type_.device_memory_bytes - 1));
    }

    const DeviceType& type_;
    const bool virtual_;
    ConfigImage& image_;
};

} // namespace

uint32_t ConfigImage::read(uint16_t offset, uint8_t width) const {
    uint32_t v = 0;
    for (uint8_t i = 0; i < width; ++i)
        v |= static_cast<uint32_t>(bytes[offset + i]) << 8 * i;
    return v;
}

void ConfigImage::write(uint16_t offset, uint8_t width, uint32_t value) {
    for (uint8_t i = 0; i < width; ++i) {
        const auto v = static_cast<uint8_t>(value >> 8 * i);
        uint8_t& b = bytes[offset + i];
        b = static_cast<uint8_t>((b & ~writable[offset + i]) | (v & writable[offset + i]));
        b = static_cast<uint8_t>(b & ~(v & clears[offset + i]));
    }
}

ConfigImage make_config_image(const DeviceType& type, bool virtual_function) {
    ConfigImage image;
    Composer(type, virtual_function, image).compose();
    return image;
}

} // namespace rill::nic
