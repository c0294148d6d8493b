// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "nic/config_dump.hpp"

#include "nic/config_image.hpp"

#include <array>
#include <cstdio>

namespace rill::nic {
namespace {

Status read(ConfigPort& s, uint16_t function, uint32_t at, uint8_t width, Instant now,
            uint32_t& out) {
    return s.access({function, static_cast<uint16_t>(at), width, false, 0}, now, out);
}

Status write(ConfigPort& s, uint16_t function, uint32_t at, uint8_t width, uint32_t value,
             Instant now) {
    uint32_t unused = 0;
    return s.access({function, static_cast<uint16_t>(at), width, true, value}, now, unused);
}

} // namespace

uint16_t find_capability(ConfigPort& spaces, uint16_t function, uint16_t id, bool extended,
                         Instant now) {
    uint32_t at = 0x100, v = 0;
    if (!extended && !is_ok(read(spaces, function, pci::kCapabilities, 1, now, at))) return 0;
    // No list is longer than this, whatever its pointers say.
    for (int steps = 0; at >= 0x40 && steps < 128; ++steps) {
        if (!is_ok(read(spaces, function, at & ~3u, 4, now, v)) || v == 0) return 0;
        if (id == (extended ? v & 0xffff : v & 0xff)) return static_cast<uint16_t>(at & ~3u);
        at = extended ? v >> 20 : v >> 8 & 0xff;
    }
    return 0;
}

Status assign_addresses(ConfigPort& spaces, uint16_t function, uint32_t base, Instant now) {
    for (const uint16_t bar : {pci::kBar0, pci::kBar2}) {
        uint32_t mask = 0;
        if (Status s = write(spaces, function, bar, 4, UINT32_MAX, now); !is_ok(s)) return s;
        if (Status s = read(spaces, function, bar, 4, now, mask); !is_ok(s)) return s;
        if (mask == 0) continue;
        const uint32_t size = ~(mask & ~0xfu) + 1;
        base = (base + size - 1) & ~(size - 1);
        if (Status s = write(spaces, function, bar, 4, base, now); !is_ok(s)) return s;
        base += size;
    }
    return write(spaces, function, pci::kCommand, 2, pci::kMemorySpace | pci::kBusMaster, now);
}

Status enable_virtual(ConfigPort& spaces, uint16_t number, Instant now) {
    constexpr uint16_t kSriovId = 0x0010;
    const uint16_t at = find_capability(spaces, 0, kSriovId, true, now);
    if (at == 0) return Status::unsupported;
    uint32_t taken = 0;
    if (Status s = write(spaces, 0, at + pci::kSriovNumber, 2, number, now); !is_ok(s)) return s;
    if (Status s = read(spaces, 0, at + pci::kSriovNumber, 2, now, taken); !is_ok(s)) return s;
    if (taken != number) return Status::invalid;
    if (Status s = write(spaces, 0, at + pci::kSriovControl, 2, pci::kVirtualEnable, now);
        !is_ok(s))
        return s;
    for (uint16_t f = 1; f <= number; ++f)
        if (Status s = write(spaces, f, pci::kCommand, 2, pci::kBusMaster, now); !is_ok(s))
            return s;
    return Status::ok;
}

Status append_dump(ConfigPort& spaces, uint16_t function, Instant now, std::string& out) {
    std::array<uint8_t, pci::kConfigBytes> bytes;
    for (uint32_t at = 0; at < pci::kConfigBytes; at += 4) {
        uint32_t v = 0;
        if (Status s = read(spaces, function, at, 4, now, v); !is_ok(s)) return s;
        for (uint32_t i = 0; i < 4; ++i)
            bytes[at + i] = static_cast<uint8_t>(v >> 8 * i);
    }
    append_dump(bytes, function, out);
    return Status::ok;
}

void append_dump(std::span<const uint8_t, pci::kConfigBytes> bytes, uint16_t function,
                 std::string& out) {
    char text[64];
    std::snprintf(text, sizeof text, "00:%02x.%x Fabric controller\n", function >> 3 & 0x1f,
                  function & 7);
    out += text;
    for (size_t at = 0; at < bytes.size(); ++at) {
        if (at % 16 == 0) {
            std::snprintf(text, sizeof text, "%02zx:", at);
            out += text;
        }
        std::snprintf(text, sizeof text, " %02x%s", bytes[at], at % 16 == 15 ? "\n" : "");
        out += text;
    }
    out += "\n";
}

} // namespace rill::nic
