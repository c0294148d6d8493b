// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

// The registers of a function in BAR0. 32 bits wide and little endian, but for those from 0x1000 on.
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
    X(fault, 0x04c, "what made the device fatal (Fault)")                                          \
    X(activity, 0x050, "bits: 0 something waits for a peer, 1 farewells are over")

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

// 64-bit registers.
inline constexpr uint32_t kEventDoorbell = 0x1000;      // w: consumer index 31:0, arm 63
inline constexpr uint32_t kCompletionDoorbell = 0x1008; // w: CompletionDoorbell
inline constexpr uint32_t kSendDoorbell = 0x1010;       // w: queue_doorbell()
inline constexpr uint32_t kReceiveDoorbell = 0x1018;    // w: likewise
inline constexpr uint32_t kRun = 0x1020;                // w: the device has no thread: time for it
inline constexpr uint32_t kDeadline = 0x1028; // r: when it needs time again, ns; all ones: never

// Entries written so far 15:0, queue pair 47:16, more 63: another doorbell follows at once, nothing
// need be sent before.
inline constexpr uint64_t kDoorbellMore = uint64_t{1} << 63;
constexpr uint64_t queue_doorbell(uint32_t queue_pair, uint16_t written, bool more) {
    return (more ? kDoorbellMore : 0) | uint64_t{queue_pair} << 16 | written;
}

// Run: send what may be sent (always); look for packets and at timers; also at the endpoints' ports.
inline constexpr uint64_t kRunReceive = 1 << 0;
inline constexpr uint64_t kRunEverywhere = 1 << 1;

// The completion queue's doorbell: one store moves the consumer index and, with the arm bit, unmasks
// the interrupt. It is raised when `count` entries lie beyond the index, or `micros` after the first
// of them; without a time at the first. `sequence` counts the arming stores, modulo 256: one that is
// not the next is an old one come late, and only moves the index.
struct CompletionDoorbell {
    static constexpr uint64_t kArm = uint64_t{1} << 63;
    uint32_t consumer = 0;
    uint8_t sequence = 0;
    uint8_t count = 0;
    uint16_t micros = 0; // at most 32767
    bool arm = false;

    constexpr uint64_t value() const {
        return (arm ? kArm : 0) | uint64_t{micros & 0x7fffu} << 48 | uint64_t{count} << 40 |
               uint64_t{sequence} << 32 | consumer;
    }
    static constexpr CompletionDoorbell from(uint64_t v) {
        return {static_cast<uint32_t>(v), static_cast<uint8_t>(v >> 32),
                static_cast<uint8_t>(v >> 40), static_cast<uint16_t>(v >> 48 & 0x7fff),
                (v & kArm) != 0};
    }
};

// The function writes what a host asks in every pass into the host's memory, at the place that
// create_completion_queue names: packets received and sent in `run` so far.
inline constexpr uint64_t kNotReady = UINT64_MAX; // instead: it has stopped, or was reset

inline constexpr uint32_t kMsixTable = 0x2000;   // 16 bytes a vector
inline constexpr uint32_t kMsixPending = 0x3000; // a bit a vector

inline constexpr uint32_t kMapVersion = 1u << 16;
inline constexpr uint32_t kControlReset = 1u << 0;
inline constexpr uint32_t kStatusReady = 1u << 0;
inline constexpr uint32_t kStatusResetting = 1u << 1;
inline constexpr uint32_t kStatusResetFinished = 1u << 2;
inline constexpr uint32_t kStatusFatal = 1u << 3;
inline constexpr uint32_t kActivityOutstanding = 1u << 0;
inline constexpr uint32_t kActivityLeft = 1u << 1;

// Why a function has stopped until it is reset.
enum class Fault : uint32_t {
    none = 0,
    bad_queue_memory = 1, // a queue outside of what the host mapped, or of a size that cannot be
    bad_doorbell = 2,     // more announced than the queue holds
    lost_memory = 3,      // a queue that is not mapped any more, or mastership was taken away
    bad_entry = 4,        // a queue entry that means nothing
    overrun = 5,          // no room in the completion queue for an answer
    injected = 6,         // a test asked for it
};

} // namespace rill::nic
