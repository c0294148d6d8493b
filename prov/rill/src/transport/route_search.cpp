// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/transport.hpp"

#include <algorithm>

// Further routes between two addresses. Routers choose one of several equal ones by a hash over
// addresses and ports (RFC 2992), so another source port may lead by another route; which ports do
// cannot be told but by trying. While bulk data waits behind a queue, a port is asked by probes, and
// used if it answers sooner than the ports in use, for then it does not lead into their queue. Where
// there is one route only, none ever does. When a time-out says that the route in use may be dead, whoever
// answers at all is used.

namespace rill::transport {
namespace {
// Ports of one pair of addresses in use: a train for each is a megabyte.
constexpr size_t kPortsMax = 16;
constexpr size_t kTrialsMax = 4; // at a time
constexpr Duration kSearchFirst = std::chrono::microseconds(500);
constexpr Duration kSearchMax = std::chrono::seconds(1);
// A round trip longer than that over the shortest is a queue, not the processor's doing.
constexpr Duration kQueue = std::chrono::microseconds(50);

bool is_pair(const Path::Way& a, const Path::Way& b) {
    return a.nic == b.nic && a.remote == b.remote;
}
} // namespace

uint16_t Transport::port_limit() const {
    return std::min({config_.paths_max, link_.paths(), kPathsMax});
}

// What stays on the host meets no routers.
void Transport::allow_search(Context& context, Instant now) {
    if (port_limit() > context.path_limit_ && !is_local(context.data_)) context.search_at_ = now;
}

Context::PairLoad Context::load(const Path::Way& pair) const {
    PairLoad load;
    for (auto& path : paths_) {
        if (!is_pair(path->way, pair)) continue;
        load.on_trial |= path->health.state() == PathHealth::State::trial;
        if (!path->health.up() || !path->rtt.valid()) continue;
        ++load.ports;
        load.now = std::min({load.now, path->rtt.srtt(), path->rtt.latest()});
        load.empty = std::min(load.empty, path->rtt.min_rtt());
    }
    return load;
}

bool Context::avoids_queue(const Path& path) const {
    if (backoff_ > 0) return true;
    const PairLoad others = load(path.way);
    return path.rtt.latest() < others.now - others.now / 4 &&
           path.rtt.latest() + kQueue / 2 < others.now;
}

// Data waits, or a time-out says that the route in use may be dead. For want of time-outs at most once per round trip, and ever more rarely while nothing comes of it.
void Transport::look_for_routes(Context& context, Instant now) {
    make_ways(context);
    size_t tried = 0;
    for (uint16_t first = 0; first < context.paths_.size(); ++first)
        if (context.paths_[first]->way.entropy == 0) tried += try_ports(context, first, now);
    Ways& ways = *context.ways_;
    if (tried > 0) ways.search_after = std::min(2 * ways.search_after, kSearchMax);
    ways.search_after = std::max({ways.search_after, kSearchFirst, context.rtt_.srtt()});
    context.search_at_ = now + ways.search_after;
}

// As many as are in use, so that their number doubles at most; of silent ones, more. Returns how many are asked.
size_t Transport::try_ports(Context& context, uint16_t first, Instant now) {
    const Path::Way pair = context.paths_[first]->way;
    const Context::PairLoad load = context.load(pair);
    if (load.on_trial) return 0;
    const bool silent = context.backoff_ > 0;
    if (!silent && (load.ports == 0 || load.now < 2 * load.empty + kQueue)) return 0;
    const size_t most = std::min<size_t>(kPortsMax, port_limit());
    const size_t wanted =
        std::min({silent ? kTrialsMax : load.ports, kTrialsMax, most - std::min(most, load.ports)});
    for (size_t i = 0; i < wanted; ++i) {
        Path* path = spare_path(context, pair);
        if (!path) return i;
        path->health.try_out(now);
    }
    return wanted;
}

// A path of the pair by the next port that is not in use; null: there is none, or no more paths.
Path* Transport::spare_path(Context& context, const Path::Way& pair) {
    Ways& ways = *context.ways_;
    Path::Way way = pair;
    const uint16_t ports = port_limit() - 1u;
    const auto in_use = [&](auto& path) {
        return path->health.state() != PathHealth::State::resting && is_pair(path->way, way) &&
               path->way.entropy == way.entropy;
    };
    for (uint16_t looked = 0; looked <= ports; ++looked) {
        if (looked == ports) return nullptr;
        way.entropy = ways.next_port;
        ways.next_port = static_cast<uint16_t>(ways.next_port % ports + 1);
        if (std::ranges::none_of(context.paths_, in_use)) break;
    }
    for (auto& path : context.paths_) {
        if (!is_pair(path->way, pair) || path->health.state() != PathHealth::State::resting)
            continue;
        path->reroute(way.entropy, context.packet_bytes_);
        return path.get();
    }
    if (context.paths_.size() >= kPathsMax) return nullptr;
    auto path = std::make_unique<Path>(way, context.packet_bytes_);
    for (auto& other : context.paths_)
        if (is_pair(other->way, pair)) path->packet_bytes = other->packet_bytes;
    context.paths_.push_back(std::move(path));
    return context.paths_.back().get();
}

// The peer asks about what we have acknowledged: the route that acknowledgements take may be dead.
void Transport::turn_ack_port(Context& context) {
    if (context.search_at_ == kNever) return;
    make_ways(context);
    Ways& ways = *context.ways_;
    ways.ack_port = static_cast<uint16_t>((ways.ack_port + 1u) % port_limit());
}

// The answer to a probe goes by the port with its path's number, so that whoever looks for a route
// that works tries the ways back as well.
void Transport::answer_by_port(Context& context, uint16_t path) {
    if (context.search_at_ == kNever || path == 0) return;
    make_ways(context);
    context.ways_->answer_port = path % port_limit();
}

// An idle context has what it began with; the next bulk data may meet other traffic.
void Transport::rest_ports(Context& context) {
    if (!context.ways_ || context.search_at_ == kNever) return;
    for (auto& path : context.paths_)
        if (path->way.entropy >= path_limit()) path->health.rest();
    context.ways_->search_after = {};
    context.path_ = 0;
    context.choose_usable();
}

} // namespace rill::transport
