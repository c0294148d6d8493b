// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

// Whole stacks on a network in memory and virtual time: a device in a slot, and above it either the
// software module or, where a test is itself the software, the driver alone.

#include "nic/card.hpp"
#include "rdm/address_vector.hpp"
#include "rdm/endpoint.hpp"
#include "rdm/module.hpp"
#include "test/transport/net.hpp"

#include <memory>
#include <string>
#include <vector>

namespace rill::test {

struct Silent : Log {
    bool enabled(LogLevel) const override { return false; }
    void write(LogLevel, const char*) override {}
};

struct Sink : rdm::CompletionSink {
    std::vector<rdm::Completion> got;
    void complete(const rdm::Completion& c) override { got.push_back(c); }
    bool has_room() const override { return true; }
};

// A device and the network that it is plugged into.
struct Slot {
    Slot(Net& net, uint8_t host)
        : net(net), link(net, host, 3000),
          card(nic::CardConfig{}, link, SipKey{host, 99}, counters, log), host(host) {}

    Net& net;
    NetLink link;
    obs::Counters counters;
    Silent log;
    nic::Card card;
    uint8_t host;
};

// The whole: one endpoint on a device, at port 4000.
struct Machine : Slot {
    Machine(Net& net, uint8_t host) : Slot(net, host), module({}, card.bus(), log), peers(module) {
        endpoint = open(4000);
    }
    ~Machine() { endpoint->close(net.now); }

    std::unique_ptr<rdm::Endpoint> open(uint16_t port) {
        wire::Address bound = address(host, port);
        std::unique_ptr<rdm::Endpoint> ep;
        const Status s = module.open_endpoint(bound, peers, tx, rx, ep);
        return is_ok(s) ? std::move(ep) : nullptr;
    }
    rdm::SourceId name(uint8_t other, uint16_t port = 4000) {
        rdm::SourceId id = rdm::kUnknownSource;
        (void)peers.insert(address(other, port), id);
        return id;
    }
    Status send(rdm::SourceId to, const std::string& text, uint64_t tag,
                rdm::Endpoint* from = nullptr) {
        const iovec v{const_cast<char*>(text.data()), text.size()};
        rdm::SendRequest r;
        r.iov = &v;
        r.iov_count = 1;
        r.destination = to;
        r.tag = tag;
        r.tagged = true;
        r.level = rdm::Level::delivery;
        return (from ? from : endpoint.get())->send(r, net.now);
    }
    Status receive(std::string& into, uint64_t tag) {
        const iovec v{into.data(), into.size()};
        rdm::RecvRequest r;
        r.iov = &v;
        r.iov_count = 1;
        r.tag = tag;
        r.tagged = true;
        return endpoint->receive(r, net.now);
    }

    rdm::Module module;
    rdm::AddressVector peers;
    Sink tx, rx;
    std::unique_ptr<rdm::Endpoint> endpoint;
};

// Lets time pass, and everybody work.
template <class... M>
void pass(Net& net, Duration time, M&... machines) {
    const Instant end = net.now + time;
    for (; net.now < end; net.now += 20us) {
        net.deliver();
        (machines.module.progress(net.now, true), ...);
    }
}

} // namespace rill::test
