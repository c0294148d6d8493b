// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "net.hpp"

#include <array>
#include <criterion/criterion.h>

// Several addresses on either side: which ways are found, how they are used, and what happens when
// one of them goes.

using namespace rill;
using namespace rill::test;
using obs::Counter;

namespace {

// Hosts with a link into each of `networks`; networks are not joined.
struct Links {
    Net net;
    std::array<uint64_t, 4> data_bytes{};         // by network, of whole packets
    std::array<Duration, 4> per_packet{};         // what one of 1472 bytes takes
    std::array<std::array<Instant, 2>, 4> free{}; // when each end's queue is empty
    std::array<bool, 4> cut{};
    uint64_t strayed = 0; // full packets into a network that does not lead to their receiver

    explicit Links(uint64_t seed, Duration per_packet = 12us) : net(seed) {
        this->per_packet.fill(per_packet);
        net.drop = [this](const Net::Packet& p) {
            const bool full = p.bytes.size() > 1000;
            if (p.nic != p.to.ip[1]) {
                strayed += full;
                return true;
            }
            if (cut[p.nic]) return true;
            if (full) data_bytes[p.nic] += p.bytes.size();
            return false;
        };
        net.queueing = [this](const Net::Packet& p) {
            Instant& at = free[p.nic][p.from.ip[3] % 2];
            at = std::max(at, net.now) +
                 this->per_packet[p.nic] * static_cast<int64_t>(p.bytes.size()) / 1472;
            return at - net.now;
        };
    }
    uint64_t total() const { return data_bytes[0] + data_bytes[1] + data_bytes[2] + data_bytes[3]; }
};

std::function<void(NetLink&)> nics(size_t count, uint16_t entropies = 1) {
    return [=](NetLink& link) {
        link.path_count = entropies;
        link.add_nics(count);
    };
}

// Keeps `a` supplied with what fills packets for `length`; true when all of it arrived by then or
// shortly after.
template <class Network>
void stream(Network& links, Node& a, Node& b, Duration length) {
    const Instant end = links.net.now + length;
    while (links.net.now < end) {
        auto& to = a.to(b.host);
        while (to.waiting.size() < 2000)
            to.waiting.push_back({uint64_t{a.host} << 32 | ++a.numbered, 1200});
        a.post(to);
        run(
            links.net, {&a, &b}, [&] { return to.waiting.size() < 1000; }, end - links.net.now);
    }
}

template <class Network>
bool finish(Network& links, Node& a, Node& b) {
    return run(links.net, {&a, &b},
               [&] { return !a.transport->outstanding() && a.to(b.host).waiting.empty(); });
}

} // namespace

Test(paths, F3_F4_a_stream_fills_four_links_and_leaves_dead_pairs) {
    Links links(1);
    Node a(links.net, 1, {}, nics(4)), b(links.net, 2, {}, nics(4));
    stream(links, a, b, 300ms);
    for (size_t i = 0; i < 4; ++i)
        cr_assert_geq(links.data_bytes[i] * 1.0, 0.9 * 1472 * (300ms / 12us), "link %zu: %lu bytes",
                      i, links.data_bytes[i]);
    cr_assert_eq(links.strayed, 0u);
    cr_assert(finish(links, a, b));
    cr_assert(exactly_once(a, b));
}

Test(paths, peers_with_different_numbers_of_addresses_use_what_they_have) {
    for (auto [here, there] : {std::pair{4, 2}, {2, 4}, {1, 4}, {4, 1}}) {
        Links links(1);
        Node a(links.net, 1, {}, nics(static_cast<size_t>(here)));
        Node b(links.net, 2, {}, nics(static_cast<size_t>(there)));
        stream(links, a, b, 100ms);
        for (int i = 0; i < 4; ++i)
            cr_assert_eq(links.data_bytes[static_cast<size_t>(i)] > 100000,
                         i < std::min(here, there), "%d to %d, link %d", here, there, i);
        cr_assert_eq(links.strayed, 0u);
        cr_assert(finish(links, a, b));
        cr_assert(exactly_once(a, b));
    }
}

Test(paths, F4_a_link_of_a_tenth_of_the_rate_does_not_hold_up_the_others) {
    Links links(1);
    links.per_packet[2] = 120us;
    Node a(links.net, 1, {}, nics(4)), b(links.net, 2, {}, nics(4));
    stream(links, a, b, 500ms);
    const double whole = 3.1 * 1472 * (500ms / 12us);
    cr_assert_geq(static_cast<double>(links.total()), 0.85 * whole, "%.2f",
                  static_cast<double>(links.total()) / whole);
    cr_assert(finish(links, a, b));
    cr_assert(exactly_once(a, b));
}

Test(paths, F6_a_cut_link_stalls_nothing_for_long_and_is_used_again_when_it_returns) {
    for (size_t which = 0; which < 4; ++which) {
        Links links(1, 48us);
        Node a(links.net, 1, {}, nics(4)), b(links.net, 2, {}, nics(4));
        Instant last = kNever;
        Duration longest{};
        b.on_delivery = [&](uint64_t) {
            if (last != kNever) longest = std::max(longest, links.net.now - last);
            last = links.net.now;
        };
        stream(links, a, b, 200ms);
        links.cut[which] = true;
        stream(links, a, b, 500ms);
        cr_assert_leq(longest, 50ms, "link %zu: %ld us", which, longest / 1us);
        links.cut[which] = false;
        stream(links, a, b, 1s);
        const uint64_t before = links.data_bytes[which];
        stream(links, a, b, 100ms);
        cr_assert_geq(static_cast<double>(links.data_bytes[which] - before),
                      0.8 * 1472 * (100ms / 48us), "link %zu", which);
        cr_assert(finish(links, a, b));
        cr_assert(exactly_once(a, b));
        cr_assert(a.ends.empty() && b.ends.empty());
    }
}

Test(paths, F6_transfers_resume_when_all_links_were_cut) {
    Links links(1, 48us);
    Node a(links.net, 1, {}, nics(4)), b(links.net, 2, {}, nics(4));
    stream(links, a, b, 100ms);
    links.cut.fill(true);
    stream(links, a, b, 2s);
    links.cut.fill(false);
    const uint64_t before = links.total();
    stream(links, a, b, 2s);
    cr_assert_gt(links.total() - before, 25u * 1000 * 1000);
    cr_assert(finish(links, a, b));
    cr_assert(exactly_once(a, b));
    cr_assert(a.ends.empty() && b.ends.empty());
}

Test(paths, delivers_exactly_once_while_links_come_and_go) {
    for (uint64_t seed = 1; seed <= 12; ++seed) {
        Links links(seed);
        links.net.weather = {0.02 * static_cast<double>(seed % 4), 0.02, 0.02, 50us};
        Node a(links.net, 1, {}, nics(1 + seed % 4, 2)), b(links.net, 2, {}, nics(1 + seed % 3, 2));
        for (int round = 0; round < 10; ++round) {
            for (bool& c : links.cut)
                c = links.net.prng.chance(0.3);
            stream(links, a, b, 20ms);
        }
        links.cut.fill(false);
        cr_assert(finish(links, a, b), "seed %lu: hangs", seed);
        cr_assert(exactly_once(a, b), "seed %lu", seed);
        cr_assert(a.ends.empty() && b.ends.empty(), "seed %lu", seed);
    }
}

namespace {
// Two hosts with one address each; routers between them choose one of several routes by the ports.
struct Routes {
    Net net;
    size_t routes;
    std::array<uint64_t, 4> data_bytes{};
    std::array<Instant, 4> free{};
    uint64_t sent_small = 0; // by further ports
    std::array<bool, 4> cut{};
    static constexpr Duration kPerPacket = 12us; // of 1472 bytes
    static constexpr Duration kQueue = 8ms;

    explicit Routes(uint64_t seed, size_t routes) : net(seed), routes(routes) {
        net.drop = [this](const Net::Packet& p) {
            const size_t route = of(p);
            if (cut[route]) return true;
            if (p.from.ip[3] != 1) return false;
            const bool full = p.bytes.size() > 1000;
            if (full && free[route] > net.now + kQueue) return true; // the router's queue is full
            if (full) data_bytes[route] += p.bytes.size();
            sent_small += !full && p.path > 0;
            return false;
        };
        net.queueing = [this](const Net::Packet& p) {
            if (p.from.ip[3] != 1) return Duration{};
            Instant& at = free[of(p)];
            at = std::max(at, net.now) + kPerPacket * static_cast<int64_t>(p.bytes.size()) / 1472;
            return at - net.now;
        };
    }
    size_t of(const Net::Packet& p) const { return (p.from.port * 2654435761u >> 16) % routes; }
};

Config searching() {
    Config c;
    c.paths = 1;
    c.paths_max = 32;
    return c;
}

std::function<void(NetLink&)> ports(uint16_t count) {
    return [=](NetLink& link) { link.path_count = count; };
}
} // namespace

Test(paths, F2_a_stream_finds_routes_that_its_port_does_not_lead_by) {
    for (uint64_t seed = 1; seed <= 4; ++seed) {
        Routes r(seed, 4);
        Node a(r.net, 1, searching(), ports(32)), b(r.net, 2, searching(), ports(32));
        stream(r, a, b, 1s);
        const auto before = r.data_bytes;
        stream(r, a, b, 500ms);
        for (size_t i = 0; i < 4; ++i)
            cr_assert_geq(static_cast<double>(r.data_bytes[i] - before[i]),
                          0.9 * 1472 * (500ms / Routes::kPerPacket), "seed %lu, route %zu", seed,
                          i);
        cr_assert(finish(r, a, b));
        cr_assert(exactly_once(a, b));
        cr_assert_geq(a.count(Counter::routes_found), 3u);
    }
}

Test(paths, F2_where_there_is_one_route_further_ports_are_asked_but_not_used) {
    Routes r(1, 1);
    Node a(r.net, 1, searching(), ports(32)), b(r.net, 2, searching(), ports(32));
    stream(r, a, b, 5s);
    cr_assert(finish(r, a, b));
    cr_assert(exactly_once(a, b));
    cr_assert_eq(a.count(Counter::routes_found), 0u);
    cr_assert_gt(r.sent_small, 0u);
    cr_assert_leq(r.sent_small, 40u, "%lu: ever more rarely", r.sent_small);
}

Test(paths, F2_ports_found_rest_when_the_context_is_idle) {
    Routes r(1, 4);
    Node a(r.net, 1, searching(), ports(32)), b(r.net, 2, searching(), ports(32));
    stream(r, a, b, 500ms);
    cr_assert(finish(r, a, b));
    run(
        r.net, {&a, &b}, [] { return false; }, 3s);
    const uint64_t before = r.sent_small;
    for (int i = 0; i < 100; ++i) {
        a.send(a.to(2), 64);
        run(
            r.net, {&a, &b}, [] { return false; }, 1ms);
    }
    cr_assert_eq(r.sent_small, before, "small messages leave by the first port");
    stream(r, a, b, 500ms); // found once more
    cr_assert_gt(r.sent_small, before);
    cr_assert(finish(r, a, b));
    cr_assert(exactly_once(a, b));
}

Test(paths, F6_a_route_that_swallows_everything_stops_nobody) {
    for (size_t which = 0; which < 4; ++which) {
        Routes r(3, 4);
        Node a(r.net, 1, searching(), ports(32)), b(r.net, 2, searching(), ports(32));
        stream(r, a, b, 1s);
        r.cut[which] = true;
        const uint64_t before = b.bytes_delivered;
        stream(r, a, b, 1s);
        cr_assert_geq(static_cast<double>(b.bytes_delivered - before),
                      0.6 * 3 * 1200 * (1s / Routes::kPerPacket), "route %zu", which);
        r.cut[which] = false;
        cr_assert(finish(r, a, b));
        cr_assert(exactly_once(a, b));
    }
}

Test(paths, F6_small_messages_leave_a_dead_route_by_another_port) {
    for (size_t which = 0; which < 4; ++which) {
        Routes r(5, 4);
        Node a(r.net, 1, searching(), ports(32)), b(r.net, 2, searching(), ports(32));
        Duration longest{};
        for (int i = 0; i < 300; ++i) {
            if (i == 100) r.cut[which] = true;
            const Instant sent = r.net.now;
            a.send(a.to(2), 64);
            cr_assert(finish(r, a, b), "route %zu, message %d", which, i);
            longest = std::max(longest, r.net.now - sent);
        }
        cr_assert_leq(longest, 50ms, "route %zu: %ld us", which, longest / 1us);
        cr_assert(exactly_once(a, b));
    }
}

Test(paths, an_idle_pair_of_many_addresses_is_silent) {
    Links links(1);
    Node a(links.net, 1, {}, nics(4)), b(links.net, 2, {}, nics(4));
    a.send(a.to(2), 64);
    run(
        links.net, {&a, &b}, [] { return false; }, 2s);
    const uint64_t before = links.net.sent;
    run(
        links.net, {&a, &b}, [] { return false; }, 60s);
    cr_assert_eq(links.net.sent, before);
}
