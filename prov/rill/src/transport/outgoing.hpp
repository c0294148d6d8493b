// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "util/list.hpp"
#include "util/seq.hpp"
#include "util/time.hpp"
#include "wire/packet.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <sys/uio.h>

namespace rill::transport {

// Record bytes that a packet holds by copy: the records of several small messages, or the record of
// one large message whose payload stays in the user's buffer. 432 makes an Outgoing 512 bytes.
inline constexpr size_t kCopiedBytesMax = 432;

// A part of a scatter list: `bytes` from `offset` (counted over the whole list) on. The list must
// stay where it is until the packet that carries the slice is acknowledged or dropped.
struct Slice {
    const iovec* iov = nullptr;
    uint32_t iov_count = 0;
    uint32_t bytes = 0;
    uint64_t offset = 0;
};

struct LossQueueTag;

// One packet in the send window: everything that it takes to send it again. The client fills
// `copied` and `slice`; the transport owns the rest.
struct Outgoing : ListHook<LossQueueTag> {
    // fresh: filled, never left. in_flight: on its path's list, in order of transmission.
    // lost: on the context's list of what goes next, as is a fresh one.
    enum class State : uint8_t { fresh, in_flight, lost };

    Psn psn;
    State state = State::fresh;
    uint8_t transmissions = 0;
    bool to_endpoint_port = false; // its records name queue pair 0: only the opened port knows it
    bool probe = false;            // last sent as a tail probe
    bool guarded = false;          // the slice's memory may be gone: see wire::TxTrain
    uint16_t path = 0;             // of the last transmission, as are the three below
    uint16_t path_seq = 0;
    uint16_t copied_bytes = 0;
    uint32_t charge_bytes = 0; // against the receiver's credit
    uint32_t wire_bytes = 0;   // of the last transmission, headers included
    Instant sent{};
    void* owner = nullptr; // who is told when the slice is no longer needed
    Slice slice;
    std::byte copied[kCopiedBytesMax];

    // Record space that is left, given how many bytes this packet may carry in all.
    size_t room(size_t limit) const {
        size_t used = copied_bytes + slice.bytes;
        return limit > used ? limit - used : 0;
    }
    std::byte* append(size_t bytes) {
        std::byte* at = copied + copied_bytes;
        copied_bytes = static_cast<uint16_t>(copied_bytes + bytes);
        return at;
    }
    size_t record_bytes() const { return copied_bytes + slice.bytes; }
};
static_assert(sizeof(Outgoing) == 512, "there are thousands per busy peer");

} // namespace rill::transport
