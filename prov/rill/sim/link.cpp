// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The kernel's part of the simulated network.
#include "sim/network.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace rill::sim {
namespace {

constexpr uint16_t kDataPortNumber = 30000;
// What the kernel holds for sending before it answers EAGAIN.
constexpr Duration kSendBacklogMax = std::chrono::milliseconds(2);
constexpr size_t kRefusalsKept = 64;

wire::Address address_of(uint32_t host, uint16_t port, size_t nic = 0) {
    wire::Address a;
    a.family = wire::Family::ip4;
    a.ip = {10, static_cast<uint8_t>(nic), 0, static_cast<uint8_t>(host)};
    a.port = port;
    return a;
}

} // namespace

SimLink::SimLink(Network& network, uint32_t host, const HostProfile& profile, uint64_t seed)
    : network_(network), host_(host), profile_(profile), random_(seed), lines_(profile.nics) {
    ports_.emplace_back();
    ports_[wire::kDataPort].address = address_of(host, kDataPortNumber);
    for (size_t nic = 1; nic < lines_.size(); ++nic)
        lines_[nic].port.address = nic_address(nic);
}

wire::Address SimLink::nic_address(size_t nic) const {
    return address_of(host_, kDataPortNumber, nic);
}

void SimLink::heal() {
    for (Line& line : lines_)
        line.cut_until = line.deaf_until = line.slow_until = {};
}

// What no implementation of the interface need accept.
bool SimLink::train_is_sound(const wire::TxTrain& t) const {
    size_t bytes = 0;
    for (const iovec& v : t.iov)
        bytes += v.iov_len;
    const size_t packets =
        t.segment_bytes ? (t.total_bytes + t.segment_bytes - 1) / t.segment_bytes : 0;
    return t.to.valid() && t.to.port != 0 && t.path < paths() && t.nic < nics() &&
           bytes == t.total_bytes && bytes > 0 && packets > 0 &&
           packets <= wire::kTrainPacketsMax && bytes <= wire::kTrainBytesMax &&
           t.iov.size() <= wire::kTrainIovMax;
}

Status SimLink::send(const wire::TxTrain& train) {
    Journal& journal = network_.journal_;
    if (!train_is_sound(train))
        journal.fail("host %u sends a train that breaks the rules: %zu bytes in segments of %zu, "
                     "%zu pieces, path %u",
                     host_, train.total_bytes, train.segment_bytes, train.iov.size(), train.path);
    if (power_ != Power::up) journal.fail("host %u sends, but it is gone", host_);
    const size_t fits = max_packet_bytes(train.to);
    if (train.segment_bytes > fits && train.total_bytes > train.segment_bytes)
        return Status::too_long;
    const Instant now = network_.events_.now();
    const double again = network_.profile_.again;
    Line& line = lines_[train.nic];
    if (line.free - now > kSendBacklogMax || (again > 0 && random_.chance(again))) {
        ++network_.counts_.again;
        return Status::again;
    }
    const double slower = now < line.slow_until ? 10 : 1;
    const double us =
        slower * static_cast<double>(train.total_bytes) / network_.profile_.bytes_per_us;
    line.free = std::max(line.free, now) + Duration(static_cast<int64_t>(us * 1000));
    if (const double broken = network_.profile_.broken; broken > 0 && random_.chance(broken)) {
        // The packets before the one that failed are on their way.
        wire::TxTrain part = train;
        part.total_bytes =
            random_.below(train.total_bytes / train.segment_bytes + 1) * train.segment_bytes;
        ++network_.counts_.broken;
        network_.transmit(*this, part, fits, line.free);
        return Status::io_error;
    }
    network_.transmit(*this, train, fits, line.free);
    return Status::ok;
}

size_t SimLink::max_packet_bytes(const wire::Address& to) const {
    SimLink* target = network_.link_of(to);
    return target ? std::min(profile_.packet_bytes, target->profile_.packet_bytes)
                  : profile_.packet_bytes;
}

uint16_t SimLink::paths() const {
    return network_.profile_.paths;
}

// Near what Linux charges: the slab that holds the bytes, and the packet's descriptor.
size_t SimLink::charge_bytes(size_t packet_bytes) const {
    return 576 + std::bit_ceil(packet_bytes + 128);
}

size_t SimLink::kernel_charge(size_t packet_bytes) const {
    return static_cast<size_t>(static_cast<double>(charge_bytes(packet_bytes)) *
                               profile_.charge_factor);
}

SimLink::Port* SimLink::port_at(const wire::Address& address) {
    const size_t nic = address.ip[1];
    if (nic == 0) return port_at(address.port);
    Port& port = lines_[nic].port;
    return power_ == Power::up && port.address == address ? &port : nullptr;
}

SimLink::Port* SimLink::port_at(uint16_t number) {
    if (power_ != Power::up) return nullptr;
    for (Port& p : ports_)
        if (p.address.valid() && p.address.port == number) return &p;
    return nullptr;
}

Status SimLink::open_port(wire::Address& bound, wire::PortId& id) {
    if (bound.port != 0 && port_at(bound.port)) return Status::address_in_use;
    const uint16_t number = bound.port ? bound.port : next_port_++;
    id = 1;
    while (id < ports_.size() && ports_[id].address.valid())
        ++id;
    if (id == ports_.size()) ports_.emplace_back();
    bound = address_of(host_, number);
    ports_[id].address = bound;
    return Status::ok;
}

void SimLink::drop_queue(Port& port) {
    for (uint32_t packet : port.queue)
        network_.free_slot(packet);
    port.queue.clear();
    port.charged = 0;
}

void SimLink::close_port(wire::PortId id) {
    drop_queue(ports_[id]);
    ports_[id].address = {};
}

void SimLink::shrink_packets() {
    profile_.packet_bytes = std::max<size_t>(profile_.packet_bytes / 2, 576);
}

void SimLink::set_power(Power power) {
    power_ = power;
    if (power == Power::up) return;
    for (Port& p : ports_)
        drop_queue(p);
    for (Line& line : lines_)
        drop_queue(line.port);
}

// As Linux does: what is already there must be below the limit, the new packet may exceed it.
void SimLink::arrive(Port& port, uint32_t packet) {
    if (port.charged > profile_.receive_buffer) {
        ++drops_;
        ++network_.counts_.overflowed;
        network_.free_slot(packet);
        return;
    }
    ++network_.counts_.delivered;
    port.charged += kernel_charge(network_.packets_[packet].bytes.size());
    port.queue.push_back(packet);
    if (handler_) handler_->fire(argument_);
}

void SimLink::refuse(const wire::Address& address) {
    if (power_ != Power::up || refusals_.size() >= kRefusalsKept) return;
    if (std::ranges::find(refusals_, address) != refusals_.end()) return;
    refusals_.push_back(address);
    if (handler_) handler_->fire(argument_);
}

bool SimLink::next_refusal(wire::Address& refused) {
    if (refusals_.empty()) return false;
    refused = refusals_.front();
    refusals_.pop_front();
    return true;
}

bool SimLink::waiting() const {
    return !refusals_.empty() || !ports_[wire::kDataPort].queue.empty() || waiting_elsewhere() ||
           std::ranges::any_of(lines_, [](const Line& l) { return !l.port.queue.empty(); });
}

bool SimLink::waiting_elsewhere() const {
    return std::any_of(ports_.begin() + 1, ports_.end(),
                       [](const Port& p) { return !p.queue.empty(); });
}

// The longest run of packets that generic receive offload could have joined: one sender, one size,
// a shorter one ends it.
void SimLink::take_run(Port& port, wire::RxTrain& out) {
    Network& net = network_;
    const Network::Packet& first = net.packets_[port.queue.front()];
    const size_t segment = first.bytes.size();
    std::vector<uint32_t> run;
    size_t total = 0;
    out = {};
    out.segment_bytes = segment;
    out.from = first.from;
    out.nic = port.address.ip[1];
    out.congestion_marked = first.marked;
    while (!port.queue.empty() && run.size() < wire::kTrainPacketsMax) {
        const Network::Packet& p = net.packets_[port.queue.front()];
        const size_t bytes = p.bytes.size();
        if (p.from != out.from || p.marked != out.congestion_marked || bytes > segment ||
            (!run.empty() && (bytes == 0 || total + bytes > wire::kTrainBytesMax)))
            break;
        run.push_back(port.queue.front());
        port.queue.pop_front();
        port.charged -= kernel_charge(bytes);
        total += bytes;
        if (bytes < segment || bytes == 0 || random_.chance(net.profile_.split)) break;
    }
    received_.push_back(std::make_unique_for_overwrite<std::byte[]>(total));
    std::byte* at = received_.back().get();
    out.data = at;
    out.total_bytes = total;
    for (uint32_t packet : run) {
        const std::vector<std::byte>& bytes = net.packets_[packet].bytes;
        if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
        at += bytes.size();
        net.free_slot(packet);
    }
}

size_t SimLink::receive(std::span<wire::RxTrain> out, bool poll_all) {
    received_.clear();
    size_t n = 0;
    const size_t ports = poll_all ? ports_.size() : 1;
    for (wire::PortId id = 0; id < ports; ++id)
        while (n < out.size() && !ports_[id].queue.empty()) {
            take_run(ports_[id], out[n]);
            out[n++].port = id;
        }
    for (Line& line : lines_)
        while (n < out.size() && !line.port.queue.empty())
            take_run(line.port, out[n++]);
    return n;
}

} // namespace rill::sim
