// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/transport.hpp"

#include <algorithm>

// Which ways there are to a peer, and which of them work.

namespace rill::transport {
namespace {
constexpr Duration kAnnounceFirst = std::chrono::milliseconds(20);
constexpr Duration kAnnounceMax = std::chrono::seconds(1);
} // namespace

using obs::Counter;

// Several addresses here: the peer is told of them. What stays on the host needs no more than one
// way, and has memory.
void Transport::look_for_ways(Context& context, Instant now) {
    allow_search(context, now);
    if (link_.nics() == 1 || !context.knows_addresses_ || is_local(context.data_)) return;
    make_ways(context);
    context.ways_->announce_at = now;
    context.ways_->announce_after = kAnnounceFirst;
    lay_paths(context, now);
}

bool Transport::is_local(const wire::Address& address) const {
    for (size_t nic = 0; nic < link_.nics(); ++nic)
        if (address.same_host(link_.nic_address(nic))) return true;
    return false;
}

void Transport::make_ways(Context& context) {
    if (context.ways_) return;
    context.path(static_cast<uint16_t>(context.path_limit_ - 1));
    context.ways_ = std::make_unique<Ways>();
    context.ways_->remotes.push_back(context.data_);
    context.choose_usable();
}

size_t Transport::add_addresses(std::byte* at) const {
    wire::AddressBlock block;
    block.count = static_cast<uint8_t>(std::min(link_.nics(), wire::kAddressesMax));
    std::byte* end = wire::store(at, block);
    for (size_t nic = 0; nic < block.count; ++nic)
        end = wire::store(end, wire::to_path_address(link_.nic_address(nic)));
    return static_cast<size_t>(end - at);
}

void Transport::announce(Context& context, Instant now) {
    Ways& ways = *context.ways_;
    ways.announce_at = now + ways.announce_after;
    ways.announce_after = std::min(2 * ways.announce_after, kAnnounceMax);
    send_control(context, wire::PacketType::control, wire::kAckNow | wire::kHasAddresses, now);
}

// An acknowledgement says how many the peer knows: fewer than it did when it has evicted the context.
void Transport::addresses_known(Context& context, uint8_t count, Instant now) {
    Ways& ways = *context.ways_;
    if (link_.nics() == 1 || !context.knows_addresses_) return;
    if (count >= link_.nics()) {
        ways.announce_at = kNever;
    } else if (ways.announce_at == kNever) {
        ways.announce_at = now;
        ways.announce_after = kAnnounceFirst;
    }
}

// The list stays as it is while the peer lives, so only the first copy counts. The peer's first
// address is where its packets came from when the context opened, whatever it calls it itself.
void Transport::receive_addresses(Context& context, std::span<const std::byte> list, Instant now) {
    if (!context.peer_ || is_local(context.data_) || (context.ways_ && context.ways_->heard))
        return;
    make_ways(context);
    Ways& ways = *context.ways_;
    ways.heard = true;
    for (size_t at = sizeof(wire::PathAddress); at < list.size(); at += sizeof(wire::PathAddress)) {
        auto address = wire::from_path_address(wire::load<wire::PathAddress>(list.data() + at));
        if (!address.valid() || address.port == 0 || address.same_host(context.data_)) continue;
        ways.remotes.push_back(address);
        add_address(context, address);
    }
    ways.heard_count = static_cast<uint8_t>(list.size() / sizeof(wire::PathAddress));
    lay_paths(context, now);
}

// Paths keep their numbers, which both sides count by; new ones follow.
void Transport::lay_paths(Context& context, Instant now) {
    Ways& ways = *context.ways_;
    std::vector<Path::Way> spare;
    uint32_t nics = 0;
    uint32_t remotes = 0;
    const uint16_t entropies = path_limit();
    const size_t here = std::min(link_.nics(), wire::kAddressesMax);
    const size_t there = ways.remotes.size();
    // Each of ours with one of theirs first, then with their next.
    for (size_t shift = 0; shift < there; ++shift) {
        for (size_t nic = 0; nic < std::max(here, there); ++nic) {
            const Path::Way way{static_cast<uint8_t>(nic % here),
                                static_cast<uint8_t>((nic + shift) % there), 0};
            if (has_path(context, way)) continue;
            const bool covered = (nics >> way.nic & 1) && (remotes >> way.remote & 1);
            if (!add_path(context, way, now)) continue;
            if (covered) continue;
            nics |= 1u << way.nic;
            remotes |= 1u << way.remote;
            spare.push_back(way);
        }
    }
    for (uint16_t entropy = 1; entropy < entropies; ++entropy)
        for (Path::Way way : spare) {
            way.entropy = entropy;
            if (!has_path(context, way)) add_path(context, way, now);
        }
    context.choose_usable();
    arm(context);
}

bool Transport::has_path(const Context& context, const Path::Way& way) const {
    return std::any_of(context.paths_.begin(), context.paths_.end(), [&](auto& path) {
        return path->way.nic == way.nic && path->way.remote == way.remote &&
               path->way.entropy == way.entropy;
    });
}

// false: there is no such way, or there are enough.
bool Transport::add_path(Context& context, const Path::Way& way, Instant now) {
    if (context.paths_.size() >= kPathsMax) return false;
    size_t bytes = link_.packet_bytes_from(way.nic, context.ways_->remotes[way.remote]);
    if (bytes == 0) return false;
    if (config_.max_packet) bytes = std::min<size_t>(bytes, config_.max_packet);
    bytes = std::clamp<size_t>(bytes, kPacketMin, wire::kTrainBytesMax);
    auto path = std::make_unique<Path>(way, context.packet_bytes_);
    path->packet_bytes = static_cast<uint32_t>(bytes);
    path->health.suspect(now);
    context.add(std::move(path));
    return true;
}

// ---- health ---------------------------------------------------------------------------------

// It swallowed packets that others would have carried, or cannot be sent on.
void Transport::suspect(Context& context, Path& path, Instant now) {
    if (context.path_limit_ == 1 || !path.health.up()) return;
    const bool others = std::ranges::any_of(
        context.paths_, [&](auto& other) { return other.get() != &path && other->health.up(); });
    if (!others) return;
    path.health.suspect(now);
    path.blame(Blame::timeout, now);
    counters_.add(Counter::paths_suspected);
    context.choose_usable();
}

void Transport::probe_paths(Context& context, Instant now) {
    for (uint16_t number = 0; number < context.paths_.size(); ++number) {
        Path& path = *context.paths_[number];
        if (path.health.next_probe() > now) continue;
        if (path.health.trial_failed()) {
            path.health.rest();
            continue;
        }
        const uint16_t seq = path.next_seq();
        send_control(context, wire::PacketType::control, wire::kAckNow, now, {}, number);
        if (!path.health.probing(seq, now)) continue;
        counters_.add(Counter::paths_down);
        while (Outgoing* packet = path.in_flight.front())
            lose(context, *packet);
    }
}

// The kernel does not send that way: back to the peer by another.
bool Transport::leave_reply_path(Context& context, Instant now) {
    if (!context.ways_) return false;
    suspect(context, context.path(context.control_path()), now);
    for (uint16_t number : context.ways_->usable) {
        if (number == context.ways_->reply) continue;
        context.ways_->reply = number;
        return true;
    }
    return false;
}

// Silence: the answer comes by whichever pair of addresses still works, and shows which does not.
void Transport::ask_all_paths(Context& context, Instant now) {
    if (!context.ways_ || context.path_limit_ == 1 || !knows_peer(context.state_)) return;
    for (uint16_t number = 0; number < context.paths_.size(); ++number)
        if (context.paths_[number]->way.entropy == 0 && context.paths_[number]->health.up())
            send_control(context, wire::PacketType::control, wire::kAckNow, now, {}, number);
}

void Transport::path_answered(Context& context, Path& path, uint16_t seq, Instant now) {
    const bool trial = path.health.state() == PathHealth::State::trial;
    if (trial && path.health.is_answer(seq) && !context.avoids_queue(path))
        return path.health.rest();
    if (!path.health.answered(seq, now)) return;
    counters_.add(trial ? Counter::routes_found : Counter::paths_up);
    if (trial) context.ways_->search_after = {};
    if (path.packet_bytes && path.packet_bytes < context.packet_bytes_)
        set_packet_bytes(context, path.packet_bytes);
    context.choose_usable();
    if (context.blocked_) make_ready(context);
}

void Transport::set_packet_bytes(Context& context, size_t bytes) {
    context.packet_bytes_ = static_cast<uint32_t>(bytes);
    for (auto& path : context.paths_)
        path->window.set_packet_bytes(bytes);
}

} // namespace rill::transport
