// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "net.hpp"

#include <criterion/criterion.h>

using namespace rill;
using namespace rill::test;
using obs::Counter;

namespace {

// Sends `count` records of mixed sizes both ways, in bursts.
void exchange(uint64_t seed, Weather weather, unsigned count, unsigned refuse_every = 0,
              double again = 0) {
    Net net(seed);
    net.weather = weather;
    Node a(net, 1), b(net, 2);
    a.refuse_every = b.refuse_every = refuse_every;
    a.link->again = b.link->again = again;
    Prng prng(seed);
    for (unsigned i = 0; i < count; ++i) {
        uint32_t length = prng.chance(0.5) ? static_cast<uint32_t>(prng.below(200))
                                           : static_cast<uint32_t>(prng.below(900));
        bool lazily = prng.chance(0.1);
        a.send(a.to(2), length, lazily);
        if (prng.chance(0.5)) b.send(b.to(1), length, lazily);
        if (i % 64 == 0)
            run(
                net, {&a, &b}, [] { return false; }, 200us);
    }
    bool done = run(
        net, {&a, &b}, [&] { return !a.transport->outstanding() && !b.transport->outstanding(); },
        120s);
    cr_assert(done, "seed %lu: hangs", seed);
    cr_assert(exactly_once(a, b), "seed %lu: a to b", seed);
    cr_assert(exactly_once(b, a), "seed %lu: b to a", seed);
    cr_assert(a.ends.empty() || a.ends[0] == Status::ok, "seed %lu: %s", seed,
              to_string(a.ends[0]));
    cr_assert(a.owners.empty() && b.owners.empty());
}

} // namespace

Test(transport, delivers_exactly_once_on_a_clean_network) {
    exchange(1, {}, 3000);
}

Test(transport, T5_delivers_exactly_once_whatever_is_lost_doubled_and_overtaken) {
    for (uint64_t seed = 1; seed <= 40; ++seed)
        exchange(seed, {0.2 * (seed % 5) / 4, 0.1 * (seed % 3), 0.1 * (seed % 4), 50us}, 400);
}

Test(transport, delivers_exactly_once_to_a_receiver_that_refuses_packets) {
    for (uint64_t seed = 1; seed <= 10; ++seed)
        exchange(seed, {0.02, 0.02, 0.02, 50us}, 400, 5);
}

Test(transport, delivers_exactly_once_over_a_link_that_is_often_full) {
    for (uint64_t seed = 1; seed <= 20; ++seed)
        exchange(seed, {0.02, 0.02, 0.02, 50us}, 400, seed % 2 * 7, 0.3);
}

Test(transport, what_is_forgotten_is_not_sent_and_the_rest_is) {
    Net net(1);
    Node a(net, 1), b(net, 2);
    a.send(a.to(2), 64);
    run(net, {&a, &b}, [&] { return !a.transport->outstanding(); });
    net.drop = [](const Net::Packet&) { return true; };
    for (int i = 0; i < 20; ++i)
        a.send(a.to(2), 1000);
    run(
        net, {&a, &b}, [] { return false; }, 100us);
    cr_assert_gt(a.owners.size(), 5u);
    std::vector<void*> owners;
    for (auto& [owner, part] : a.owners)
        owners.push_back(owner);
    for (void* owner : owners)
        a.transport->forget(owner);
    cr_assert(a.owners.empty());
    net.drop = {};
    a.send(a.to(2), 64);
    cr_assert(run(net, {&a, &b}, [&] { return !a.transport->outstanding(); }));
    cr_assert_eq(b.delivered.size(), 2u);
    cr_assert_eq(a.released_wrongly + b.corrupted, 0u);
}

Test(transport, T7_an_opening_costs_no_round_trip) {
    Net net(1);
    Node a(net, 1), b(net, 2);
    Instant start = net.now;
    a.send(a.to(2), 64);
    cr_assert(run(net, {&a, &b}, [&] { return !b.delivered.empty(); }));
    cr_assert_eq(net.now - start, 50us);
    cr_assert_eq(b.last_port, 1u);
    cr_assert(run(net, {&a, &b}, [&] { return !a.transport->outstanding(); }));
    cr_assert_eq(a.opens, 1u);
    cr_assert_eq(a.to(2).queue_pair, 101u);
    cr_assert_eq(a.to(2).peer->device, b.transport->device_id());
}

Test(transport, one_small_record_and_its_answer_cost_one_packet_each) {
    Net net(1);
    Node a(net, 1), b(net, 2);
    b.on_delivery = [&](uint64_t) { b.send(b.to(1), 64); };
    a.send(a.to(2), 64);
    run(net, {&a, &b}, [&] { return !a.delivered.empty(); });
    run(
        net, {&a, &b}, [] { return false; }, 100ms);
    uint64_t before = net.sent;
    unsigned rounds = 0;
    a.on_delivery = [&](uint64_t) {
        if (++rounds < 100) a.send(a.to(2), 64);
    };
    a.send(a.to(2), 64);
    run(net, {&a, &b}, [&] { return rounds == 100; });
    cr_assert_leq(net.sent - before, 202u, "%lu packets for 100 round trips", net.sent - before);
}

Test(transport, idle_ends_are_silent) {
    Net net(1);
    Node a(net, 1), b(net, 2);
    for (int i = 0; i < 10; ++i) {
        a.send(a.to(2), 64);
        b.send(b.to(1), 64);
    }
    run(
        net, {&a, &b}, [] { return false; }, 10s);
    uint64_t before = net.sent;
    run(
        net, {&a, &b}, [] { return false; }, 600s);
    cr_assert_eq(net.sent, before);
    cr_assert_eq(a.transport->next_deadline(), kNever);
}

Test(transport, a_long_stream_fills_trains) {
    Net net(1);
    Node a(net, 1), b(net, 2);
    for (int i = 0; i < 5000; ++i)
        a.send(a.to(2), 1150);
    cr_assert(run(net, {&a, &b}, [&] { return !a.transport->outstanding(); }));
    cr_assert(exactly_once(a, b));
    cr_assert_eq(a.count(Counter::tx_retransmits), 0u);
}

Test(transport, losses_of_a_few_percent_leave_throughput) {
    Duration took[2];
    for (int lossy = 0; lossy < 2; ++lossy) {
        Net net(5);
        net.weather.loss = lossy ? 0.03 : 0;
        Node a(net, 1), b(net, 2);
        for (int i = 0; i < 20000; ++i)
            a.send(a.to(2), 1100);
        Instant start = net.now;
        cr_assert(run(net, {&a, &b}, [&] { return !a.transport->outstanding(); }));
        cr_assert(exactly_once(a, b));
        took[lossy] = net.now - start;
    }
    cr_log_info("22 MB: %ld us clean, %ld us at 3 %% loss", to_us(took[0]), to_us(took[1]));
    cr_assert_lt(took[1], 12 * took[0] + 20ms);
}

Test(transport, a_small_receive_buffer_is_not_overrun) {
    Net net(1);
    auto small = [](NetLink& l) { l.buffer = 100 * 1024; };
    Node a(net, 1), b(net, 2, {}, small), c(net, 3);
    for (int i = 0; i < 2000; ++i) {
        a.send(a.to(2), 1000);
        c.send(c.to(2), 1000);
    }
    cr_assert(run(net, {&a, &b, &c},
                  [&] { return !a.transport->outstanding() && !c.transport->outstanding(); }));
    cr_assert_eq(b.link->drops, 0u);
}

Test(transport, a_silent_peer_is_dead_after_its_time_and_one_never_heard_unreachable) {
    Net net(1);
    Node a(net, 1), b(net, 2), c(net, 3);
    a.send(a.to(2), 64);
    run(net, {&a, &b}, [&] { return !a.transport->outstanding(); });
    b.paused = c.paused = true;
    a.send(a.to(2), 1000);
    a.send(a.to(3), 1000);
    Instant start = net.now;
    cr_assert(run(
        net, {&a, &b, &c}, [&] { return a.ends.size() == 2; }, 30s));
    cr_assert(net.now - start >= 9s && net.now - start <= 12s);
    std::sort(a.ends.begin(), a.ends.end());
    cr_assert_eq(a.ends[0], Status::unreachable);
    cr_assert_eq(a.ends[1], Status::dead);
    cr_assert(a.owners.empty());
    cr_assert_eq(a.released_wrongly, 0u);
    cr_assert_not(a.transport->outstanding());
}

Test(transport, death_does_not_come_early_after_a_long_silence) {
    Net net(1);
    Node a(net, 1), b(net, 2);
    for (int i = 0; i < 5; ++i) {
        a.send(a.to(2), 64);
        run(
            net, {&a, &b}, [] { return false; }, 100s);
    }
    cr_assert(a.ends.empty() && b.ends.empty());
    cr_assert(exactly_once(a, b));
}

Test(transport, a_watched_peer_that_dies_is_noticed) {
    Net net(1);
    Node a(net, 1), b(net, 2);
    a.send(a.to(2), 64);
    run(
        net, {&a, &b}, [] { return false; }, 2s);
    a.transport->watch(*a.to(2).context, true);
    run(
        net, {&a, &b}, [] { return false; }, 60s);
    cr_assert(a.ends.empty(), "it answers probes");
    b.paused = true;
    cr_assert(run(
        net, {&a, &b}, [&] { return !a.ends.empty(); }, 14s));
    cr_assert_eq(a.ends[0], Status::dead);
}

Test(transport, watching_a_stranger_opens_to_it) {
    Net net(1);
    Node a(net, 1), b(net, 2);
    Context* context = a.transport->connect(address(2, Node::kEndpointPort));
    a.transport->watch(*context, true);
    cr_assert(run(net, {&a, &b}, [&] { return a.opens == 1; }));
    b.paused = true;
    cr_assert(run(
        net, {&a, &b}, [&] { return !a.ends.empty(); }, 14s));
    cr_assert_eq(a.ends[0], Status::dead);
}

Test(transport, nobody_dies_when_all_were_stopped) {
    Net net(1);
    Node a(net, 1), b(net, 2);
    for (int i = 0; i < 200; ++i) {
        a.send(a.to(2), 1000);
        b.send(b.to(1), 1000);
    }
    run(
        net, {&a, &b}, [] { return false; }, 200us);
    a.paused = b.paused = true;
    net.now += 60s;
    a.paused = false;
    run(
        net, {&a, &b}, [] { return false; }, 1s);
    b.paused = false;
    cr_assert(run(net, {&a, &b},
                  [&] { return !a.transport->outstanding() && !b.transport->outstanding(); }));
    cr_assert(a.ends.empty() && b.ends.empty());
    cr_assert(exactly_once(a, b) && exactly_once(b, a));
}

Test(transport, an_opener_that_was_stopped_and_given_up_delivers_nothing_twice) {
    for (Duration stop : {3s, 20s, 300s}) {
        Net net(1);
        Node a(net, 1), b(net, 2, {.peer_timeout = 2s});
        a.send(a.to(2), 64);
        run(net, {&a, &b}, [&] { return !b.delivered.empty(); });
        a.paused = true; // before the answer was read
        a.link->inbox.clear();
        net.on_the_way.clear();
        run(
            net, {&a, &b}, [] { return false; }, stop);
        a.link->inbox.clear();
        a.paused = false;
        cr_assert(run(net, {&a, &b}, [&] { return !a.transport->outstanding(); }));
        cr_assert_eq(b.delivered.size(), 1u);
        cr_assert_eq(b.delivered.begin()->second, 1, "stopped for %ld us", to_us(stop));
        cr_assert_eq(a.ends.size(), 1u);
        a.send(a.to(2), 64);
        cr_assert(run(net, {&a, &b}, [&] { return b.delivered.size() == 2; }));
    }
}

Test(transport, a_silent_peer_draws_a_handful_of_packets) {
    Net net(1);
    Node a(net, 1, {.peer_timeout = 0s}), b(net, 2);
    a.send(a.to(2), 64);
    run(net, {&a, &b}, [&] { return !a.transport->outstanding(); });
    b.paused = true;
    for (int i = 0; i < 500; ++i)
        a.send(a.to(2), 1000);
    run(
        net, {&a, &b}, [] { return false; }, 1s);
    uint64_t before = net.sent;
    run(
        net, {&a, &b}, [] { return false; }, 60s);
    cr_assert_leq(net.sent - before, 130u, "%lu", net.sent - before);
    b.paused = false;
    cr_assert(run(net, {&a, &b}, [&] { return !a.transport->outstanding(); }));
    cr_assert(exactly_once(a, b));
}

Test(transport, a_refusing_port_is_death_at_once_and_a_starting_peer_is_waited_for) {
    Net net(1);
    Node a(net, 1);
    auto b = std::make_unique<Node>(net, 2);
    a.send(a.to(2), 64);
    run(net, {&a, b.get()}, [&] { return !a.transport->outstanding(); });
    b.reset(); // as SIGKILL leaves it
    Instant start = net.now;
    a.send(a.to(2), 64);
    cr_assert(run(net, {&a}, [&] { return !a.ends.empty(); }));
    cr_assert_eq(a.ends[0], Status::dead);
    cr_assert_lt(net.now - start, 100ms);
    a.ends.clear();

    a.send(a.to(2), 64);
    run(
        net, {&a}, [] { return false; }, 200ms);
    cr_assert(a.ends.empty());
    Node again(net, 2);
    cr_assert(run(net, {&a, &again}, [&] { return again.delivered.size() == 1; }));

    start = net.now;
    a.send(a.to(9), 64);
    cr_assert(run(net, {&a, &again}, [&] { return !a.ends.empty(); }));
    cr_assert_eq(a.ends[0], Status::unreachable);
    cr_assert_geq(net.now - start, 300ms);
}

Test(transport, a_restarted_peer_resets_what_its_predecessor_had) {
    Net net(1);
    Node a(net, 1);
    auto b = std::make_unique<Node>(net, 2);
    a.send(a.to(2), 64);
    run(net, {&a, b.get()}, [&] { return !a.transport->outstanding(); });
    b.reset();
    Node again(net, 2);
    a.send(a.to(2), 64);
    cr_assert(run(
        net, {&a, &again}, [&] { return !a.ends.empty(); }, 1s));
    cr_assert_eq(a.ends[0], Status::dead);
    cr_assert(again.delivered.empty(), "records of the old context are not the new one's");
}

Test(transport, a_farewell_is_no_death) {
    for (uint64_t seed = 1; seed <= 200; ++seed) {
        Net net(seed);
        net.weather.loss = 0.05;
        net.weather.reorder = 0.05;
        Node a(net, 1), b(net, 2);
        for (int i = 0; i < 20; ++i) {
            a.send(a.to(2), 700);
            b.send(b.to(1), 700);
        }
        cr_assert(run(net, {&a, &b},
                      [&] { return !a.transport->outstanding() && !b.transport->outstanding(); }));
        cr_assert(exactly_once(a, b) && exactly_once(b, a));
        a.transport->leave(net.now);
        cr_assert(run(
            net, {&a, &b}, [&] { return a.transport->left(net.now); }, 1s));
        for (Status why : b.ends)
            cr_assert(why == Status::gone || why == Status::ok, "seed %lu: %s", seed,
                      to_string(why));
        cr_assert(run(
                      net, {&a, &b}, [&] { return b.ends.size() > 0; }, 1s),
                  "seed %lu", seed);
    }
}

Test(transport, both_may_leave_at_once) {
    Net net(1);
    Node a(net, 1), b(net, 2);
    a.send(a.to(2), 700);
    b.send(b.to(1), 700);
    run(
        net, {&a, &b}, [] { return false; }, 10ms);
    a.transport->leave(net.now);
    b.transport->leave(net.now);
    Instant start = net.now;
    cr_assert(run(net, {&a, &b},
                  [&] { return a.transport->left(net.now) && b.transport->left(net.now); }));
    cr_assert_lt(net.now - start, 1ms);
}

Test(transport, of_two_contexts_one_is_retired_and_nothing_is_lost) {
    for (uint64_t seed = 1; seed <= 100; ++seed) {
        Net net(seed);
        net.weather = {0.1 * (seed % 3), 0.1 * (seed % 2), 0.1 * (seed % 4), 50us};
        Node a(net, 1), b(net, 2);
        a.send(a.to(2), 64); // each opens to the other, and a to a second endpoint of b
        b.send(b.to(1), 64);
        a.send(a.to(2, Node::kEndpointPort + 1), 64);
        // Records now and then, also while the retirement is being agreed.
        for (int i = 0; i < 300; ++i) {
            run(
                net, {&a, &b}, [] { return false; },
                std::chrono::microseconds(net.prng.below(20000)));
            if (net.prng.chance(0.3)) a.send(a.to(2), 64);
            if (net.prng.chance(0.3)) b.send(b.to(1), 64);
            if (net.prng.chance(0.1)) a.send(a.to(2, Node::kEndpointPort + 1), 64);
        }
        cr_assert(run(net, {&a, &b},
                      [&] { return !a.transport->outstanding() && !b.transport->outstanding(); }),
                  "seed %lu", seed);
        run(
            net, {&a, &b}, [] { return false; }, 30s);
        cr_assert(exactly_once(a, b) && exactly_once(b, a), "seed %lu", seed);
        for (Node* n : {&a, &b}) {
            for (Status why : n->ends)
                cr_assert_eq(why, Status::ok, "seed %lu: %s", seed, to_string(why));
            unsigned live = 0;
            n->transport->for_each_context([&](Context&) { ++live; });
            cr_assert_eq(live, 1u, "seed %lu: %u contexts", seed, live);
        }
        Context *at_a = nullptr, *at_b = nullptr;
        a.transport->for_each_context([&](Context& c) { at_a = &c; });
        b.transport->for_each_context([&](Context& c) { at_b = &c; });
        cr_assert_neq(at_a->opened_by_us(), at_b->opened_by_us());
    }
}

Test(transport, work_that_comes_while_a_context_retires_is_not_lost) {
    for (uint64_t seed = 1; seed <= 150; ++seed) {
        Net net(seed);
        net.weather = {0.15 * (seed % 3), 0.1, 0.2, 50us};
        Node a(net, 1), b(net, 2);
        a.send(a.to(2), 64);
        b.send(b.to(1), 64);
        run(
            net, {&a, &b}, [] { return false; }, 900ms);
        // Straight into whichever context it has: what the layer above may do at any time.
        for (int i = 0; i < 200; ++i) {
            run(
                net, {&a, &b}, [] { return false; },
                std::chrono::microseconds(net.prng.below(4000)));
            for (Node* n : {&a, &b}) {
                if (!net.prng.chance(0.1)) continue;
                std::vector<Context*> all;
                n->transport->for_each_context([&](Context& c) { all.push_back(&c); });
                auto& d = n->to(static_cast<uint8_t>(3 - n->host));
                Context* c = all[net.prng.below(all.size())];
                d.waiting.push_back({uint64_t{n->host} << 32 | ++n->numbered, 64});
                for (auto& [context, users] : n->using_context)
                    users.erase(&d);
                n->using_context[c].insert(&d);
                d.context = c;
                d.queue_pair = 1;
                n->transport->ready(*c);
            }
        }
        cr_assert(run(net, {&a, &b},
                      [&] {
                          return !a.transport->outstanding() && !b.transport->outstanding() &&
                                 a.to(2).waiting.empty() && b.to(1).waiting.empty();
                      }),
                  "seed %lu", seed);
        run(
            net, {&a, &b}, [] { return false; }, 10s);
        for (Node* n : {&a, &b})
            for (Status why : n->ends)
                cr_assert_eq(why, Status::ok, "seed %lu: %s", seed, to_string(why));
        cr_assert(exactly_once(a, b) && exactly_once(b, a), "seed %lu", seed);
    }
}

Test(transport, strangers_need_a_cookie_and_then_get_through) {
    for (bool strict : {false, true}) {
        Net net(1);
        Node a(net, 1), b(net, 2, {.strict_open = strict});
        b.knows_all = strict;
        for (int i = 0; i < 50; ++i)
            a.send(a.to(2), 600);
        cr_assert(run(net, {&a, &b}, [&] { return !a.transport->outstanding(); }));
        cr_assert(exactly_once(a, b));
        cr_assert_gt(b.count(Counter::drop_cookie), 0u);
    }
}

Test(transport, a_device_can_talk_to_itself) {
    Net net(1);
    Node a(net, 1);
    for (int i = 0; i < 100; ++i)
        a.send(a.to(1), 700);
    cr_assert(run(net, {&a}, [&] { return !a.transport->outstanding(); }));
    run(
        net, {&a}, [] { return false; }, 5s);
    a.send(a.to(1), 700);
    cr_assert(run(net, {&a}, [&] { return !a.transport->outstanding(); }));
    cr_assert(exactly_once(a, a));
    cr_assert(a.ends.empty());
}

Test(transport, what_does_not_fit_any_more_is_cut_smaller) {
    Net net(1);
    Node a(net, 1), b(net, 2);
    a.send(a.to(2), 64);
    run(net, {&a, &b}, [&] { return !a.transport->outstanding(); });
    for (int i = 0; i < 300; ++i)
        a.send(a.to(2), 500);
    run(
        net, {&a, &b}, [] { return false; }, 60us);
    a.link->mtu = 800;
    for (int i = 0; i < 300; ++i)
        a.send(a.to(2), 500);
    cr_assert(run(net, {&a, &b}, [&] { return !a.transport->outstanding(); }));
    cr_assert(exactly_once(a, b));
}

Test(transport, a_link_without_room_delays_and_loses_nothing) {
    Net net(1);
    Node a(net, 1), b(net, 2);
    for (int i = 0; i < 300; ++i)
        a.send(a.to(2), 500);
    for (int i = 0; i < 20; ++i) {
        a.link->refuse_sends = i % 2 == 0;
        run(
            net, {&a, &b}, [] { return false; }, 150us);
    }
    a.link->refuse_sends = false;
    cr_assert(run(net, {&a, &b}, [&] { return !a.transport->outstanding(); }));
    cr_assert(exactly_once(a, b));
    cr_assert_gt(a.count(Counter::tx_again), 0u);
}

Test(transport, a_device_that_was_reset_is_another) {
    Net net(1);
    Node a(net, 1), b(net, 2);
    a.send(a.to(2), 64);
    cr_assert(run(net, {&a, &b}, [&] { return !a.transport->outstanding(); }));
    const wire::DeviceId before = a.transport->device_id();
    a.transport->reset(net.now);
    cr_assert(a.transport->device_id() != before);
    cr_assert(b.transport->device_id() != a.transport->device_id());
}

Test(transport, a_full_link_is_left_alone_until_it_may_have_room) {
    Net net(1);
    Node a(net, 1), b(net, 2);
    a.send(a.to(2), 64);
    cr_assert(run(net, {&a, &b}, [&] { return !a.transport->outstanding(); }));
    a.link->refuse_sends = true;
    a.send(a.to(2), 64);
    for (const Instant end = net.now + 1ms; net.now < end; net.now += 1us)
        a.pass(); // as a program does that polls
    // Each path is asked once in the 100 us that the link names.
    cr_assert_leq(a.count(Counter::tx_again), 10u * a.link->paths(), "%lu",
                  a.count(Counter::tx_again));
    a.link->refuse_sends = false;
    cr_assert(run(net, {&a, &b}, [&] { return !a.transport->outstanding(); }));
    cr_assert(exactly_once(a, b));
}

// Answers that are late by a few round trips are no peers that wait for a processor.
Test(transport, the_wait_for_an_answer_does_not_grow_with_each_loss) {
    Net net(1);
    net.weather = {.loss = 0.05, .reorder = 0.5};
    Node a(net, 1), b(net, 2);
    const int records = 2000;
    const Instant begun = net.now;
    for (int i = 1; i <= records; ++i) {
        a.send(a.to(2), 64);
        cr_assert(run(net, {&a, &b}, [&] { return !a.transport->outstanding(); }));
    }
    const double each_us = static_cast<double>((net.now - begun).count()) / 1e3 / records;
    cr_assert_lt(each_us, 1000, "%.0f", each_us);
}

Test(transport, garbage_is_counted_and_never_answered_with_more) {
    Net net(3);
    Node a(net, 1), b(net, 2);
    a.send(a.to(2), 64);
    run(net, {&a, &b}, [&] { return !a.transport->outstanding(); });
    NetLink attacker(net, 9, 3000);
    uint64_t bytes_in = 0;
    for (int i = 0; i < 20000; ++i) {
        std::vector<std::byte> junk(net.prng.below(300));
        for (auto& j : junk)
            j = std::byte(net.prng.next());
        if (junk.size() >= sizeof(wire::Header) && net.prng.chance(0.9)) {
            wire::Header h = wire::load<wire::Header>(junk.data());
            h.version = wire::kVersion;
            h.type = static_cast<wire::PacketType>(net.prng.below(8));
            h.flags &= 15;
            if (net.prng.chance(0.5)) h.context = net.prng.chance(0.5) ? 0 : 0x10000;
            if (net.prng.chance(0.5)) h.path = 0;
            wire::store(junk.data(), h);
        }
        bytes_in += junk.size();
        net.send({junk, attacker.data, net.prng.chance(0.5) ? b.link->data : address(2, 4000), 0},
                 &attacker);
        b.knows_all = false;
        run(
            net, {&b}, [] { return false; }, 100us);
    }
    uint64_t bytes_out = 0;
    for (auto& p : attacker.inbox)
        bytes_out += p.bytes.size();
    cr_assert_leq(bytes_out, bytes_in);
    cr_assert_gt(b.count(Counter::drop_context), 0u);
    b.knows_all = true;
    a.send(a.to(2), 64);
    cr_assert(run(net, {&a, &b}, [&] { return !a.transport->outstanding(); }));
    cr_assert_eq(a.ends.size() + b.ends.size(), 0u);
}

Test(transport, a_peer_with_a_closed_endpoint_does_not_hold_its_packets_for_ever) {
    Net net(1);
    Node a(net, 1), b(net, 2);
    a.send(a.to(2), 64);
    // The answer comes, but the records' copies do not arrive before the endpoint closes.
    unsigned seen = 0;
    net.drop = [&](const Net::Packet& p) { return p.to == address(2, 4000) && ++seen > 1; };
    run(
        net, {&a, &b}, [] { return false; }, 60us);
    a.send(a.to(2), 64);
    run(
        net, {&a, &b}, [] { return false; }, 60us);
    net.drop = {};
    b.link->close_port(1);
    cr_assert(run(
        net, {&a, &b}, [&] { return !a.transport->outstanding(); }, 5s));
    cr_assert(a.ends.empty());
}
