// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "util/file_memory.hpp"
#include "util/status.hpp"
#include "util/time.hpp"
#include "wire/address.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <sys/uio.h>

namespace rill::wire {

// A local port of a link. Port 0 is the device's data port, opened with the link itself; every
// endpoint opens one more for the openings that are addressed to it.
using PortId = uint32_t;
inline constexpr PortId kDataPort = 0;

// The limits of one send: what UDP segmentation offload takes (64 KiB and 128 segments less one,
// Linux UDP_MAX_SEGMENTS is 64 before 6.1 and 128 since), and the kernel's UIO_MAXIOV.
inline constexpr size_t kTrainBytesMax = 65472;
inline constexpr size_t kTrainPacketsMax = 64;
inline constexpr size_t kTrainIovMax = 1024;

// A train: packets sent back to back to one address on one path. All but the last have
// segment_bytes; iov holds them end to end.
struct TxTrain {
    Address to;
    uint16_t path = 0; // entropy: which of the link's flows to `to` carries it, below Link::paths()
    bool from_data_port = false; // path 0: its source port must take what the peer answers
    size_t segment_bytes = 0;
    size_t total_bytes = 0;
    std::span<const iovec> iov;
    bool guarded = false; // some of the memory may not be there: reading it must be no signal
    uint8_t nic = 0;      // which local address it leaves from, below Link::nics()
};

// What one receive brought: a coalesced run of packets of one sender. The bytes are valid until
// the next call of receive().
struct RxTrain {
    const std::byte* data = nullptr;
    size_t total_bytes = 0;
    size_t segment_bytes = 0; // all but the last packet have this size
    Address from;
    PortId port = kDataPort;
    bool congestion_marked = false;   // ECN: Congestion Experienced
    uint8_t nic = 0;                  // which local address it came to
    const FileMemory* file = nullptr; // whose bytes they are, if they are a file's
};

// What carries bytes. Unreliable, unordered; a packet arrives whole or not at all (the UDP checksum
// is on). Implementations live in `link` and, in virtual time, in `sim`.
class Link {
public:
    virtual ~Link() = default;

    // Sends a train. ok: handed over, whatever happens to it afterwards. again: the kernel has no
    // room now, nothing was sent. too_long: packets of this size cannot leave (nothing was sent);
    // the caller rebuilds with max_packet_bytes(). bad_address: part of the memory that the train
    // names cannot be read; nothing was sent. Anything else counts as loss.
    [[nodiscard]] virtual Status send(const TxTrain& train) = 0;

    // How long after `again` there may be room.
    virtual Duration again_after() const { return std::chrono::microseconds(100); }

    // Fills at most out.size() trains and returns how many; 0 means nothing is waiting.
    // `poll_all` also looks at the endpoints' ports, which carry only openings: looking costs a
    // system call each, so the caller does it now and then.
    virtual size_t receive(std::span<RxTrain> out, bool poll_all) = 0;

    // An address whose port refused a packet since the last call (ICMP, loopback's ECONNREFUSED).
    virtual bool next_refusal(Address& refused) = 0;

    // Opens a port; `bound` asks for an address (port 0: any in the configured range) and gets the
    // one it has. address_in_use when a fixed port is taken.
    [[nodiscard]] virtual Status open_port(Address& bound, PortId& id) = 0;
    virtual void close_port(PortId id) = 0;

    virtual Address data_address() const = 0;
    // Local addresses that packets can leave from and come to, each with a data port of its own;
    // endpoints' ports are at the first.
    virtual size_t nics() const { return 1; }
    virtual Address nic_address(size_t) const { return data_address(); }
    // As max_packet_bytes(), from that address; 0: the kernel knows no way from there to `to`.
    virtual size_t packet_bytes_from(size_t, const Address& to) const {
        return max_packet_bytes(to);
    }
    // Largest datagram (UDP payload) that goes to `to` unfragmented.
    virtual size_t max_packet_bytes(const Address& to) const = 0;
    // Distinct entropy values towards one destination, at least 1.
    virtual uint16_t paths() const = 0;
    // What the receive buffer holds, as the kernel charges it (getsockopt SO_RCVBUF).
    virtual size_t receive_buffer_bytes() const = 0;
    // What the kernel charges against that buffer for a packet of this size.
    virtual size_t charge_bytes(size_t packet_bytes) const = 0;
    // Packets that the kernel dropped because the receive buffer was full (SO_RXQ_OVFL), in total.
    virtual uint64_t receive_drops() const = 0;
};

} // namespace rill::wire
