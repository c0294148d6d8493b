// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>

namespace rill::sim {

// What can go wrong in a run. Each is counted where it happens, so that what is printed at the end did
// happen: a kind with none was not tested.
#define RILL_FAULT_KINDS(X)                                                                        \
    X(lost, "packets lost, each by itself")                                                        \
    X(lost_in_bursts, "packets lost while a path was silent")                                      \
    X(lost_to_cuts, "packets lost on a link that was cut or deaf")                                 \
    X(duplicated, "packets duplicated")                                                            \
    X(reordered, "packets held back")                                                              \
    X(replayed, "packets of long ago, once more")                                                  \
    X(corrupted, "packets corrupted, and found by the checksum")                                   \
    X(truncated, "packets truncated, likewise")                                                    \
    X(overflowed, "packets that a full receive buffer dropped")                                    \
    X(refused, "packets to a closed port")                                                         \
    X(strangers, "packets of strangers")                                                           \
    X(again, "sends put off: EAGAIN, ENOBUFS")                                                     \
    X(broken, "trains of which a part left, then EIO")                                             \
    X(wrapped, "hosts whose contexts number from just before the wrap")                            \
    X(strict, "hosts that ask every stranger for a cookie")                                        \
    X(stalls, "hosts that did not run for a while")                                                \
    X(crashes, "hosts that died")                                                                  \
    X(leaves, "hosts that took leave")                                                             \
    X(resets, "devices reset under traffic")                                                       \
    X(closes, "endpoints closed in mid-work")                                                      \
    X(shrinks, "routes that took smaller packets")                                                 \
    X(evicted, "contexts evicted while idle")                                                      \
    X(errors, "operations that ended with an error")                                               \
    X(payload_refused, "bytes refused for want of bounce memory")                                  \
    X(no_room, "packets not accepted because a queue was full")

enum class FaultKind : uint8_t {
#define X(name, help) name,
    RILL_FAULT_KINDS(X)
#undef X
};

inline constexpr const char* kFaultKindHelp[] = {
#define X(name, help) help,
    RILL_FAULT_KINDS(X)
#undef X
};
inline constexpr size_t kFaultKinds = std::size(kFaultKindHelp);

// Counters only: Totals::add() adds word by word.
struct Coverage {
    std::array<uint64_t, kFaultKinds> times{};
    std::array<uint64_t, kFaultKinds> seeds{}; // in which it happened

    void note(FaultKind kind, uint64_t count) {
        times[static_cast<size_t>(kind)] += count;
        if (count > 0) seeds[static_cast<size_t>(kind)] = 1; // of one run
    }
};

} // namespace rill::sim
