// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "link/busy_peers.hpp"
#include "link/log.hpp"
#include "link/receive_buffers.hpp"
#include "link/route.hpp"
#include "link/udp_socket.hpp"
#include "obs/counters.hpp"
#include "util/ring.hpp"
#include "wire/link.hpp"

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace rill::link {

struct UdpConfig {
    wire::Address local;     // the address to bind; port 0: any one in `ports` for the data port
    PortRange ports;         // confines every port that the link opens, entropy ports included
    std::string interface;   // by which it sends; the loopback, empty: the routing table decides
    size_t rcvbuf_bytes = 0; // FI_RILL_RCVBUF; 0: as large as allowed, up to 4 MiB
    uint8_t code_point = 0;  // differentiated services (RFC 2474), of every packet
    uint16_t paths = 1;      // source ports at most, of the range an eighth; 1: the data port only
    LogSink log;
};

// Datagrams over UDP: one socket for data, one more for each port that an endpoint opens, up to
// paths-1 that only send and whose port is the entropy of a path, opened when one is first asked
// for, and a few that are connected to busy peers. Trains leave by one sendmsg (UDP_SEGMENT) and arrive coalesced (UDP_GRO). Owned by one thread at a time.
class UdpLink final : public wire::Link {
public:
    // Trains that one receive() may fill; each needs 64 KiB of its own.
    static constexpr size_t kReceiveSlots = 4;
    static constexpr size_t kSlotBytes = 65536;

    // ok: `link` is set. Else `error` says what is wrong and names it: address_in_use (a taken
    // port, a range without a free one), not_found (no such address or interface), invalid.
    // Trains, errors and drops are counted by who calls the link; refused segmentation by the link.
    [[nodiscard]] static Status open(const UdpConfig& config, obs::Counters& counters,
                                     std::unique_ptr<UdpLink>& link, std::string& error);
    ~UdpLink() override;

    [[nodiscard]] Status send(const wire::TxTrain& train) override;
    size_t receive(std::span<wire::RxTrain> out, bool poll_all) override;
    bool next_refusal(wire::Address& refused) override;
    [[nodiscard]] Status open_port(wire::Address& bound, wire::PortId& id) override;
    void close_port(wire::PortId id) override;
    wire::Address data_address() const override { return data().address(); }
    size_t max_packet_bytes(const wire::Address& to) const override;
    size_t packet_bytes_from(size_t, const wire::Address& to) const override;
    uint16_t paths() const override { return static_cast<uint16_t>(1 + entropy_.size()); }
    size_t receive_buffer_bytes() const override { return data().receive_buffer_bytes(); }
    size_t charge_bytes(size_t packet_bytes) const override;
    uint64_t receive_drops() const override { return drops_; }

    // To wait on for reading (data socket first, then the ports). The set changes with open_port and
    // close_port. After a wake-up by any but the first, receive() wants poll_all.
    std::vector<int> descriptors() const;

private:
    UdpLink(const UdpConfig& config, obs::Counters& counters);

    [[nodiscard]] Status open_sockets(std::string& error);
    [[nodiscard]] Status send_segmented(UdpSocket& socket, const wire::TxTrain& train);
    [[nodiscard]] Status send_singly(UdpSocket& socket, const wire::TxTrain& train);
    int send_once(UdpSocket& socket, const wire::Address& to, std::span<const iovec> iov,
                  size_t segment_bytes);
    [[nodiscard]] Status judge(int error, const wire::Address& to);
    void switch_segmentation_off(UdpSocket& socket, int error);
    UdpSocket* socket_for(const wire::TxTrain& train);
    UdpSocket* entropy_socket(uint16_t path);
    void look_for_errors();
    bool receive_on(wire::PortId id, size_t slot, wire::RxTrain& out);
    size_t receive_ports(std::span<wire::RxTrain> out);
    bool read_errors(UdpSocket& socket); // true: the network had reported one
    void note_refusal(const wire::Address& refused);
    SocketConfig socket_config(uint16_t port, bool receives) const;
    size_t unfragmented_bytes(const wire::Address& to) const;
    void name_small_buffer() const;

    UdpSocket& data() { return ports_[wire::kDataPort]; }
    const UdpSocket& data() const { return ports_[wire::kDataPort]; }

    UdpConfig config_;
    obs::Counters& counters_;
    std::vector<UdpSocket> ports_;   // by PortId; a closed one leaves a hole that is filled again
    std::vector<UdpSocket> entropy_; // path p > 0 is entropy_[p - 1], not open before its first use
    BusyPeers busy_;                 // path 0 to the busiest
    SocketConfig busy_config_;
    ReceiveBuffers buffers_; // kReceiveSlots of kSlotBytes
    Ring<wire::Address> refusals_;
    bool loopback_; // every address here is of this host
    mutable RouteCache routes_;
    size_t next_port_ = 0;   // where the next look at the ports begins, so that none starves
    size_t next_errors_ = 0; // whose error queue is read next
    uint64_t drops_ = 0;
    bool error_logged_ = false;
};

} // namespace rill::link
