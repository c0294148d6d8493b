// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/network.hpp"

#include "wire/packet.hpp"

#include <algorithm>

namespace rill::sim {
namespace {

// Sources of the paths beside the first: sockets that only send.
constexpr uint16_t kEntropyPorts = 40000;
// A kernel stops sending ICMP errors to one host after a few and a while.
constexpr double kRefusalsAnswered = 0.9;
// Packets that may come again. One in kRemembered is among them, so that they reach back a while.
constexpr size_t kPastPackets = 256;
constexpr uint64_t kRemembered = 8;

} // namespace

Network::Network(EventQueue& events, Journal& journal, const Profile& profile)
    : events_(events), journal_(journal), original_(profile.network), profile_(profile.network),
      random_(profile.seed ^ 0x6e6574776f726bull) {
    const size_t hosts = profile.hosts.size();
    for (uint32_t i = 0; i < hosts; ++i)
        links_.push_back(std::make_unique<SimLink>(*this, i, profile.hosts[i], random_.next()));
    silent_until_.resize(hosts * hosts * kSimNicsMax * original_.paths);
    for (size_t i = 0; i < silent_until_.size(); ++i)
        base_delay_.push_back(std::chrono::nanoseconds(
            500 + random_.below(static_cast<uint64_t>(original_.delay_max.count()))));
    contact_.resize(hosts * hosts);
}

void Network::heal() {
    NetworkProfile healed;
    healed.paths = original_.paths;
    healed.delay_max = original_.delay_max;
    healed.jitter = original_.jitter;
    healed.bytes_per_us = original_.bytes_per_us;
    healed.split = original_.split;
    healed.joined = original_.joined;
    profile_ = healed;
    std::ranges::fill(silent_until_, Instant{});
    for (auto& link : links_)
        link->heal();
}

bool Network::in_contact(uint32_t a, uint32_t b) const {
    return contact_[a * links_.size() + b] || contact_[b * links_.size() + a];
}

SimLink* Network::link_of(const wire::Address& address) {
    const size_t host = address.ip[3];
    if (host >= links_.size()) return nullptr;
    SimLink& link = *links_[host];
    const size_t nic = address.ip[1];
    return nic < link.nics() && address.same_host(link.nic_address(nic)) ? &link : nullptr;
}

uint32_t Network::take_slot(Packet packet) {
    if (free_.empty()) {
        packets_.push_back(std::move(packet));
        return static_cast<uint32_t>(packets_.size() - 1);
    }
    const uint32_t slot = free_.back();
    free_.pop_back();
    packets_[slot] = std::move(packet);
    return slot;
}

void Network::free_slot(uint32_t slot) {
    packets_[slot].bytes = {};
    free_.push_back(slot);
}

void Network::transmit(SimLink& from, const wire::TxTrain& train, size_t fragment, Instant leaves) {
    size_t entry = 0, used = 0;
    for (size_t left = train.total_bytes; left > 0;) {
        const size_t bytes = std::min(left, train.segment_bytes);
        std::vector<std::byte> packet;
        packet.reserve(bytes);
        while (packet.size() < bytes) {
            const iovec& v = train.iov[entry];
            const size_t n = std::min(v.iov_len - used, bytes - packet.size());
            const auto* base = static_cast<const std::byte*>(v.iov_base) + used;
            packet.insert(packet.end(), base, base + n);
            used += n;
            if (used == v.iov_len) {
                ++entry;
                used = 0;
            }
        }
        const size_t fragments = (bytes + fragment - 1) / fragment;
        transmit_packet({from, train.path, train.nic}, std::move(packet), train.to, fragments,
                        leaves);
        left -= bytes;
    }
}

// A line for the journal: what a packet is.
void Network::tell(const char* what, uint32_t from, uint16_t path, const wire::Address& to,
                   std::span<const std::byte> bytes) {
    if (!journal_.verbose()) return;
    wire::PacketView v;
    if (wire::parse(bytes, v) != wire::ParseError::none)
        return journal_.note("%s %u to %u: no packet, %zu bytes", what, from, to.ip[3],
                             bytes.size());
    std::string records;
    wire::RecordReader reader(v.records);
    wire::RecordView r;
    static constexpr const char* names[] = {"",      "message", "fragment", "granted",
                                            "grant", "done",    "abort",    "write",
                                            "read",  "atomic",  "answer"};
    while (reader.next(r))
        records += std::string(" ") + names[static_cast<size_t>(r.type)] + '(' +
                   std::to_string(r.payload.size()) + ')';
    journal_.note("%s %u to %u:%u path %u seq %u: type %u flags %x context %x psn %x ack %x%s, %zu "
                  "bytes",
                  what, from, to.ip[3], to.port, path, v.header.path_seq,
                  static_cast<unsigned>(v.header.type), v.header.flags, v.header.context,
                  v.header.psn, v.header.cumulative_ack, records.c_str(), bytes.size());
}

Duration Network::delay(size_t lane) {
    const auto jitter = static_cast<uint64_t>(profile_.jitter.count()) + 1;
    return base_delay_[lane] + Duration(random_.below(jitter));
}

// Loss, alone or as part of a burst that a path suffers. Of fragments none may be lost.
bool Network::swallowed(size_t lane, size_t fragments, Instant leaves) {
    Instant& silent = silent_until_[lane];
    if (profile_.burst > 0 && leaves >= silent && random_.chance(profile_.burst))
        silent =
            leaves + Duration(random_.below(static_cast<uint64_t>(profile_.burst_max.count())));
    if (leaves < silent) {
        ++counts_.lost_in_bursts;
        return true;
    }
    for (size_t i = 0; i < fragments && profile_.loss > 0; ++i) {
        if (!random_.chance(profile_.loss)) continue;
        ++counts_.lost;
        return true;
    }
    if (profile_.corrupt > 0 && random_.chance(profile_.corrupt)) {
        ++counts_.corrupted;
        return true;
    }
    if (profile_.truncate > 0 && random_.chance(profile_.truncate)) {
        ++counts_.truncated;
        return true;
    }
    return false;
}

// The link at either end, or that there is no way from the one to the other.
bool Network::cut(const Exit& from, const wire::Address& to, Instant leaves) {
    const SimLink::Line& mine = from.link.lines_[from.nic];
    const SimLink::Line& theirs = links_[to.ip[3]]->lines_[to.ip[1]];
    return leaves < std::max({mine.cut_until, mine.deaf_until, theirs.cut_until}) ||
           (!original_.joined && from.nic != to.ip[1]);
}

void Network::transmit_packet(const Exit& exit, std::vector<std::byte> bytes,
                              const wire::Address& to, size_t fragments, Instant leaves) {
    const SimLink& from = exit.link;
    const uint16_t path = exit.path;
    ++counts_.sent;
    journal_.mix(bytes.size() << 16 ^ from.host() << 8 ^ to.ip[3]);
    journal_.mix(static_cast<uint64_t>(leaves.time_since_epoch().count()));
    SimLink* target = link_of(to);
    if (!target) {
        ++counts_.unheard;
        return;
    }
    if (profile_.garbage > 0 && random_.chance(profile_.garbage)) send_garbage(to, bytes, leaves);
    if (cut(exit, to, leaves)) {
        ++counts_.cut;
        return tell("cut", from.host(), path, to, bytes);
    }
    const size_t way = lane(from.host(), target->host(), exit.nic, path);
    const bool lost = swallowed(way, fragments, leaves);
    tell(lost ? "lost" : "packet", from.host(), path, to, bytes);
    if (lost) return;
    Packet packet;
    packet.bytes = std::move(bytes);
    packet.from = from.nic_address(exit.nic);
    if (path > 0) packet.from.port = static_cast<uint16_t>(kEntropyPorts + path);
    packet.to = to;
    packet.sender = from.host();
    packet.marked = profile_.mark > 0 && random_.chance(profile_.mark);
    Instant when = leaves + delay(way);
    if (profile_.replay > 0) {
        remember(packet);
        if (random_.chance(profile_.replay)) replay(when);
    }
    if (profile_.duplicate > 0 && random_.chance(profile_.duplicate)) {
        ++counts_.duplicated;
        const auto later = static_cast<uint64_t>(profile_.reorder_max.count()) + 1;
        deliver_at(when + Duration(random_.below(later)), packet);
    }
    if (profile_.reorder > 0 && random_.chance(profile_.reorder)) {
        ++counts_.reordered;
        when += Duration(random_.below(static_cast<uint64_t>(profile_.reorder_max.count()) + 1));
    }
    deliver_at(when, std::move(packet));
}

void Network::remember(const Packet& packet) {
    if (random_.below(kRemembered) != 0) return;
    if (past_.size() < kPastPackets)
        past_.push_back(packet);
    else
        past_[next_past_++ % kPastPackets] = packet;
}

// Whatever has become of its context, and of its sender, since.
void Network::replay(Instant when) {
    if (past_.empty()) return;
    ++counts_.replayed;
    deliver_at(when, past_[random_.below(past_.size())]);
}

// A datagram with a good checksum that nobody of ours has sent: noise, or a real packet with some of
// its header gone wrong. It comes from outside, so it cannot know a context's token.
void Network::send_garbage(const wire::Address& to, std::span<const std::byte> model,
                           Instant when) {
    ++counts_.garbage;
    Packet packet;
    packet.from = to;
    packet.from.ip[2] = 99;
    packet.to = to;
    if (random_.chance(0.5)) {
        packet.bytes.resize(random_.below(200));
        for (std::byte& b : packet.bytes)
            b = static_cast<std::byte>(random_.next());
    } else {
        packet.bytes.assign(model.begin(), model.begin() + random_.below(model.size() + 1));
        for (size_t i = 4; i < std::min<size_t>(packet.bytes.size(), 32); ++i)
            packet.bytes[i] = static_cast<std::byte>(random_.next());
    }
    packet.sender = UINT32_MAX;
    deliver_at(when, std::move(packet));
}

void Network::deliver_at(Instant when, Packet packet) {
    events_.at(when, *this, take_slot(std::move(packet)));
}

void Network::fire(uint64_t argument) {
    deliver(static_cast<uint32_t>(argument));
}

void Network::deliver(uint32_t slot) {
    Packet& p = packets_[slot];
    if (p.refusal) {
        links_[p.sender]->refuse(p.to);
        free_slot(slot);
        return;
    }
    SimLink& target = *link_of(p.to);
    const bool entropy = p.to.port > kEntropyPorts;
    if (target.power_ == SimLink::Power::off || entropy) {
        ++counts_.unheard;
        free_slot(slot);
        return;
    }
    if (SimLink::Port* port = target.port_at(p.to)) {
        if (p.sender != UINT32_MAX) contact_[p.sender * links_.size() + target.host()] = true;
        target.arrive(*port, slot);
        return;
    }
    ++counts_.refused;
    if (p.sender == UINT32_MAX || random_.chance(profile_.icmp_loss) ||
        !random_.chance(kRefusalsAnswered)) {
        free_slot(slot);
        return;
    }
    p.refusal = true;
    p.bytes = {};
    events_.at(events_.now() + delay(lane(target.host(), p.sender, 0, 0)), *this, slot);
}

} // namespace rill::sim
