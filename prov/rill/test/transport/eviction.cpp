// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "net.hpp"

#include <criterion/criterion.h>

using namespace rill;
using namespace rill::test;
using obs::Counter;

namespace {

// Two nodes that have talked to each other and have nothing under way.
struct Pair {
    explicit Pair(uint64_t seed, Config config = {})
        : net(seed), a(net, 1, config), b(net, 2, config) {
        a.send(a.to(2), 64);
        cr_assert(run(net, {&a, &b}, [&] { return b.delivered.size() == 1 && quiet(); }));
        b.to(1).peer = a_at_b();
        b.send(b.to(1), 64);
        cr_assert(run(net, {&a, &b}, [&] { return a.delivered.size() == 1 && quiet(); }));
        rest();
    }
    // What is on its way arrives.
    void rest() {
        run(
            net, {&a, &b}, [] { return false; }, 10ms);
    }
    bool quiet() { return !a.transport->outstanding() && !b.transport->outstanding(); }
    Peer* a_at_b() {
        Peer* peer = nullptr;
        b.transport->for_each_context([&](Context& c) { peer = c.peer(); });
        return peer;
    }
    void exchange() {
        a.send(a.to(2), 900);
        b.send(b.to(1), 900);
        cr_assert(run(net, {&a, &b}, [&] {
            return quiet() && a.delivered.size() == b.numbered && b.delivered.size() == a.numbered;
        }));
        cr_assert(exactly_once(a, b) && exactly_once(b, a));
        cr_assert(a.ends.empty() && b.ends.empty());
    }

    Net net;
    Node a, b;
};

uint64_t contexts(Node& node) {
    uint64_t count = 0;
    node.transport->for_each_context([&](Context&) { ++count; });
    return count;
}

} // namespace

Test(eviction, T6_one_side_alone_is_enough_whichever_speaks_first) {
    for (int round = 0; round < 6; ++round) {
        Pair p(1);
        Node& evicts = round % 3 == 0 ? p.a : p.b;
        evicts.transport->evict_idle();
        if (round % 3 == 2) p.a.transport->evict_idle();
        cr_assert_eq(contexts(evicts), 0u);
        if (round < 3)
            p.a.send(p.a.to(2), 64);
        else
            p.b.send(p.b.to(1), 64);
        p.exchange();
        cr_assert_eq(evicts.count(Counter::contexts_revived), 1u);
        cr_assert_eq(p.a.count(Counter::contexts_opened), 1u, "nothing was opened again");
        cr_assert_eq(p.b.count(Counter::contexts_opened), 0u);
    }
}

Test(eviction, T6_the_numbers_go_on_where_they_were) {
    Pair p(1);
    const uint32_t id = p.a.to(2).peer->preferred->id();
    uint32_t last = 0;
    bool goes_on = true;
    p.net.drop = [&](const Net::Packet& packet) {
        const auto h = wire::load<wire::Header>(packet.bytes.data());
        if (h.type != wire::PacketType::data || packet.from.ip[3] != 1) return false;
        if (last != 0) goes_on &= h.psn == last + 1;
        last = h.psn;
        return false;
    };
    for (int i = 0; i < 20; ++i) {
        p.exchange();
        p.rest();
        p.a.transport->evict_idle();
        cr_assert_eq(p.a.to(2).peer->evicted, id);
    }
    cr_assert(goes_on && last != 0);
    p.exchange();
    cr_assert_eq(p.a.to(2).peer->preferred->id(), id);
}

Test(eviction, T6_a_packet_from_before_is_never_taken_as_new) {
    Pair p(1);
    std::vector<Net::Packet> before; // all of it, the opening included
    p.net.drop = [&](const Net::Packet& packet) {
        before.push_back(packet);
        return false;
    };
    for (int i = 0; i < 10; ++i)
        p.exchange();
    p.rest();
    p.net.drop = {};
    for (int round = 0; round < 3; ++round) {
        if (round != 1) p.a.transport->evict_idle();
        if (round != 0) p.b.transport->evict_idle();
        for (const Net::Packet& packet : before)
            p.net.send(packet, nullptr);
        p.rest();
        cr_assert(exactly_once(p.a, p.b) && exactly_once(p.b, p.a), "round %d", round);
        p.exchange();
        p.rest();
    }
}

Test(eviction, T6_an_opening_from_before_is_never_taken_as_new) {
    Net net(1);
    Node a(net, 1), b(net, 2);
    std::vector<Net::Packet> opening;
    net.drop = [&](const Net::Packet& packet) {
        if (packet.from.ip[3] == 1) opening.push_back(packet);
        return false;
    };
    a.send(a.to(2), 64);
    cr_assert(run(net, {&a, &b}, [&] { return !a.transport->outstanding(); }));
    net.drop = {};
    run(
        net, {&a, &b}, [] { return false; }, 10ms);
    b.transport->evict_idle();
    cr_assert_eq(contexts(b), 0u);
    for (const Net::Packet& packet : opening)
        net.send(packet, nullptr);
    run(
        net, {&a, &b}, [] { return false; }, 10ms);
    cr_assert(exactly_once(a, b));
    cr_assert_eq(b.count(Counter::contexts_accepted), 1u);
}

Test(eviction, T6_exactly_once_whoever_evicts_whenever) {
    for (uint64_t seed = 1; seed <= 40; ++seed) {
        Pair p(seed);
        p.net.weather = {0.1 * (seed % 4) / 3, 0.1 * (seed % 3), 0.1 * (seed % 4), 50us};
        Prng prng(seed);
        for (unsigned i = 0; i < 300; ++i) {
            if (prng.chance(0.6)) p.a.send(p.a.to(2), static_cast<uint32_t>(prng.below(900)));
            if (prng.chance(0.4)) p.b.send(p.b.to(1), static_cast<uint32_t>(prng.below(900)));
            const Duration pause = 1us * prng.below(prng.chance(0.3) ? 20000 : 400);
            run(
                p.net, {&p.a, &p.b}, [] { return false; }, pause);
            if (prng.chance(0.3)) p.a.transport->evict_idle();
            if (prng.chance(0.3)) p.b.transport->evict_idle();
        }
        cr_assert(run(p.net, {&p.a, &p.b}, [&] { return p.quiet(); }), "seed %lu: hangs", seed);
        cr_assert(exactly_once(p.a, p.b) && exactly_once(p.b, p.a), "seed %lu", seed);
        for (Node* n : {&p.a, &p.b}) {
            cr_assert(n->ends.empty(), "seed %lu: %s", seed, to_string(n->ends[0]));
            cr_assert_gt(n->count(Counter::contexts_revived), 10u, "seed %lu", seed);
        }
    }
}

Test(eviction, happens_after_long_idleness_only_and_wakes_nobody_afterwards) {
    Config config;
    config.evict_after = 60s;
    Pair p(1, config);
    run(
        p.net, {&p.a, &p.b}, [] { return false; }, 50s);
    cr_assert_eq(contexts(p.a) + contexts(p.b), 2u);
    p.exchange();
    run(
        p.net, {&p.a, &p.b}, [] { return false; }, 50s);
    cr_assert_eq(contexts(p.a) + contexts(p.b), 2u);
    run(
        p.net, {&p.a, &p.b}, [] { return false; }, 20s);
    cr_assert_eq(contexts(p.a) + contexts(p.b), 0u);
    cr_assert_eq(p.a.transport->next_deadline(), kNever);
    p.exchange();
}

Test(eviction, spares_a_context_through_which_a_peer_is_watched) {
    Pair p(1);
    Context& context = *p.a.to(2).peer->preferred;
    p.a.transport->watch(context, true);
    p.a.transport->evict_idle();
    p.b.transport->evict_idle();
    cr_assert_eq(contexts(p.a), 1u);
    // The other side answers for being alive, and may go on forgetting.
    run(
        p.net, {&p.a, &p.b}, [] { return false; }, 30s);
    cr_assert(p.a.ends.empty());
    cr_assert_geq(p.b.count(Counter::contexts_revived), 1u);
    p.a.transport->watch(context, false);
    p.exchange();
}

Test(eviction, T6_a_hundred_peers_in_turn_need_no_more_than_four_contexts) {
    Net net(1);
    Config config;
    config.contexts_max = 4;
    Node hub(net, 1, config);
    std::vector<std::unique_ptr<Node>> peers;
    std::vector<Node*> all{&hub};
    for (uint8_t i = 0; i < 100; ++i) {
        peers.push_back(std::make_unique<Node>(net, static_cast<uint8_t>(10 + i)));
        all.push_back(peers.back().get());
    }
    uint64_t most = 0;
    for (int round = 0; round < 3; ++round)
        for (auto& peer : peers) {
            hub.send(hub.to(peer->host), 64);
            cr_assert(run(net, all, [&] { return !hub.transport->outstanding(); }));
            run(
                net, {&hub, peer.get()}, [] { return false; }, 1ms);
            most = std::max(most, contexts(hub));
        }
    cr_assert_eq(most, 4u);
    cr_assert_eq(hub.count(Counter::contexts_opened), 100u);
    for (auto& peer : peers) {
        cr_assert_eq(peer->delivered.size(), 3u);
        for (auto& [id, times] : peer->delivered)
            cr_assert_eq(times, 1);
    }
}

Test(eviction, who_was_forgotten_is_told_of_a_leave) {
    Pair p(1);
    p.a.transport->evict_idle();
    p.a.transport->leave(p.net.now);
    cr_assert(run(
        p.net, {&p.a, &p.b}, [&] { return p.a.transport->left(p.net.now); }, 1s));
    cr_assert_eq(p.b.ends.size(), 1u);
    cr_assert_eq(p.b.ends[0], Status::gone);
}

Test(eviction, a_peer_that_was_restarted_meanwhile_is_noticed) {
    for (bool it_speaks : {false, true}) {
        Pair p(1);
        p.a.transport->evict_idle();
        Node::Destination gone = p.a.to(2);
        p.b.transport.reset();
        p.b.link.reset();
        Node reborn(p.net, 2);
        if (it_speaks)
            reborn.send(reborn.to(1), 64);
        else
            p.a.send(p.a.to(2), 64);
        cr_assert(run(
            p.net, {&p.a, &reborn}, [&] { return !p.a.ends.empty(); }, 1s));
        cr_assert_eq(p.a.ends[0], Status::dead);
        cr_assert_eq(gone.peer->preferred, nullptr);
        cr_assert_eq(gone.peer->evicted, 0u);
    }
}

Test(eviction, a_device_that_is_reset_is_another_to_those_it_had_forgotten) {
    Pair p(1);
    p.a.transport->evict_idle();
    p.a.transport->reset(p.net.now);
    p.rest();
    cr_assert_eq(p.b.ends.size(), 1u);
    cr_assert_eq(p.b.ends[0], Status::gone);
}

Test(eviction, several_addresses_are_told_again) {
    Net net(1);
    auto four = [](NetLink& link) { link.add_nics(4); };
    Node a(net, 1, {}, four), b(net, 2, {}, four);
    const auto sent = [&] { return !a.transport->outstanding(); };
    const auto some = [&] {
        for (int i = 0; i < 200; ++i)
            a.send(a.to(2), 1000);
        cr_assert(run(net, {&a, &b}, sent));
        run(
            net, {&a, &b}, [] { return false; }, 20ms);
    };
    some();
    some();
    const size_t paths = a.to(2).peer->preferred->tx_paths();
    cr_assert_gt(paths, 4u);
    for (Node* evicts : {&a, &b}) {
        evicts->transport->evict_idle();
        some();
        some();
        cr_assert_eq(a.to(2).peer->preferred->tx_paths(), paths);
        b.transport->for_each_context(
            [&](Context& c) { cr_assert_eq(c.tx_paths(), paths, "%zu", c.tx_paths()); });
    }
    cr_assert(exactly_once(a, b));
}
