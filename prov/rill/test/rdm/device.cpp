// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What the device and the software above it promise each other and the program, over whole stacks.
#include "nic/config_image.hpp"
#include "test/rdm/hosts.hpp"

#include <criterion/criterion.h>

#include <functional>

using namespace rill;
using namespace rill::test;
using obs::Counter;

namespace {

size_t count(const Sink& sink, Status status) {
    size_t n = 0;
    for (const rdm::Completion& c : sink.got)
        n += c.status == status;
    return n;
}

size_t contexts(Slot& m) {
    size_t n = 0;
    m.card.device().transport().for_each_context([&](const transport::Context&) { ++n; });
    return n;
}

// Both ways, more than a packet, and memory of either side.
void check_works(Net& net, Machine& a, Machine& b) {
    for (auto [from, to] : {std::pair(&a, &b), std::pair(&b, &a)}) {
        from->tx.got.clear();
        to->rx.got.clear();
        const std::string sent(20000, static_cast<char>('a' + from->host));
        std::string got(sent.size(), '-');
        cr_assert(is_ok(to->receive(got, 5)));
        cr_assert(is_ok(from->send(from->name(to->host), sent, 5)));
        pass(net, 50ms, a, b);
        cr_assert_eq(count(from->tx, Status::ok), 1u);
        cr_assert_eq(count(to->rx, Status::ok), 1u);
        cr_assert(got == sent);
    }
}

// Something of every kind under way from and to `a`, then `break_it`, then all of it must have ended.
void break_under_traffic(const std::function<void(Machine&, Instant)>& break_it) {
    Net net(3);
    Machine a(net, 1), b(net, 2);
    check_works(net, a, b);
    std::string window(256, 'w');
    const iovec piece{window.data(), window.size()};
    uint64_t key = 77;
    cr_assert(is_ok(a.module.driver().register_memory(
        key, false, {.pieces = &piece, .count = 1, .readable = true, .writable = true})));

    const std::string small(64, 's'), large(1 << 20, 'l');
    std::string room(1 << 20, '-');
    a.tx.got.clear(), a.rx.got.clear(), b.tx.got.clear(), b.rx.got.clear();
    const rdm::SourceId to_b = a.name(2), to_a = b.name(1);
    cr_assert(is_ok(b.send(to_a, small, 1000))); // unexpected at a, and stays so
    cr_assert(is_ok(b.send(to_a, large, 1001)));
    pass(net, 5ms, a, b);
    cr_assert(is_ok(a.receive(room, 1001))); // being granted
    for (uint64_t tag : {1, 2, 3})
        cr_assert(is_ok(a.receive(room, tag)));
    cr_assert(is_ok(a.send(to_b, small, 7)));
    cr_assert(is_ok(a.send(to_b, large, 8)));
    pass(net, 40us, a, b);
    const size_t sends = 2, receives = 4;
    cr_assert_eq(a.tx.got.size(), 0u);

    break_it(a, net.now);
    pass(net, 1ms, a);
    cr_assert_eq(count(a.tx, Status::io_error), sends, "%zu", count(a.tx, Status::io_error));
    cr_assert_eq(count(a.rx, Status::io_error), receives, "%zu", count(a.rx, Status::io_error));
    cr_assert_eq(a.module.send_operations().live(), 0u);
    cr_assert_eq(a.module.receive_operations().live(), 0u);
    cr_assert_eq(a.module.arrivals().live(), 0u);
    const nic::Device::Usage u = a.card.device().usage();
    cr_assert(u.works == 0 && u.inbound == 0 && u.envelopes == 0 && u.bounce_bytes == 0 &&
              u.fetches == 0);
    pass(net, 100ms, a, b);
    cr_assert_eq(b.module.send_operations().live(), 0u, "the peer's operations have ended as well");

    check_works(net, a, b);
    // The region is there under its key.
    std::string read(window.size(), '-');
    const iovec v{read.data(), read.size()};
    const rdm::RemoteMemory range{0, window.size(), key};
    rdm::RmaRequest r;
    r.iov = &v;
    r.iov_count = 1;
    r.ranges = &range;
    r.range_count = 1;
    r.destination = to_a;
    r.read = true;
    cr_assert(is_ok(b.endpoint->rma(r, net.now)));
    pass(net, 10ms, a, b);
    cr_assert(read == window);
}

} // namespace

Test(device, reset_under_traffic_by_the_host) {
    break_under_traffic(
        [](Machine& m, Instant now) { cr_assert(is_ok(m.module.reset_device(now))); });
}

Test(device, reset_under_traffic_by_a_function_level_reset) {
    break_under_traffic([](Machine& m, Instant now) {
        nic::ConfigPort& config = m.card.bus().config();
        uint32_t express = 0x34, v = 0;
        cr_assert(is_ok(config.access({0, 0x34, 1, false, 0}, now, express)));
        for (;;) { // along the capabilities to PCI Express
            cr_assert(
                is_ok(config.access({0, static_cast<uint16_t>(express), 2, false, 0}, now, v)));
            if ((v & 0xff) == 0x10) break;
            express = v >> 8;
            cr_assert_neq(express, 0u);
        }
        cr_assert(is_ok(config.access({0, static_cast<uint16_t>(express + nic::pci::kDeviceControl),
                                       2, true, nic::pci::kFunctionReset},
                                      now, v)));
    });
}

Test(device, reset_under_traffic_by_a_fault_in_flight) {
    break_under_traffic([](Machine& m, Instant) {
        m.card.adapter().function(0)->inject(nic::FaultPoint::reset_in_flight, 1);
    });
}

Test(device, reset_under_traffic_by_an_overrun) {
    break_under_traffic([](Machine& m, Instant) {
        m.card.adapter().function(0)->inject(nic::FaultPoint::queue_overrun, 1);
    });
}

Test(device, reset_under_traffic_by_a_command_that_is_not_answered) {
    break_under_traffic([](Machine& m, Instant) {
        m.card.adapter().function(0)->inject(nic::FaultPoint::admin_timeout, 1);
        cr_assert_null(m.open(4001));
    });
}

Test(device, a_reset_that_fails_is_tried_again) {
    Net net(4);
    Machine a(net, 1), b(net, 2);
    nic::Function& f = *a.card.adapter().function(0);
    f.inject(nic::FaultPoint::admin_timeout, 2);
    cr_assert_eq(a.module.reset_device(net.now), Status::io_error);
    cr_assert(a.module.down());
    const std::string text(8, 'x');
    cr_assert_eq(a.send(a.name(2), text, 1), Status::invalid, "no handle can be made now");
    cr_assert_leq((a.module.next_deadline() - net.now).count(), Duration(100ms).count());
    pass(net, 250ms, a, b);
    cr_assert_not(a.module.down());
}

Test(device, R4_exhaustion_is_an_error_of_the_call_and_nothing_else) {
    Net net(5);
    Machine a(net, 1), b(net, 2);
    a.card.adapter().function(0)->inject(nic::FaultPoint::resource_exhaustion, 3);
    cr_assert_eq(a.name(2), rdm::kUnknownSource);
    cr_assert_null(a.open(4001)); // neither device memory nor a queue pair
    check_works(net, a, b);
    auto more = a.open(4001);
    cr_assert_not_null(more.get());
    more->close(net.now);
}

Test(device, T1_T3_endpoints_that_never_connect_share_one_context) {
    Net net(6);
    Machine a(net, 1), b(net, 2);
    auto second = a.open(4001), third = a.open(4002);
    const std::string text(100, 't');
    std::vector<std::string> got(3, std::string(100, '-'));
    for (std::string& g : got)
        cr_assert(is_ok(b.receive(g, 1)));
    const rdm::SourceId to = a.name(2);
    for (rdm::Endpoint* ep : {a.endpoint.get(), second.get(), third.get()})
        cr_assert(is_ok(a.send(to, text, 1, ep)));
    pass(net, 20ms, a, b);
    for (const std::string& g : got)
        cr_assert(g == text);
    cr_assert_eq(contexts(a), 1u);
    cr_assert_eq(contexts(b), 1u);
    second->close(net.now);
    third->close(net.now);
}

// The test is a's software.
Test(device, T2_a_send_names_the_handle_that_the_device_returned_and_nothing_else) {
    Net net(10);
    Slot a(net, 1);
    Machine b(net, 2);
    rdm::Driver driver(a.card.bus(), a.log);
    cr_assert(is_ok(driver.bring_up(net.now)));
    wire::Address bound = address(1, 4000);
    uint32_t qp = 0, handle = 0, again = 0;
    cr_assert(is_ok(driver.create_queue_pair(bound, 0, qp)));
    cr_assert(is_ok(driver.create_address_handle(address(2, 4000), handle)));
    cr_assert(is_ok(driver.create_address_handle(address(2, 4000), again)));
    cr_assert_eq(handle, again);
    std::string got(4, '-'), sent = "text";
    cr_assert(is_ok(b.receive(got, 5)));
    const iovec list{sent.data(), sent.size()};
    nic::SendEntry e;
    e.op = nic::SendOp::message;
    e.flags = nic::kSendTagged | nic::kSendInline | nic::kSendFirst;
    e.tag = 5;
    e.length = sent.size();
    e.iov = &list;
    e.iov_count = 1;
    for (const uint32_t target : {handle + 1, handle}) {
        e.target = target;
        driver.post_send(qp, e, false, net.now);
    }
    cr_assert(driver.has_completion());
    const nic::CompletionEntry refused = driver.take_completion();
    cr_assert(refused.kind == nic::EntryKind::destination_ended && refused.flow == handle + 1,
              "a handle that was never returned reaches nobody");
    for (int i = 0; i < 1000; ++i, net.now += 20us) {
        net.deliver();
        driver.run(true, net.now);
        b.module.progress(net.now, true);
    }
    cr_assert(got == sent);
    cr_assert_eq(contexts(a), 1u);
    driver.destroy_queue_pair(qp, net.now);
}

// Of the same bytes, those whose tag a posted receive names go one way, and those whose tag none does
// the other, whatever came before.
Test(device, H2_the_metadata_choose_the_receive_queue_that_a_packet_takes) {
    Net net(6);
    Machine a(net, 1), b(net, 2);
    check_works(net, a, b);
    const std::string sent(700, 'q');
    for (int round = 0; round < 4; ++round) {
        const bool posted = round % 2 == 0;
        const uint64_t direct = b.counters.get(Counter::rx_direct_bytes);
        const uint64_t indirect = b.counters.get(Counter::rx_indirect_bytes);
        std::string wanted(sent.size(), '-'), late(sent.size(), '-');
        cr_assert(is_ok(b.receive(wanted, 5)));
        cr_assert(is_ok(a.send(a.name(2), sent, posted ? 5 : 6)));
        for (int i = 0; i < 200; ++i)
            pass(net, 20us, a, b);
        cr_assert_eq(b.counters.get(Counter::rx_direct_bytes) - direct, posted ? sent.size() : 0);
        cr_assert_eq(b.counters.get(Counter::rx_indirect_bytes) - indirect,
                     posted ? 0 : sent.size());
        if (!posted) {
            cr_assert(is_ok(b.receive(late, 6)));
            cr_assert(is_ok(a.send(a.name(2), sent, 5)));
            for (int i = 0; i < 200; ++i)
                pass(net, 20us, a, b);
            cr_assert(late == sent);
        }
        cr_assert(wanted == sent);
    }
}

Test(device, H3_direct_payload_passes_no_bounce_memory) {
    Net net(7);
    Machine a(net, 1), b(net, 2);
    check_works(net, a, b); // the flow is known
    const uint64_t before = b.counters.get(Counter::rx_indirect_bytes);
    const std::string sent(300000, 'd');
    std::string got(sent.size(), '-');
    cr_assert(is_ok(b.receive(got, 9)));
    cr_assert(is_ok(a.send(a.name(2), sent, 9)));
    for (int i = 0; i < 2000; ++i) {
        pass(net, 20us, a, b);
        const nic::Device::Usage u = b.card.device().usage();
        cr_assert(u.bounce_bytes == 0 && u.envelopes == 0, "at no time");
    }
    cr_assert(got == sent);
    cr_assert_eq(b.counters.get(Counter::rx_indirect_bytes), before);
}

// The test is b's software.
Test(device, H4_H5_H6_the_record_follows_the_payload_and_software_alone_tells_the_peer) {
    Net net(8);
    Machine a(net, 1);
    Slot b(net, 2);
    rdm::Driver driver(b.card.bus(), b.log);
    cr_assert(is_ok(driver.bring_up(net.now)));
    wire::Address bound = address(2, 4000);
    uint32_t qp = 0;
    cr_assert(is_ok(driver.create_queue_pair(bound, 0, qp)));
    const auto work = [&](Duration time) {
        for (const Instant end = net.now + time; net.now < end; net.now += 20us) {
            net.deliver();
            a.module.progress(net.now, true);
            driver.run(true, net.now);
        }
    };
    const auto next = [&] {
        cr_assert(driver.has_completion());
        return driver.take_completion();
    };
    std::string buffer(100, '-');
    const iovec list{buffer.data(), buffer.size()};
    nic::ReceiveEntry post;
    post.op = nic::ReceiveOp::post;
    post.flags = nic::kReceiveTagged;
    post.request = 11;
    post.tag = 2;
    post.iov = &list;
    post.iov_count = 1;
    driver.post_receive(qp, post);

    // Message 0 is early: nobody has said yet who the flow's sender is.
    cr_assert(is_ok(a.send(a.name(2), "zero", 1)));
    work(5ms);
    const nic::CompletionEntry flow = next();
    cr_assert(flow.kind == nic::EntryKind::flow && flow.request == qp);
    cr_assert(nic::address_of(flow) == address(1, 4000));
    const nic::CompletionEntry early = next();
    cr_assert(early.kind == nic::EntryKind::early && early.length == 4);
    cr_assert(std::memcmp(early.buffer, "zero", 4) == 0, "H2: the indirect way");
    nic::ReceiveEntry e;
    e.op = nic::ReceiveOp::introduce;
    e.flow = flow.flow;
    e.source = 1;
    driver.post_receive(qp, e);
    e = {};
    e.op = nic::ReceiveOp::turn;
    e.flags = nic::kReceiveTagged;
    e.flow = flow.flow;
    e.tag = early.tag;
    e.ignore = early.total;
    driver.post_receive(qp, e);
    cr_assert(next().kind == nic::EntryKind::turned);

    // Message 1 finds its receive.
    const std::string sent(100, 'm');
    cr_assert(is_ok(a.send(a.name(2), sent, 2)));
    for (int i = 0; i < 500 && !driver.has_completion(); ++i)
        work(20us);
    cr_assert(buffer == sent, "H4: who sees the record sees all bytes");
    const nic::CompletionEntry matched = next();
    cr_assert(matched.kind == nic::EntryKind::matched && matched.request == 11);
    cr_assert(matched.tag == 2 && matched.total == 100 && matched.msg_no == 1 &&
                  matched.flow == flow.flow && (matched.flags & nic::kEntryComplete),
              "H5: the metadata as they came, and what was done");
    work(100ms);
    cr_assert_eq(a.tx.got.size(), 0u, "H6: nothing completes while the software is silent");
    for (uint32_t no : {0u, 1u}) {
        nic::SendEntry done;
        done.op = nic::SendOp::done;
        done.target = flow.flow;
        done.msg_no = no;
        done.count = 1;
        driver.post_send(qp, done, false, net.now);
    }
    work(20ms);
    cr_assert_eq(count(a.tx, Status::ok), 2u);
    e = {};
    e.op = nic::ReceiveOp::give_back;
    e.buffer = early.buffer;
    driver.post_receive(qp, e);
    cr_assert_eq(b.card.device().usage().envelopes, 0u);
    driver.destroy_queue_pair(qp, net.now);
}

Test(device, H7_what_fails_a_check_leaves_memory_as_it_is) {
    Net net(9);
    Machine a(net, 1), b(net, 2);
    std::string window(64, 'w');
    const iovec piece{window.data(), window.size()};
    uint64_t key = 5;
    cr_assert(is_ok(b.module.driver().register_memory(
        key, false, {.pieces = &piece, .count = 1, .readable = true})));
    const std::string text(64, 'x');
    const iovec v{const_cast<char*>(text.data()), text.size()};
    const struct {
        rdm::RemoteMemory range;
        Status status;
    } cases[] = {{{0, 64, 6}, Status::bad_key},
                 {{0, 64, 5}, Status::bad_access},
                 {{1, 64, 5}, Status::bad_access}};
    for (const auto& c : cases) {
        a.tx.got.clear();
        rdm::RmaRequest r;
        r.iov = &v;
        r.iov_count = 1;
        r.ranges = &c.range;
        r.range_count = 1;
        r.destination = a.name(2);
        cr_assert(is_ok(a.endpoint->rma(r, net.now)));
        pass(net, 10ms, a, b);
        cr_assert_eq(count(a.tx, c.status), 1u);
    }
    cr_assert(window == std::string(64, 'w'));
    cr_assert_eq(b.counters.get(Counter::rx_direct_bytes), 0u);
}

Test(device, H8_direct_and_indirect_give_the_same_bytes_under_loss_and_reordering) {
    for (uint64_t seed = 1; seed <= 20; ++seed) {
        Net net(seed);
        net.weather = {.loss = 0.02, .dup = 0.02, .reorder = 0.2, .delay = 50us};
        Machine a(net, 1), b(net, 2);
        std::vector<std::string> sent, ahead, late;
        for (uint64_t i = 0; i < 8; ++i) {
            sent.emplace_back(1 + net.prng.below(40000), '\0');
            for (char& c : sent.back())
                c = static_cast<char>(net.prng.next());
        }
        ahead.assign(8, std::string(40000, '-'));
        late = ahead;
        const rdm::SourceId to = a.name(2);
        for (uint64_t i = 0; i < 8; ++i)
            cr_assert(is_ok(b.receive(ahead[i], i)));
        for (uint64_t i = 0; i < 16; ++i)
            cr_assert(is_ok(a.send(to, sent[i % 8], i)));
        pass(net, 100ms, a, b);
        for (uint64_t i = 0; i < 8; ++i)
            cr_assert(is_ok(b.receive(late[i], 8 + i)));
        pass(net, 2s, a, b);
        cr_assert_eq(count(a.tx, Status::ok), 16u, "seed %lu", seed);
        for (uint64_t i = 0; i < 8; ++i) {
            cr_assert(ahead[i] == late[i], "seed %lu", seed);
            cr_assert(ahead[i].compare(0, sent[i].size(), sent[i]) == 0, "seed %lu", seed);
        }
    }
}
