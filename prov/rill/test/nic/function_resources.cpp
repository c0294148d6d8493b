// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What the admin queue makes: limits, owners, and who may touch what.
#include "function_host.hpp"

#include <criterion/criterion.h>

using namespace rill;
using namespace rill::test;

Test(function_resources, R1_R2_allocated_memory_works_as_a_send_queue_with_no_other_setup) {
    Bench b;
    Host h(b.adapter, 0, b.now);
    h.bring_up();
    cr_assert_eq(h.ask(AdminOp::set_feature, {kFeatureDeviceMemory}).status, AdminStatus::ok);
    const AdminAnswer where = h.ask(AdminOp::allocate_resource, {kQueueBytes});
    cr_assert_eq(where.results[0], 2u, "the BAR");
    const uint64_t offset = where.results[1];
    const AdminAnswer a = h.create(QueuePlace::device_memory, offset);
    cr_assert_eq(a.status, AdminStatus::ok);
    // What the host writes there is what the device reads.
    std::byte* window = h.f.device_memory(offset, kQueueBytes);
    cr_assert_eq(static_cast<void*>(b.backend.last_queue.send), static_cast<void*>(window));
    cr_assert_eq(h.ask(AdminOp::free_resource, {offset}).status, AdminStatus::busy);
    cr_assert_eq(h.ask(AdminOp::destroy_queue_pair, {a.results[0]}).status, AdminStatus::ok);
    cr_assert_eq(h.ask(AdminOp::free_resource, {offset}).status, AdminStatus::ok);
    cr_assert_eq(h.ask(AdminOp::free_resource, {offset}).status, AdminStatus::illegal_parameter);
    cr_assert_eq(h.ask(AdminOp::allocate_resource, {UINT64_MAX}).status,
                 AdminStatus::resource_failure);
}

Test(function_resources, queue_pairs_and_handles_have_limits_and_owners) {
    Bench b(1);
    Host h(b.adapter, 0, b.now);
    h.bring_up();
    b.backend.refuse = Status::address_in_use;
    cr_assert_eq(h.create(QueuePlace::host_memory, h.queue_at).status, AdminStatus::busy);
    b.backend.refuse = Status::ok;
    for (uint32_t i = 0; i < shipped(1).queue_pairs_max; ++i)
        cr_assert_eq(h.create(QueuePlace::host_memory, h.queue_at).status, AdminStatus::ok);
    cr_assert_eq(h.create(QueuePlace::host_memory, h.queue_at).status,
                 AdminStatus::resource_failure);
    cr_assert_eq(h.ask(AdminOp::destroy_queue_pair, {999}).status, AdminStatus::illegal_parameter);
    cr_assert_eq(h.create(QueuePlace::device_memory, 0).status, AdminStatus::unsupported);
    cr_assert_eq(h.create(QueuePlace::host_memory, 0).status, AdminStatus::illegal_parameter);
    cr_assert_eq(h.create(QueuePlace::host_memory, h.queue_at + 64).status,
                 AdminStatus::illegal_parameter, "it would reach over the end");
    const auto w = Host::words(9);
    cr_assert_eq(h.ask(AdminOp::create_address_handle, {w[0], w[1], w[2]}).results[0], 9u);
    cr_assert_eq(h.ask(AdminOp::create_address_handle, {w[0], w[1], w[2]}).status, AdminStatus::ok);
    cr_assert_eq(h.ask(AdminOp::destroy_address_handle, {9}).status, AdminStatus::ok);
    cr_assert_eq(h.ask(AdminOp::destroy_address_handle, {9}).status, AdminStatus::ok);
    cr_assert_eq(h.ask(AdminOp::destroy_address_handle, {9}).status,
                 AdminStatus::illegal_parameter);
    cr_assert_eq(h.ask(AdminOp::create_address_handle, {7}).status, AdminStatus::illegal_parameter);
    // A shared receive queue cannot go before those that share it.
    cr_assert_eq(h.ask(AdminOp::destroy_queue_pair, {1}).status, AdminStatus::ok);
    cr_assert_eq(h.ask(AdminOp::destroy_queue_pair, {2}).status, AdminStatus::ok);
    const uint64_t shared =
        h.ask(AdminOp::create_shared_receive, {0, h.queue_at, h.queue_at}).results[0];
    const auto any = Host::words(0);
    const AdminAnswer sharing = h.ask(AdminOp::create_queue_pair,
                                      {0, h.queue_at, h.queue_at, any[0], any[1], any[2], shared});
    cr_assert_eq(sharing.status, AdminStatus::ok);
    cr_assert_eq(h.ask(AdminOp::destroy_queue_pair, {shared}).status, AdminStatus::busy);
    h.handshake();
    cr_assert(b.backend.queue_pairs.empty() && b.backend.handles.empty(), "a reset leaves nothing");
}

Test(function_resources, R5_functions_cannot_touch_each_others_resources) {
    Bench b;
    cr_assert(is_ok(enable_virtual(b.adapter.config_spaces(), 2, b.now)));
    Host one(b.adapter, 1, b.now), two(b.adapter, 2, b.now);
    one.bring_up();
    two.bring_up();
    for (Host* h : {&one, &two})
        cr_assert_eq(h->ask(AdminOp::set_feature, {kFeatureDeviceMemory}).status, AdminStatus::ok);
    const uint64_t at = one.ask(AdminOp::allocate_resource, {kQueueBytes}).results[1];
    cr_assert_eq(two.create(QueuePlace::device_memory, at).status, AdminStatus::illegal_parameter);
    cr_assert_eq(two.ask(AdminOp::free_resource, {at}).status, AdminStatus::illegal_parameter);
    cr_assert_null(two.f.device_memory(at, 1));
    const AdminAnswer a = one.create(QueuePlace::device_memory, at);
    cr_assert_eq(two.ask(AdminOp::destroy_queue_pair, {a.results[0]}).status,
                 AdminStatus::illegal_parameter);
    // One goes, the other stays.
    two.handshake();
    cr_assert_eq(b.backend.queue_pairs.size(), 1u);
    const uint16_t express = find_capability(b.adapter.config_spaces(), 1, 0x10, false, b.now);
    uint32_t v = 0;
    cr_assert(is_ok(b.adapter.access(
        {1, static_cast<uint16_t>(express + pci::kDeviceControl), 2, true, pci::kFunctionReset},
        b.now, v)));
    cr_assert(b.backend.queue_pairs.empty());
    cr_assert_eq(one.reg(Register::status), 0u);
    cr_assert_eq(b.adapter.memory().allocations(), 0u);
}

Test(function_resources, R5_the_completion_queue_stays_with_the_function_that_has_it) {
    Bench b;
    cr_assert(is_ok(enable_virtual(b.adapter.config_spaces(), 2, b.now)));
    Host one(b.adapter, 1, b.now), two(b.adapter, 2, b.now);
    static CompletionEntry rings[2][Function::kCompletionEntriesMin];
    const auto create = [&](Host& h, size_t n) {
        return h
            .ask(AdminOp::create_completion_queue,
                 {h.map(rings[n], sizeof rings[n]), Function::kCompletionEntriesMin, 1})
            .status;
    };
    one.bring_up();
    two.bring_up();
    cr_assert_eq(create(one, 0), AdminStatus::ok);
    cr_assert_eq(create(two, 1), AdminStatus::busy);
    two.handshake();
    cr_assert(b.backend.completions.attached() && b.backend.resets == 0, "another's reset");
    one.handshake();
    two.bring_up();
    cr_assert_eq(create(two, 1), AdminStatus::ok, "it is free again");
}

Test(function_resources, doorbells_reach_only_the_queues_of_their_function) {
    CompletionHost c;
    Host& h = c.h;
    const uint64_t number = h.create(QueuePlace::host_memory, h.queue_at).results[0];
    h.f.write64(kSendDoorbell, queue_doorbell(static_cast<uint32_t>(number), 5, false), h.now);
    h.f.write64(kReceiveDoorbell, queue_doorbell(static_cast<uint32_t>(number), 7, true), h.now);
    cr_assert(c.b.backend.sends == std::vector<uint16_t>{5});
    cr_assert(c.b.backend.receives == std::vector<uint16_t>{7});
    h.f.write64(kSendDoorbell, queue_doorbell(99, 1, false), h.now);
    cr_assert_eq(c.b.backend.sends.size(), 1u, "not a queue pair of this function");
    cr_assert_eq(h.events[0].value, kSendDoorbell);
    c.b.backend.doorbell_fault = Fault::bad_entry;
    h.f.write64(kSendDoorbell, queue_doorbell(static_cast<uint32_t>(number), 6, false), h.now);
    cr_assert_eq(h.reg(Register::fault), static_cast<uint32_t>(Fault::bad_entry));
    cr_assert_eq(c.moved, kNotReady);
}

Test(function_resources, memory_regions_are_the_functions_that_registered_them) {
    Bench b;
    cr_assert(is_ok(enable_virtual(b.adapter.config_spaces(), 2, b.now)));
    Host one(b.adapter, 1, b.now), two(b.adapter, 2, b.now);
    one.bring_up();
    two.bring_up();
    uint64_t words[2] = {};
    const iovec pieces[2] = {{words, 8}, {words + 1, 8}};
    const uint64_t list = one.map(const_cast<iovec*>(pieces), sizeof pieces);
    const AdminAnswer a =
        one.ask(AdminOp::register_memory, {0, kRegionReadable | kRegionOwnKey, 4096, list, 2});
    cr_assert_eq(a.status, AdminStatus::ok);
    cr_assert(b.backend.last_region.length == 16 && b.backend.last_region.base == 4096);
    const uint64_t key = a.results[0];
    cr_assert_eq(one.ask(AdminOp::register_memory, {key, 0, 0, list, 1}).status, AdminStatus::busy);
    cr_assert_eq(one.ask(AdminOp::register_memory, {9, 0, 0, list, 3}).status,
                 AdminStatus::illegal_parameter, "the list is not mapped that far");
    cr_assert_eq(one.ask(AdminOp::register_memory, {9, 4, 0, list, 1}).status,
                 AdminStatus::illegal_parameter, "a right that there is not");
    cr_assert_eq(two.ask(AdminOp::deregister_memory, {key}).status, AdminStatus::illegal_parameter);
    cr_assert_eq(two.ask(AdminOp::change_memory, {key, 0, 0, list, 1}).status,
                 AdminStatus::illegal_parameter);
    cr_assert_eq(one.ask(AdminOp::change_memory, {key, 0, 0, list, 1}).status, AdminStatus::ok);
    cr_assert_eq(b.backend.last_region.length, 8u);
    cr_assert_eq(one.ask(AdminOp::deregister_memory, {key}).status, AdminStatus::ok);
    cr_assert(b.backend.keys.empty());
}
