// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "link/shm/channel.hpp"
#include "link/shm/rendezvous.hpp"
#include "obs/counters.hpp"
#include "util/ring.hpp"
#include "wire/link.hpp"

#include <memory>
#include <unordered_map>
#include <vector>

namespace rill::link::shm {

// A link that carries what goes to devices of the same host and user through memory, and all else
// through the link below. To the transport both are one: the same contexts, the same packets, the
// same acknowledgements; what is under way when a channel opens or ends is told apart by its PSN.
// Owned by one thread at a time.
class ShmLink final : public wire::Link {
public:
    // Null when the host does not let us (no abstract Unix sockets, no memfd, no descriptors):
    // there is nothing that UDP would not do as well.
    static std::unique_ptr<ShmLink> open(wire::Link& below, obs::Counters& counters);
    ~ShmLink() override;

    [[nodiscard]] Status send(const wire::TxTrain& train) override;
    size_t receive(std::span<wire::RxTrain> out, bool poll_all) override;
    bool next_refusal(wire::Address& refused) override;
    [[nodiscard]] Status open_port(wire::Address& bound, wire::PortId& id) override {
        return below_.open_port(bound, id);
    }
    void close_port(wire::PortId id) override { below_.close_port(id); }
    wire::Address data_address() const override { return own_; }
    size_t max_packet_bytes(const wire::Address& to) const override {
        return below_.max_packet_bytes(to);
    }
    size_t nics() const override { return below_.nics(); }
    wire::Address nic_address(size_t nic) const override { return below_.nic_address(nic); }
    size_t packet_bytes_from(size_t nic, const wire::Address& to) const override {
        return below_.packet_bytes_from(nic, to);
    }
    uint16_t paths() const override { return below_.paths(); }
    size_t receive_buffer_bytes() const override { return below_.receive_buffer_bytes(); }
    size_t charge_bytes(size_t packet_bytes) const override {
        return below_.charge_bytes(packet_bytes);
    }
    uint64_t receive_drops() const override { return below_.receive_drops(); }
    Duration again_after() const override;

    // Before a sleep on the descriptors: from now on trains wake us, also if another thread receives
    // meanwhile. Returns what to sleep on beside those of the link below: one that is readable already when
    // something is there.
    int arm();
    // Whether who sleeps since arm() will be woken by what comes.
    bool armed() const { return armed_; }
    size_t channels() const { return by_peer_.size(); }

private:
    // Connected, and not yet a channel.
    struct Stranger {
        Fd socket;
        bool offered = false; // by us: an answer is due; else an offer
        wire::Address peer;
        std::unique_ptr<Mapping> memory;
    };
    ShmLink(wire::Link& below, obs::Counters& counters, Fd listener, Fd events, Fd ready);

    bool is_here(const wire::Address& a) const;
    Channel* channel_to(const wire::Address& to);
    void consider(const wire::Address& to);
    void offer_to(const wire::Address& to);
    void look();
    void take_callers();
    bool hear(Stranger& stranger); // false: it is a channel now, or gone
    void add_channel(const wire::Address& peer, Fd socket, std::unique_ptr<Mapping> memory,
                     size_t ours);
    void end(Channel& channel, bool broken);
    size_t take_trains(std::span<wire::RxTrain> out);
    bool watch(const Fd& fd);

    wire::Link& below_;
    obs::Counters& counters_;
    wire::Address own_;
    Fd listener_;
    Fd events_; // epoll over the listener, the strangers and the channels
    Fd ready_;  // always readable
    std::vector<std::unique_ptr<Channel>> channels_; // gone ones too, until they are read empty
    std::unordered_map<wire::Address, Channel*, wire::AddressHash> by_peer_; // that may be sent to
    // What we sent to peers on this host to which no channel leads.
    std::unordered_map<wire::Address, uint32_t, wire::AddressHash> sends_;
    std::vector<Stranger> strangers_;
    Ring<wire::Address> ended_;
    Channel* last_ = nullptr; // that something was sent to
    size_t first_ = 0;        // whose turn it is to be read first
    unsigned idle_ = 0;       // receives in a row that brought nothing from memory
    unsigned since_below_ = 0;
    bool below_active_ = false;
    bool armed_ = false;
    bool full_ = false; // what `again` was about last
};

} // namespace rill::link::shm
