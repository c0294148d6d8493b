// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "transport/outgoing.hpp"
#include "transport/path.hpp"
#include "wire/link.hpp"
#include "wire/packet.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace rill::transport {

// Puts packets end to end as one send wants them: all but the last of one size, headers and small
// records copied into a scratch area, payload left where it is.
class TrainBuilder {
public:
    TrainBuilder();

    void clear();
    // Whether a packet of this size can follow what is there; `parts` bounds its pieces of payload.
    bool takes(size_t wire_bytes, size_t parts) const;
    // `packet` is null for a control packet. `ack` is an encoded acknowledgement, or empty.
    void add(const wire::Header& header, const wire::Hello* hello, std::span<const std::byte> ack,
             Outgoing* packet);
    // Flags for the header of the packet added last.
    void flag_last(uint16_t flags);
    // `answerable`: leaves from the data port, where answers are looked for that do not know us.
    wire::TxTrain train(const wire::Address& to, const Path::Way& way, bool answerable) const;

    size_t packets() const { return packets_; }
    Outgoing* packet(size_t i) const { return outgoing_[i]; }
    size_t packet_wire_bytes(size_t i) const { return i + 1 < packets_ ? segment_ : last_; }
    size_t segment_bytes() const { return segment_; }
    size_t total_bytes() const { return total_; }

private:
    void add_slice(const Slice& slice);

    std::unique_ptr<std::byte[]> scratch_;
    std::byte* end_ = nullptr; // of what scratch_ holds
    std::byte* last_header_ = nullptr;
    std::vector<iovec> iov_;
    std::array<Outgoing*, wire::kTrainPacketsMax> outgoing_{};
    size_t packets_ = 0;
    size_t segment_ = 0;
    size_t last_ = 0;
    size_t total_ = 0;
    bool guarded_ = false;
};

} // namespace rill::transport
