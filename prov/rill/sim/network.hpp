// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "sim/events.hpp"
#include "sim/journal.hpp"
#include "sim/profile.hpp"
#include "util/prng.hpp"
#include "wire/link.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

namespace rill::sim {

class Network;

// What the network did to packets. Every packet that did not arrive has its cause here.
struct PacketCounts {
    uint64_t sent = 0;
    uint64_t delivered = 0;
    uint64_t lost = 0;
    uint64_t lost_in_bursts = 0;
    uint64_t cut = 0; // the link was
    uint64_t duplicated = 0;
    uint64_t reordered = 0;
    uint64_t corrupted = 0;  // found by the checksum
    uint64_t truncated = 0;  // likewise
    uint64_t overflowed = 0; // receive buffer full
    uint64_t refused = 0;    // the port is closed
    uint64_t unheard = 0;    // the host is off, or the port only sends
    uint64_t again = 0;      // sends that the kernel had no room for
    uint64_t garbage = 0;    // packets that strangers sent
    uint64_t replayed = 0;   // packets of long ago that came once more
    uint64_t broken = 0;     // trains of which a part left, then EIO
};

// One host's way into the network, and the kernel's part of it: ports with bounded receive buffers
// that fill whether the host runs or not.
class SimLink final : public wire::Link {
public:
    enum class Power : uint8_t { up, killed, off };

    SimLink(Network& network, uint32_t host, const HostProfile& profile, uint64_t seed);

    [[nodiscard]] Status send(const wire::TxTrain& train) override;
    size_t receive(std::span<wire::RxTrain> out, bool poll_all) override;
    bool next_refusal(wire::Address& refused) override;
    [[nodiscard]] Status open_port(wire::Address& bound, wire::PortId& id) override;
    void close_port(wire::PortId id) override;
    wire::Address data_address() const override { return ports_[wire::kDataPort].address; }
    size_t nics() const override { return lines_.size(); }
    wire::Address nic_address(size_t nic) const override;
    size_t max_packet_bytes(const wire::Address& to) const override;
    uint16_t paths() const override;
    size_t receive_buffer_bytes() const override { return profile_.receive_buffer; }
    size_t charge_bytes(size_t packet_bytes) const override;
    uint64_t receive_drops() const override { return drops_; }

    // Told at once when something begins to wait: a packet, a refusal.
    void wake(EventHandler& handler, uint64_t argument) {
        handler_ = &handler;
        argument_ = argument;
    }
    bool waiting() const;           // anything at all
    bool waiting_elsewhere() const; // only poll_all will find it
    void set_power(Power power);
    // The route takes smaller packets now. Trains of larger ones are refused, single ones leave in
    // fragments.
    void shrink_packets();
    // What befalls one of its links, until then.
    void cut(size_t nic, Instant until) { lines_[nic].cut_until = until; }
    void deafen(size_t nic, Instant until) { lines_[nic].deaf_until = until; }
    void slow_down(size_t nic, Instant until) { lines_[nic].slow_until = until; }
    void heal();
    uint32_t host() const { return host_; }
    const HostProfile& profile() const { return profile_; }

private:
    friend class Network;
    struct Port {
        wire::Address address;      // not valid: closed
        std::deque<uint32_t> queue; // packets, by their slot in the network
        size_t charged = 0;
    };

    struct Line {       // one link
        Instant free{}; // when it has sent what was handed over
        Instant cut_until{};
        Instant deaf_until{};
        Instant slow_until{};
        Port port; // the data port of all but the first, which is among ports_
    };

    bool train_is_sound(const wire::TxTrain& train) const;
    Port* port_at(const wire::Address& address);
    Port* port_at(uint16_t number);
    void arrive(Port& port, uint32_t packet);
    void refuse(const wire::Address& address);
    void take_run(Port& port, wire::RxTrain& out);
    void drop_queue(Port& port);
    size_t kernel_charge(size_t packet_bytes) const;

    Network& network_;
    uint32_t host_;
    HostProfile profile_;
    Prng random_;
    Power power_ = Power::up;
    std::vector<Port> ports_;
    std::deque<wire::Address> refusals_;
    std::vector<std::unique_ptr<std::byte[]>> received_; // what the last receive() handed out
    EventHandler* handler_ = nullptr;
    uint64_t argument_ = 0;
    std::vector<Line> lines_;
    uint64_t drops_ = 0;
    uint16_t next_port_ = 20000;
};

// All links, and what lies between them.
class Network final : public EventHandler {
public:
    Network(EventQueue& events, Journal& journal, const Profile& profile);

    SimLink& link(uint32_t host) { return *links_[host]; }
    const PacketCounts& counts() const { return counts_; }
    const NetworkProfile& profile() const { return profile_; }
    // From now on only delay.
    void heal();
    // Whether packets ever passed between two hosts, in either direction.
    bool in_contact(uint32_t a, uint32_t b) const;

    void fire(uint64_t argument) override;

private:
    friend class SimLink;
    struct Packet {
        std::vector<std::byte> bytes;
        wire::Address from;
        wire::Address to;
        uint32_t sender = 0;
        bool marked = false;
        bool refusal = false; // an ICMP error on its way back: `to` is the refused address
    };

    void tell(const char* what, uint32_t from, uint16_t path, const wire::Address& to,
              std::span<const std::byte> bytes);
    void transmit(SimLink& from, const wire::TxTrain& train, size_t fragment, Instant leaves);
    // Which of a host's links and ports a packet leaves by.
    struct Exit {
        SimLink& link;
        uint16_t path;
        uint8_t nic;
    };
    void transmit_packet(const Exit& from, std::vector<std::byte> bytes, const wire::Address& to,
                         size_t fragments, Instant leaves);
    bool cut(const Exit& from, const wire::Address& to, Instant leaves);
    bool swallowed(size_t lane, size_t fragments, Instant leaves);
    Duration delay(size_t lane);
    void remember(const Packet& packet);
    void replay(Instant when);
    void deliver_at(Instant when, Packet packet);
    void deliver(uint32_t slot);
    void send_garbage(const wire::Address& to, std::span<const std::byte> model, Instant when);
    SimLink* link_of(const wire::Address& address);
    uint32_t take_slot(Packet packet);
    void free_slot(uint32_t slot);
    size_t lane(uint32_t from, uint32_t to, size_t nic, uint16_t path) const {
        return ((size_t{from} * links_.size() + to) * kSimNicsMax + nic) * original_.paths + path;
    }

    EventQueue& events_;
    Journal& journal_;
    NetworkProfile original_;
    NetworkProfile profile_;
    Prng random_;
    PacketCounts counts_;
    std::vector<std::unique_ptr<SimLink>> links_;
    std::vector<Packet> packets_;
    std::vector<uint32_t> free_;
    std::vector<Packet> past_; // some of those that were sent; the oldest are overwritten
    size_t next_past_ = 0;
    std::vector<Duration> base_delay_;  // by lane
    std::vector<Instant> silent_until_; // by lane
    std::vector<bool> contact_;         // by pair
};

} // namespace rill::sim
