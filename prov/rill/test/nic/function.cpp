// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A function as its host sees it: reset, features, faults.
#include "function_host.hpp"

#include <criterion/criterion.h>

using namespace rill;
using namespace rill::test;

Test(function, the_registers_follow_the_reset_handshake) {
    Bench b;
    Host h(b.adapter, 0, b.now);
    cr_assert_eq(h.reg(Register::version), kMapVersion);
    cr_assert_eq(h.reg(Register::status), 0u, "off");
    h.set(Register::admin_size, 8);
    cr_assert_eq(h.reg(Register::admin_size), 0u, "nothing starts before the handshake");
    h.bring_up();
    h.set(Register::admin_base_low, 0x1000);
    cr_assert_eq(h.reg(Register::admin_base_low), static_cast<uint32_t>(h.command_at),
                 "what a queue stands on is fixed while it runs");
    cr_assert(h.events[0].kind == AsyncEventKind::warning &&
              h.events[0].value == static_cast<uint64_t>(Register::admin_base_low));
    h.set(Register::version, 5);
    cr_assert_eq(h.reg(Register::version), kMapVersion);
    cr_assert(h.events[1].kind == AsyncEventKind::warning);
    h.bring_up();
    cr_assert_eq(h.ask(AdminOp::get_feature, {}).status, AdminStatus::ok, "again after a reset");
}

Test(function, features_are_negotiated_and_what_was_not_taken_is_refused) {
    Bench b;
    Host h(b.adapter, 0, b.now);
    h.bring_up();
    const AdminAnswer a = h.ask(AdminOp::get_feature, {});
    cr_assert_eq(a.results[0], shipped(0).features);
    cr_assert_eq(h.ask(AdminOp::allocate_resource, {64}).status, AdminStatus::unsupported);
    cr_assert_eq(h.ask(AdminOp::set_feature, {1u << 30}).status, AdminStatus::unsupported);
    cr_assert_eq(h.ask(AdminOp::set_feature, {a.results[0]}).status, AdminStatus::ok);
    cr_assert_eq(h.f.features(), shipped(0).features);
    cr_assert_eq(h.ask(AdminOp::allocate_resource, {64}).status, AdminStatus::ok);
    cr_assert_eq(h.ask(static_cast<AdminOp>(99), {}).status, AdminStatus::bad_opcode);
    cr_assert_eq(h.ask(AdminOp::get_feature, {1}).status, AdminStatus::malformed);
    uint64_t values[4] = {};
    const uint64_t at = h.map(values, sizeof values);
    cr_assert_eq(h.ask(AdminOp::get_statistics, {at, 4}).results[0], 3u);
    cr_assert(values[2] == 102 && values[3] == 0);
    cr_assert_eq(h.ask(AdminOp::get_statistics, {at, 5}).status, AdminStatus::illegal_parameter);
    Bench lite(1);
    Host l(lite.adapter, 0, lite.now);
    l.bring_up();
    cr_assert_eq(l.ask(AdminOp::set_feature, {kFeatureDeviceMemory}).status,
                 AdminStatus::unsupported);
}

Test(function, bad_queues_and_doorbells_are_fatal_until_a_reset) {
    Bench b;
    Host h(b.adapter, 0, b.now);
    const auto fatal = [&](Fault why) {
        cr_assert_eq(h.reg(Register::status) & (kStatusFatal | kStatusReady), kStatusFatal);
        cr_assert_eq(h.reg(Register::fault), static_cast<uint32_t>(why));
    };
    h.handshake();
    h.set(Register::admin_base_low, 64);
    h.set(Register::admin_size, 8);
    fatal(Fault::bad_queue_memory);
    h.bring_up();
    h.set(Register::admin_doorbell, kEntries + 1);
    fatal(Fault::bad_doorbell);
    cr_assert(h.events[0].kind == AsyncEventKind::fatal);
    h.bring_up();
    h.set(Register::admin_doorbell, 1); // announced, but its phase says that nothing is there
    fatal(Fault::bad_doorbell);
    h.bring_up();
    h.f.write64(kEventDoorbell, 1, h.now);
    fatal(Fault::bad_doorbell);
    h.bring_up();
    h.f.set_bus_master(false);
    h.commands[0].id_and_phase = kPhaseBit;
    h.set(Register::admin_doorbell, 1);
    fatal(Fault::lost_memory);
    h.f.set_bus_master(true);
    h.bring_up();
    cr_assert_eq(h.ask(AdminOp::get_feature, {}).status, AdminStatus::ok);
}

Test(function, R4_fault_points_show_as_a_device_shows_them) {
    CompletionHost c;
    Host& h = c.h;
    h.f.inject(FaultPoint::resource_exhaustion, 1);
    cr_assert_eq(h.create(QueuePlace::host_memory, h.queue_at).status,
                 AdminStatus::resource_failure);
    cr_assert_eq(h.create(QueuePlace::host_memory, h.queue_at).status, AdminStatus::ok);
    h.f.inject(FaultPoint::stuck_interrupt, 1);
    c.store(true);
    c.arrive(1);
    cr_assert_eq(c.raised(), 0);
    cr_assert_eq(h.f.read(kMsixPending), 2u, "it hangs where a host can see it");
    h.f.write(kMsixTable + 16 + 12, 0, h.now);
    cr_assert_eq(c.raised(), 1, "and touching its mask delivers it");
    h.f.inject(FaultPoint::admin_timeout, 1);
    h.commands[h.written % kEntries] = {};
    h.commands[h.written % kEntries].id_and_phase = h.written / kEntries % 2 == 0 ? kPhaseBit : 0;
    const uint32_t answered = h.f.commands();
    h.set(Register::admin_doorbell, (h.written + 1) & 0xffff);
    cr_assert_eq(h.f.commands(), answered, "no answer");
    h.f.inject(FaultPoint::queue_overrun, 1);
    c.run();
    cr_assert_eq(h.reg(Register::fault), static_cast<uint32_t>(Fault::overrun));
    h.bring_up();
    cr_assert_eq(c.b.backend.resets, 1, "the data path was this function's");
    h.f.inject(FaultPoint::reset_in_flight, 1);
    cr_assert_eq(h.reg(Register::fault), static_cast<uint32_t>(Fault::injected));
}
