// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "link/udp_socket.hpp"
#include "wire/address.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace rill::link {

// Sockets that are connected to the peers that packets go to most: the kernel need not look up the
// route of each packet (4 % of a small message's way, docs/link.md). A handful, each for whoever
// last had its share of an address hash to itself.
class BusyPeers {
public:
    static constexpr uint32_t kRun = 256; // packets in a row, of those that share a slot

    // The socket that is connected to `to`; null while it is not busy, or where none can be had.
    // `config` says how one is opened.
    UdpSocket* find(const wire::Address& to, const SocketConfig& config) {
        Slot& s = slots_[wire::AddressHash{}(to) >> (8 * sizeof(size_t) - kBits)];
        if (s.to == to) [[likely]]
            return &s.socket;
        return count(s, to, config) ? &s.socket : nullptr;
    }
    // The sockets in turn, to look at their errors; null where there is none.
    UdpSocket* next() {
        Slot& s = slots_[next_++ % slots_.size()];
        return s.socket.is_open() ? &s.socket : nullptr;
    }

private:
    static constexpr unsigned kBits = 3;
    struct Slot {
        wire::Address to; // where the socket is connected; not valid when it is closed
        UdpSocket socket;
        wire::Address candidate;
        uint32_t run = 0;
    };

    bool count(Slot& slot, const wire::Address& to, const SocketConfig& config);

    std::array<Slot, 1u << kBits> slots_;
    size_t next_ = 0;
    bool refused_ = false; // no socket could be had: not tried again
};

} // namespace rill::link
