// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

// All that a host can do to a device: accesses to configuration space, loads and stores in the
// address registers, and memory that one lets the other see. With registers.hpp, admin.hpp and
// entries.hpp this is the line between the two: the host's rooms include nothing else of this one
// (test/check-layers.sh).

#include "util/status.hpp"
#include "util/time.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace rill::nic {

namespace pci {
inline constexpr size_t kConfigBytes = 4096; // of a function's configuration space
}

// One read or write of configuration space.
struct ConfigAccess {
    uint16_t function = 0; // number within the device; 0: the physical function
    uint16_t offset = 0;
    uint8_t width = 4; // bytes: 1, 2 or 4
    bool write = false;
    uint32_t value = 0; // write
};

class ConfigPort {
public:
    virtual ~ConfigPort() = default;
    // A failed read gives all ones, as on a bus. not_found: no such function; invalid: offset or
    // width; again: too many accesses; otherwise what the function says.
    [[nodiscard]] virtual Status access(const ConfigAccess& access, Instant now,
                                        uint32_t& value) = 0;
};

// A function's address registers and its view of the host's memory. The device runs in the stores,
// which therefore say what time it is.
class FunctionPort {
public:
    virtual ~FunctionPort() = default;
    // BAR0 (registers.hpp). Loads of nothing give 0.
    virtual uint32_t read(uint32_t offset) const = 0;
    virtual uint64_t read64(uint32_t offset) const = 0;
    virtual void write(uint32_t offset, uint32_t value, Instant now) = 0;
    virtual void write64(uint32_t offset, uint64_t value, Instant now) = 0;
    // BAR2: memory of an allocation of this function, else null.
    virtual std::byte* device_memory(uint64_t offset, uint64_t bytes) = 0;
    // Lets the device reach memory of the host's; the answer is its bus address.
    virtual uint64_t map(std::span<std::byte> memory) = 0;
    virtual void unmap(uint64_t at) = 0;
};

// Where interrupts go.
class InterruptSink {
public:
    virtual ~InterruptSink() = default;
    virtual void raise(uint16_t function, uint16_t vector) = 0;
};

class Bus {
public:
    virtual ~Bus() = default;
    virtual ConfigPort& config() = 0;
    virtual FunctionPort* port(uint16_t function) = 0;        // null: not there now
    virtual void connect_interrupts(InterruptSink* sink) = 0; // null: nowhere
};

} // namespace rill::nic
