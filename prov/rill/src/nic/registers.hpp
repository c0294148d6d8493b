// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

// The registers of a function in BAR0. 32 bits wide and little endian, but for the event doorbell.
// prov/rill/docs/device.md describes them bit by bit.

#include <cstddef>
#include <cstdint>

namespace rill::nic {

#define RILL_REGISTERS(X)                                                                          \
    X(version, 0x000, "version of this map: major 31:16, minor 15:0")                              \
    X(controller_version, 0x004, "device ID 31:16, revision 7:0")                                  \
    X(capabilities, 0x008, "reset time-out 7:0 and admin time-out 23:16 in 100 ms, DMA bits 15:8") \
    X(admin_base_low, 0x010, "bus address of the admin queue, low half")                           \
    X(admin_base_high, 0x014, "high half")                                                         \
    X(admin_size, 0x018, "entries of the admin queue; 0: none. Starts it")                         \
    X(answer_base_low, 0x020, "bus address of the admin completion queue, low half")               \
    X(answer_base_high, 0x024, "high half")                                                        \
    X(admin_doorbell, 0x02c, "commands written so far, modulo 65536")                              \
    X(event_base_low, 0x030, "bus address of the asynchronous event queue, low half")              \
    X(event_base_high, 0x034, "high half")                                                         \
    X(event_size, 0x038, "entries of the asynchronous event queue; 0: none. Starts it")            \
    X(interrupt_mask, 0x040, "bit 0: no interrupt is raised")                                      \
    X(control, 0x044, "bit 0: reset; 31:28 reason")                                                \
    X(status, 0x048, "bits: 0 ready, 1 reset in progress, 2 reset finished, 3 fatal")              \
    X(fault, 0x04c, "what made the device fatal (Fault)")

enum class Register : uint16_t {
#define X(name, offset, help) name = offset,
    RILL_REGISTERS(X)
#undef X
};

struct RegisterInfo {
    const char* name;
    uint16_t offset;
    const char* help;
};

inline constexpr RegisterInfo kRegisterTable[] = {
#define X(name, offset, help) {#name, offset, help},
    RILL_REGISTERS(X)
#undef X
};

// The only 64-bit register: consumer index 31:0, arm 63 (EventDoorbell).
inline constexpr uint32_t kEventDoorbell = 0x1000;
inline constexpr uint32_t kMsixTable = 0x2000;   // 16 bytes a vector
inline constexpr uint32_t kMsixPending = 0x3000; // a bit a vector

inline constexpr uint32_t kMapVersion = 1u << 16;
inline constexpr uint32_t kControlReset = 1u << 0;
inline constexpr uint32_t kStatusReady = 1u << 0;
inline constexpr uint32_t kStatusResetting = 1u << 1;
inline constexpr uint32_t kStatusResetFinished = 1u << 2;
inline constexpr uint32_t kStatusFatal = 1u << 3;

// Why a function has stopped until it is reset.
enum class Fault : uint32_t {
    none = 0,
    bad_queue_memory = 1, // a queue outside of what the host mapped, or of a size that cannot be
    bad_doorbell = 2,     // more announced than the queue holds
    lost_memory = 3,      // a queue that is not mapped any more, or mastership was taken away
};

} // namespace rill::nic
