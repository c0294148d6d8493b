// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/profile.hpp"

#include "util/prng.hpp"

#include <algorithm>
#include <cstdio>
#include <initializer_list>
#include <string>

namespace rill::sim {
namespace {

constexpr Duration kForGood = std::chrono::hours(1);

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

template <class T>
T pick(Prng& r, std::initializer_list<T> values) {
    return values.begin()[r.below(values.size())];
}

Duration up_to(Prng& r, Duration most) {
    return Duration(static_cast<int64_t>(r.unit() * static_cast<double>(most.count())));
}

// Time stamps on the wire wrap after 2^32 microseconds: every fifth run crosses that.
Instant draw_start(Prng& r) {
    constexpr Duration wrap = microseconds(int64_t{1} << 32);
    if (r.chance(0.2)) return Instant{} + wrap - up_to(r, milliseconds(20));
    return Instant{} + seconds(100) + up_to(r, seconds(5000));
}

NetworkProfile draw_network(Prng& r) {
    NetworkProfile n;
    n.paths = pick<uint16_t>(r, {1, 1, 2, 3, 4});
    n.delay_max = pick<Duration>(r, {microseconds(2), microseconds(30), microseconds(300)});
    n.jitter = n.delay_max / 4;
    n.bytes_per_us = pick(r, {125.0, 1250.0, 12500.0}); // 1, 10, 100 Gb/s
    n.split = pick(r, {0.0, 0.05, 1.0});
    if (r.chance(0.15)) return n; // a perfect network: what fails here fails for another reason
    if (r.chance(0.7)) n.loss = pick(r, {0.001, 0.01, 0.03, 0.06});
    if (r.chance(0.25)) n.burst = 0.0005;
    n.burst_max = pick<Duration>(r, {microseconds(200), milliseconds(2), milliseconds(40)});
    if (r.chance(0.5)) n.duplicate = pick(r, {0.002, 0.02, 0.1});
    if (r.chance(0.6)) n.reorder = pick(r, {0.005, 0.05, 0.3});
    n.reorder_max = pick<Duration>(r, {microseconds(50), microseconds(500), milliseconds(5)});
    if (r.chance(0.3)) n.corrupt = 0.002;
    if (r.chance(0.2)) n.truncate = 0.001;
    if (r.chance(0.3)) n.mark = 0.01;
    if (r.chance(0.4)) n.again = pick(r, {0.01, 0.2});
    if (r.chance(0.3)) n.icmp_loss = 0.5;
    if (r.chance(0.3)) n.garbage = 0.01;
    return n;
}

// What came later than the others, from a sequence of its own: the seeds of old stay what they were.
void draw_more(Prng r, Profile& p) {
    NetworkProfile& n = p.network;
    const bool perfect = n.loss == 0 && n.duplicate == 0 && n.reorder == 0 && n.again == 0;
    if (r.chance(0.3) && !perfect) n.replay = pick(r, {0.001, 0.02});
    if (r.chance(0.3) && !perfect) n.broken = pick(r, {0.001, 0.01});
    if (r.chance(0.3)) // of all contexts: the wrap comes within so many packets
        p.stack.card.transport.first_psn = UINT32_MAX - static_cast<uint32_t>(r.below(100));
}

Stack draw_stack(Prng& r) {
    Stack s;
    nic::CardConfig& c = s.card;
    c.transport.peer_timeout = seconds(pick(r, {2, 5, 10}));
    c.transport.initial_window_bytes = pick<uint32_t>(r, {0, 2048, 16384, 16384, 65536});
    c.transport.strict_open = r.chance(0.2);
    c.device.bounce_bytes = pick<uint64_t>(r, {65536, 1u << 20, 64u << 20});
    c.device.envelopes_max = pick<uint32_t>(r, {192, 1u << 20, 1u << 20});
    c.device.unscheduled_max = pick<uint32_t>(r, {1024, 65536, 65536});
    s.module.peer_timeout = c.transport.peer_timeout;
    s.module.send_depth = pick<uint32_t>(r, {2, 16, 1024});
    return s;
}

HostProfile draw_host(Prng& r, const HostProfile& usual) {
    HostProfile h = usual;
    h.endpoints = static_cast<uint32_t>(1 + r.below(3));
    if (r.chance(0.1)) h.receive_buffer = 65536;
    h.lateness = pick<Duration>(r, {microseconds(2), microseconds(60), milliseconds(2)});
    return h;
}

std::vector<HostProfile> draw_hosts(Prng& r) {
    HostProfile usual;
    usual.packet_bytes = pick<size_t>(r, {576, 1472, 1472, 8972, 65507});
    usual.receive_buffer = pick<size_t>(r, {212992, 212992, 4u << 20});
    if (r.chance(0.2)) usual.charge_factor = 1.6;
    std::vector<HostProfile> hosts(pick<size_t>(r, {2, 2, 2, 3, 3, 4, 5, 8}));
    for (HostProfile& h : hosts)
        h = draw_host(r, usual);
    return hosts;
}

std::vector<Fault> draw_faults(Prng& r, const Profile& p) {
    std::vector<Fault> faults;
    const Duration busy = p.work.think * p.work.actions;
    const auto when = [&] { return up_to(r, busy + milliseconds(1)); };
    const auto who = [&] { return static_cast<uint32_t>(r.below(p.hosts.size())); };
    while (r.chance(0.25)) {
        const Duration length =
            r.chance(0.2) ? up_to(r, seconds(10)) : milliseconds(10) + up_to(r, milliseconds(300));
        faults.push_back({Fault::Kind::stall, who(), 0, when(), length});
    }
    if (r.chance(0.12))
        faults.push_back(
            {pick(r, {Fault::Kind::kill, Fault::Kind::power_off}), who(), 0, when(), Duration{}});
    if (r.chance(0.12)) faults.push_back({Fault::Kind::leave, who(), 0, when(), Duration{}});
    if (r.chance(0.12)) {
        const uint32_t host = who();
        const auto endpoint = static_cast<uint32_t>(r.below(p.hosts[host].endpoints));
        faults.push_back({Fault::Kind::close, host, endpoint, when(), Duration{}});
    }
    if (r.chance(0.08)) faults.push_back({Fault::Kind::shrink, who(), 0, when(), Duration{}});
    return faults;
}

// In a third of the runs, by some hosts and not by others, while work is going on and after it.
void draw_evictions(Prng& r, Profile& p) {
    if (!r.chance(0.33)) return;
    const Duration busy = p.work.think * p.work.actions;
    for (uint64_t left = 1 + r.below(60); left > 0; --left)
        p.faults.push_back({Fault::Kind::evict, static_cast<uint32_t>(r.below(p.hosts.size())), 0,
                            up_to(r, 2 * busy + milliseconds(3)), Duration{}});
    p.stack.card.transport.evict_after = pick<Duration>(r, {seconds(2), seconds(600)});
}

void draw_resets(Prng& r, Profile& p) {
    const Duration busy = p.work.think * p.work.actions;
    while (r.chance(0.08))
        p.faults.push_back({Fault::Kind::reset, static_cast<uint32_t>(r.below(p.hosts.size())), 0,
                            up_to(r, busy + milliseconds(1)), Duration{}});
}

// Several links a host, and what befalls single ones. All that cuts is over, taken together, within a
// third of the time-out, for who is away for less must not be missed; but for a link beside the first
// that never works in one direction or both, which must not matter.
void draw_links(Prng& r, Profile& p) {
    if (r.chance(0.5)) {
        p.stack.card.transport.paths = 1; // others are searched for
        p.stack.card.transport.paths_max = 64;
    }
    p.network.joined = r.chance(0.3);
    if (r.chance(0.5))
        for (HostProfile& h : p.hosts)
            h.nics = static_cast<uint32_t>(1 + r.below(kSimNicsMax));
    const Duration busy = p.work.think * p.work.actions + milliseconds(1);
    Duration away = p.stack.module.peer_timeout / 3;
    while (r.chance(0.5)) {
        Fault f;
        f.kind =
            pick(r, {Fault::Kind::cut, Fault::Kind::cut, Fault::Kind::deafen, Fault::Kind::slow});
        f.host = static_cast<uint32_t>(r.below(p.hosts.size()));
        f.endpoint = static_cast<uint32_t>(r.below(p.hosts[f.host].nics));
        f.at = up_to(r, busy);
        f.length = up_to(r, std::min<Duration>(away / 2, milliseconds(pick(r, {5, 50, 500}))));
        if (f.kind != Fault::Kind::slow) away -= f.length;
        if (f.endpoint > 0 && r.chance(0.1)) f.length = kForGood;
        p.faults.push_back(f);
    }
}

WorkProfile draw_work(Prng& r) {
    WorkProfile w;
    w.actions = pick<uint32_t>(r, {4, 10, 20, 20, 40, 40, 120, 120, 500});
    w.think =
        pick<Duration>(r, {microseconds(0), microseconds(5), microseconds(200), milliseconds(3)});
    w.receives_first = r.unit();
    w.anonymous = pick(r, {0.0, 0.5, 1.0});
    w.big = w.actions > 40 ? 0.002 : pick(r, {0.0, 0.02, 0.1, 0.3});
    w.late_names = r.chance(0.15) ? 0.3 : 0;
    w.tags = static_cast<uint32_t>(1 + r.below(4));
    w.remote = pick(r, {0.0, 0.2, 0.5});
    return w;
}

} // namespace

Profile draw_profile(uint64_t seed) {
    Prng r(Prng(seed).next()); // seeds in a row would give sequences shifted by one
    Profile p;
    p.seed = seed;
    p.start = draw_start(r);
    p.network = draw_network(r);
    p.stack = draw_stack(r);
    p.hosts = draw_hosts(r);
    p.work = draw_work(r);
    p.faults = draw_faults(r, p);
    draw_evictions(r, p);
    draw_resets(r, p);
    draw_links(r, p);
    draw_more(Prng(seed ^ 0x6d6f7265ull), p);
    return p;
}

std::string describe(const Profile& p) {
    char text[512];
    const NetworkProfile& n = p.network;
    std::snprintf(
        text, sizeof text,
        "%zu hosts, %u actions an endpoint, %u paths, packets of %zu, buffer %zu, loss %g,"
        " burst %g, duplicate %g, reorder %g, again %g, replay %g, broken %g, delay %lld us, "
        "timeout %lld s,"
        " bounce %llu, unscheduled %u/%u, depth %u%s",
        p.hosts.size(), p.work.actions, n.paths, p.hosts[0].packet_bytes, p.hosts[0].receive_buffer,
        n.loss, n.burst, n.duplicate, n.reorder, n.again, n.replay, n.broken,
        static_cast<long long>(to_us(n.delay_max)),
        static_cast<long long>(to_us(p.stack.card.transport.peer_timeout) / 1000000),
        static_cast<unsigned long long>(p.stack.card.device.bounce_bytes),
        p.stack.card.transport.initial_window_bytes, p.stack.card.device.unscheduled_max,
        p.stack.module.send_depth, p.stack.card.transport.strict_open ? ", strict" : "");
    std::string all = text;
    if (const auto first = p.stack.card.transport.first_psn)
        all += ", first PSN " + std::to_string(*first);
    static constexpr const char* kinds[] = {"stall", "kill",     "power off", "leave",
                                            "close", "shrink",   "reset",     "evict",
                                            "cut",   "deafness", "slowness"};
    for (const HostProfile& h : p.hosts)
        all += (&h == p.hosts.data() ? ", links " : "/") + std::to_string(h.nics);
    if (n.joined) all += " joined";
    for (const Fault& f : p.faults) {
        if (f.kind == Fault::Kind::evict) continue; // many
        all += std::string(", ") + kinds[static_cast<size_t>(f.kind)] + " of host " +
               std::to_string(f.host) + " at " + std::to_string(to_us(f.at)) + " us for " +
               std::to_string(to_us(f.length) / 1000) + " ms";
    }
    const auto evictions = std::ranges::count(p.faults, Fault::Kind::evict, &Fault::kind);
    if (evictions) all += ", " + std::to_string(evictions) + " evictions";
    return all;
}

} // namespace rill::sim
