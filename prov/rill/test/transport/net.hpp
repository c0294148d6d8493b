// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

// A network in memory and virtual time, and nodes on it that count what they deliver. By seed: the
// same seed gives the same run.

#include "transport/transport.hpp"
#include "util/prng.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

namespace rill::test {

using namespace rill::transport;
using namespace std::chrono_literals;

struct Weather {
    double loss = 0;
    double dup = 0;
    double reorder = 0; // held back by up to ten delays
    Duration delay = 50us;
};

inline wire::Address address(uint8_t host, uint16_t port) {
    wire::Address a;
    a.family = wire::Family::ip4;
    a.ip = {10, 0, 0, host};
    a.port = port;
    return a;
}

// A host's address on its n-th network.
inline wire::Address nic_address(uint8_t host, size_t nic, uint16_t port) {
    wire::Address a = address(host, port);
    a.ip[1] = static_cast<uint8_t>(nic);
    return a;
}

class NetLink;

class Net {
public:
    explicit Net(uint64_t seed) : prng(seed) {}

    struct Packet {
        std::vector<std::byte> bytes;
        wire::Address from, to;
        uint16_t path = 0; // entropy
        uint8_t nic = 0;
    };
    void send(Packet packet, NetLink* sender);
    // Moves what has arrived by now to where it goes.
    void deliver();
    Instant next() const { return on_the_way.empty() ? kNever : on_the_way.begin()->first; }

    Prng prng;
    Weather weather;
    Instant now{1s};
    std::function<bool(const Packet&)> drop;         // true: this one is lost
    std::function<Duration(const Packet&)> queueing; // what this one waits before it leaves
    std::multimap<Instant, std::pair<Packet, NetLink*>> on_the_way;
    std::map<wire::Address, NetLink*> ports;
    uint64_t sent = 0;
};

class NetLink : public wire::Link {
public:
    NetLink(Net& net, uint8_t host, uint16_t data_port) : net(net), data(address(host, data_port)) {
        net.ports[data] = this;
        port_addresses.push_back(data);
    }
    ~NetLink() override {
        for (auto& a : port_addresses)
            net.ports.erase(a);
        for (size_t nic = 1; nic < nic_count; ++nic)
            net.ports.erase(nic_address(nic));
    }
    Status send(const wire::TxTrain& train) override {
        if (refuse_sends || net.prng.chance(again)) return Status::again;
        if (train.segment_bytes > mtu && train.total_bytes > train.segment_bytes)
            return Status::too_long;
        if (train.segment_bytes > mtu && !fragments) return Status::too_long;
        std::vector<std::byte> all;
        for (const iovec& part : train.iov) {
            auto* p = static_cast<const std::byte*>(part.iov_base);
            all.insert(all.end(), p, p + part.iov_len);
        }
        ++trains;
        for (size_t at = 0; at < all.size(); at += train.segment_bytes) {
            size_t n = std::min(train.segment_bytes, all.size() - at);
            net.send(
                {{all.begin() + static_cast<long>(at), all.begin() + static_cast<long>(at + n)},
                 nic_address(train.nic).with_port(
                     static_cast<uint16_t>(train.path ? 50000 + train.path : data.port)),
                 train.to,
                 train.path,
                 train.nic},
                this);
        }
        return Status::ok;
    }
    size_t receive(std::span<wire::RxTrain> out, bool) override {
        size_t n = 0;
        handed.clear();
        for (; n < out.size() && !inbox.empty(); ++n) {
            handed.push_back(std::move(inbox.front()));
            inbox.pop_front();
            charge -= charge_bytes(handed.back().bytes.size());
        }
        for (size_t i = 0; i < n; ++i) {
            size_t nic = handed[i].to.ip[1];
            auto port =
                nic ? 0
                    : std::find(port_addresses.begin(), port_addresses.end(), handed[i].to) -
                          port_addresses.begin();
            out[i] = {handed[i].bytes.data(),          handed[i].bytes.size(),
                      handed[i].bytes.size(),          handed[i].from,
                      static_cast<wire::PortId>(port), false,
                      static_cast<uint8_t>(nic)};
        }
        return n;
    }
    void arrived(Net::Packet&& p) {
        if (charge + charge_bytes(p.bytes.size()) > buffer) {
            ++drops;
            return;
        }
        charge += charge_bytes(p.bytes.size());
        inbox.push_back(std::move(p));
    }
    bool next_refusal(wire::Address& refused) override {
        if (refusals.empty()) return false;
        refused = refusals.front();
        refusals.pop_front();
        return true;
    }
    Status open_port(wire::Address& bound, wire::PortId& id) override {
        if (net.ports.contains(bound)) return Status::address_in_use;
        net.ports[bound] = this;
        id = static_cast<wire::PortId>(port_addresses.size());
        port_addresses.push_back(bound);
        return Status::ok;
    }
    void close_port(wire::PortId id) override { net.ports.erase(port_addresses[id]); }
    wire::Address data_address() const override { return data; }
    size_t max_packet_bytes(const wire::Address&) const override { return mtu; }
    size_t nics() const override { return nic_count; }
    wire::Address nic_address(size_t nic) const override {
        return test::nic_address(data.ip[3], nic, data.port);
    }
    void add_nics(size_t count) {
        nic_count = count;
        for (size_t nic = 1; nic < count; ++nic)
            net.ports[nic_address(nic)] = this;
    }
    uint16_t paths() const override { return path_count; }
    size_t receive_buffer_bytes() const override { return buffer; }
    size_t charge_bytes(size_t packet) const override { return packet + 700; }
    uint64_t receive_drops() const override { return drops; }

    Net& net;
    wire::Address data;
    size_t mtu = 1472;
    bool fragments = true;
    bool refuse_sends = false;
    double again = 0; // of how many sends the kernel has no room for
    uint16_t path_count = 4;
    size_t nic_count = 1;
    size_t buffer = 4u << 20;
    size_t charge = 0;
    uint64_t drops = 0;
    uint64_t trains = 0;
    std::deque<Net::Packet> inbox;
    std::deque<Net::Packet> handed;
    std::deque<wire::Address> refusals;
    std::vector<wire::Address> port_addresses;
};

inline void Net::send(Packet packet, NetLink* sender) {
    ++sent;
    if (drop && drop(packet)) return;
    if (prng.chance(weather.loss)) return;
    int copies = prng.chance(weather.dup) ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
        Duration delay = weather.delay + (queueing ? queueing(packet) : Duration{});
        if (i > 0 || prng.chance(weather.reorder))
            delay += weather.delay * static_cast<int64_t>(1 + prng.below(10));
        on_the_way.emplace(now + delay, std::pair(packet, sender));
    }
}

inline void Net::deliver() {
    while (!on_the_way.empty() && on_the_way.begin()->first <= now) {
        auto [packet, sender] = std::move(on_the_way.begin()->second);
        on_the_way.erase(on_the_way.begin());
        auto it = ports.find(packet.to);
        if (it != ports.end())
            it->second->arrived(std::move(packet));
        else if (sender)
            sender->refusals.push_back(packet.to);
    }
}

// What travels in these tests: a number, a length, and so many bytes that follow from the number.
// It lies as a record of granted data does, so that what walks records can walk these.
struct TestRecord {
    wire::RecordHeader h{wire::RecordType::granted};
    uint32_t length = 0;
    wire::GrantId unused{};
    uint64_t id = 0;
};
static_assert(sizeof(TestRecord) == sizeof(wire::Granted));

class Node : public Client {
public:
    static constexpr uint16_t kEndpointPort = 4000;

    Node(Net& net, uint8_t host, Config config = {}, std::function<void(NetLink&)> setup = {})
        : net(net), host(host), link(std::make_unique<NetLink>(net, host, 3000)) {
        if (setup) setup(*link);
        wire::Address bound = address(host, kEndpointPort);
        wire::PortId id;
        (void)link->open_port(bound, id);
        bound.port = kEndpointPort + 1;
        (void)link->open_port(bound, id);
        transport = std::make_unique<Transport>(config, *link, SipKey{host, uint64_t{77} * ++born},
                                                *this, counters);
        for (size_t i = 0; i < payload.size(); ++i)
            payload[i] = std::byte(i * 7 + host);
    }

    struct Work {
        uint64_t id;
        uint32_t length;
    };
    struct Destination {
        wire::Address to;
        Context* context = nullptr;
        Peer* peer = nullptr;
        uint32_t queue_pair = 0;
        std::deque<Work> waiting;
        std::deque<Work> lazy;
    };

    Destination& to(uint8_t other, uint16_t port = kEndpointPort) {
        Destination& d = destinations[address(other, port)];
        d.to = address(other, port);
        return d;
    }
    // Sends a record of `length` bytes; returns its number.
    uint64_t send(Destination& d, uint32_t length, bool lazily = false) {
        uint64_t id = uint64_t{host} << 32 | ++numbered;
        (lazily ? d.lazy : d.waiting).push_back({id, length});
        post(d, lazily);
        return id;
    }
    void post(Destination& d, bool lazily = false) {
        if (d.peer) d.context = transport->way_to(*d.peer);
        if (!d.context) {
            d.context = transport->connect(d.to);
            if (d.context) ++connected;
        }
        if (!d.context) return;
        using_context[d.context].insert(&d);
        transport->ready(*d.context, lazily);
    }

    bool place(Context&, wire::PortId port, std::span<const std::byte> records) override {
        if (refuse_every && ++asked % refuse_every == 0) return false;
        while (!records.empty()) {
            auto r = wire::load<TestRecord>(records.data());
            records = records.subspan(sizeof r);
            auto from = static_cast<uint8_t>(r.id >> 32);
            for (uint32_t i = 0; i < r.length; ++i)
                if (records[i] != std::byte((i + r.id % 64) * 7 + from)) ++corrupted;
            records = records.subspan(r.length);
            ++delivered[r.id];
            bytes_delivered += r.length;
            if (on_delivery) on_delivery(r.id);
        }
        last_port = port;
        return true;
    }
    void train_placed() override {}
    bool has_records(const Context& c, bool flush) const override {
        const auto users = using_context.find(const_cast<Context*>(&c));
        return users != using_context.end() && std::ranges::any_of(users->second, [&](auto* d) {
                   return !d->waiting.empty() || (flush && !d->lazy.empty());
               });
    }
    bool fill(Context& c, Outgoing& packet, size_t limit, bool flush) override {
        bool any = false;
        for (Destination* d : using_context[&c]) {
            bool qp0 = d->queue_pair == 0 && c.endpoint_address().valid();
            bool company = any || flush || !d->waiting.empty();
            for (auto* queue : {&d->waiting, &d->lazy}) {
                if (queue == &d->lazy && !company) continue;
                while (!queue->empty() && add(packet, queue->front(), limit)) {
                    if (qp0) packet.to_endpoint_port = true;
                    queue->pop_front();
                    any = true;
                    if (packet.owner) return true;
                }
            }
        }
        return any;
    }
    bool add(Outgoing& packet, const Work& w, size_t limit) {
        size_t need = sizeof(TestRecord) + w.length;
        bool copied = need <= 256;
        if (packet.room(limit) < need) return false;
        if (packet.copied_bytes + (copied ? need : sizeof(TestRecord)) > kCopiedBytesMax)
            return false;
        TestRecord r;
        r.h.length = static_cast<uint16_t>(w.length);
        r.length = w.length;
        r.id = w.id;
        std::memcpy(packet.append(sizeof r), &r, sizeof r);
        const std::byte* from = payload.data() + w.id % 64;
        if (copied) {
            std::memcpy(packet.append(w.length), from, w.length);
        } else {
            auto part = std::make_unique<iovec>();
            *part = {const_cast<std::byte*>(payload.data()), payload.size()};
            packet.slice = {part.get(), 1, w.length, w.id % 64};
            packet.owner = part.get();
            owners.emplace(part.get(), std::move(part));
        }
        return true;
    }
    void slice_failed(void*) override {}
    void slice_released(void* owner) override {
        if (owners.erase(owner) != 1) ++released_wrongly;
    }
    void opened(Context& c, Peer& peer, uint32_t queue_pair) override {
        ++opens;
        for (Destination* d : using_context[&c]) {
            d->peer = &peer;
            d->queue_pair = queue_pair;
        }
    }
    void ended(Context& c, Status why) override {
        ends.push_back(why);
        auto users = using_context[&c];
        using_context.erase(&c);
        for (Destination* d : users) {
            d->context = nullptr;
            if (why == Status::ok && (!d->waiting.empty() || !d->lazy.empty())) moved.insert(d);
            if (why != Status::ok) {
                d->peer = nullptr;
                d->queue_pair = 0;
            }
        }
    }
    void evicted(Context& c) override {
        for (Destination* d : using_context[&c])
            d->context = nullptr;
        using_context.erase(&c);
    }
    bool knows(const wire::Address&) const override { return knows_all; }
    uint32_t queue_pair_of(wire::PortId port) const override {
        return port == wire::kDataPort ? 0 : 100 + port;
    }

    void pass() {
        if (paused || !transport) return;
        while (transport->receive(net.now, true) > 0) {
        }
        transport->tick(net.now);
        for (Destination* d : std::exchange(moved, {}))
            post(*d);
        transport->transmit(net.now);
    }
    uint64_t count(obs::Counter c) const { return counters.get(c); }

    Net& net;
    uint8_t host;
    std::unique_ptr<NetLink> link;
    obs::Counters counters;
    std::vector<std::byte> payload = std::vector<std::byte>(128 * 1024);
    std::unique_ptr<Transport> transport;
    std::map<wire::Address, Destination> destinations;
    std::map<Context*, std::set<Destination*>> using_context;
    std::set<Destination*> moved;
    std::map<void*, std::unique_ptr<iovec>> owners;
    std::map<uint64_t, int> delivered;
    std::vector<Status> ends;
    std::function<void(uint64_t)> on_delivery;
    uint64_t bytes_delivered = 0;
    uint64_t corrupted = 0;
    uint64_t released_wrongly = 0;
    uint64_t numbered = 0;
    unsigned asked = 0;
    unsigned refuse_every = 0;
    unsigned opens = 0;
    unsigned connected = 0;
    bool knows_all = true;
    bool paused = false;
    wire::PortId last_port = 0;
    static inline uint64_t born = 0;
};

// Runs the nodes until `done`, or until `limit` of virtual time has gone by: false.
inline bool run(Net& net, std::vector<Node*> nodes, const std::function<bool()>& done,
                Duration limit = 60s) {
    Instant end = net.now + limit;
    while (!done()) {
        net.deliver();
        for (Node* n : nodes)
            n->pass();
        if (done()) return true;
        Instant next = net.next();
        for (Node* n : nodes)
            if (!n->paused && n->transport) next = std::min(next, n->transport->next_deadline());
        if (next > end) {
            net.now = end;
            return false;
        }
        net.now = std::max(next, net.now + 1us);
    }
    return true;
}

// What `to` was given of what `from` sent is complete, and nothing of it twice.
inline bool exactly_once(const Node& from, const Node& to) {
    uint64_t seen = 0;
    for (auto& [id, times] : to.delivered) {
        if (id >> 32 != from.host) continue;
        if (times != 1) return false;
        ++seen;
    }
    return seen == from.numbered && to.corrupted == 0 && from.released_wrongly == 0;
}

} // namespace rill::test
