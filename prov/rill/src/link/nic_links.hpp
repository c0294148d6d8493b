// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "link/udp_link.hpp"
#include "obs/counters.hpp"
#include "wire/link.hpp"
#include "wire/packet.hpp"

#include <memory>
#include <string>
#include <vector>

namespace rill::link {

// Several local addresses as one link: a UdpLink for each, bound to its device. The first has the
// endpoints' ports. Owned by one thread at a time.
class NicLinks final : public wire::Link {
public:
    struct Nic {
        wire::Address local; // port 0: any one that `config` allows
        std::string interface;
    };
    static constexpr size_t kNicsMax = wire::kAddressesMax;

    // As UdpLink::open() for the first of `nics`; one of the others that cannot be had is left out,
    // and the log says so. `config` is what all have in common.
    [[nodiscard]] static Status open(const UdpConfig& config, const std::vector<Nic>& nics,
                                     obs::Counters& counters, std::unique_ptr<NicLinks>& links,
                                     std::string& error);
    ~NicLinks() override;

    // What to use: where there is one address only, nothing lies over it.
    wire::Link& link() {
        return links_.size() == 1 ? static_cast<wire::Link&>(*links_.front()) : *this;
    }

    [[nodiscard]] Status send(const wire::TxTrain& train) override;
    size_t receive(std::span<wire::RxTrain> out, bool poll_all) override;
    bool next_refusal(wire::Address& refused) override;
    [[nodiscard]] Status open_port(wire::Address& bound, wire::PortId& id) override {
        return first().open_port(bound, id);
    }
    void close_port(wire::PortId id) override { first().close_port(id); }
    wire::Address data_address() const override { return first().data_address(); }
    size_t nics() const override { return links_.size(); }
    wire::Address nic_address(size_t nic) const override { return links_[nic]->data_address(); }
    size_t max_packet_bytes(const wire::Address& to) const override {
        return first().max_packet_bytes(to);
    }
    size_t packet_bytes_from(size_t nic, const wire::Address& to) const override {
        return links_[nic]->packet_bytes_from(0, to);
    }
    uint16_t paths() const override { return first().paths(); }
    // Of the smallest: all that a peer sends may come by one of them.
    size_t receive_buffer_bytes() const override;
    size_t charge_bytes(size_t packet_bytes) const override {
        return first().charge_bytes(packet_bytes);
    }
    uint64_t receive_drops() const override;

    // To wait on for reading, as UdpLink::descriptors().
    std::vector<int> descriptors() const;

private:
    NicLinks() = default;
    UdpLink& first() const { return *links_.front(); }
    [[nodiscard]] bool watch();
    size_t receive_from(size_t nic, std::span<wire::RxTrain> out, bool poll_all);
    size_t receive_ready(std::span<wire::RxTrain> out, size_t except);

    std::vector<std::unique_ptr<UdpLink>> links_;
    int events_ = -1; // epoll over the data sockets
    size_t busy_ = 0; // who brought something last
    unsigned turn_ = 0;
};

} // namespace rill::link
