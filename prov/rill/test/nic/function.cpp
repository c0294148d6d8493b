// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A device driven as a host does: configuration space, registers, admin queue, events.
#include "nic/adapter.hpp"
#include "nic/completion_ring.hpp"
#include "nic/config_dump.hpp"
#include "nic/entries.hpp"
#include "nic/queue_pair.hpp"
#include "nic/shipped_types.hpp"
#include "util/prng.hpp"

#include <criterion/criterion.h>

#include <cstring>
#include <set>

using namespace rill;
using namespace rill::nic;

namespace {

DeviceType shipped(size_t n) {
    DeviceType type;
    std::string error;
    cr_assert(read_device_type(shipped_device_types()[n], type, error), "%s", error.c_str());
    return type;
}

// Counts what is there, and refuses on request.
struct Backend : FunctionBackend {
    std::set<uint32_t> queue_pairs;
    QueueMemory last_queue;
    std::multiset<uint32_t> handles;
    Status refuse = Status::ok;

    Status create_queue_pair(wire::Address& bound, const QueueMemory& queue, uint32_t,
                             uint32_t& number) override {
        if (!is_ok(refuse)) return refuse;
        number = queue_pairs.empty() ? 1 : *queue_pairs.rbegin() + 1;
        queue_pairs.insert(number);
        bound.port = 4711;
        last_queue = queue;
        return Status::ok;
    }
    Status create_shared_receive(const QueueMemory& queue, uint32_t& number) override {
        wire::Address none;
        return create_queue_pair(none, queue, 0, number);
    }
    void destroy_queue_pair(uint32_t number, Instant) override {
        cr_assert_eq(queue_pairs.erase(number), 1u, "of a queue pair that is there");
    }
    uint32_t acquire_address(const wire::Address& a) override {
        handles.insert(a.port);
        return a.port;
    }
    void release_address(uint32_t h) override {
        const auto it = handles.find(h);
        cr_assert(it != handles.end());
        handles.erase(it);
    }
    size_t statistics(std::span<uint64_t> out) const override {
        for (size_t i = 0; i < std::min<size_t>(out.size(), 3); ++i)
            out[i] = 100 + i;
        return 3;
    }
    std::set<uint64_t> keys;
    void attach_completions(CompletionEntry* memory, uint32_t entries) override {
        completions.attach(memory, entries);
    }
    void detach_completions() override { completions.detach(); }
    bool register_memory(uint64_t& key, bool own_key, MemoryRegion region) override {
        if (own_key) key = 77 + keys.size();
        last_region = std::move(region);
        return keys.insert(key).second;
    }
    void change_memory(uint64_t, MemoryRegion region) override { last_region = std::move(region); }
    void deregister_memory(uint64_t key, Instant) override {
        cr_assert_eq(keys.erase(key), 1u, "of a region that is there");
    }
    void take_leave(LeaveStep, Instant) override { ++leaves; }
    Fault ring_send(uint32_t number, uint16_t written, bool, Instant) override {
        cr_assert(queue_pairs.contains(number));
        sends.push_back(written);
        return doorbell_fault;
    }
    Fault ring_receive(uint32_t number, uint16_t written) override {
        cr_assert(queue_pairs.contains(number));
        receives.push_back(written);
        return doorbell_fault;
    }
    // What has come in shows as entries.
    Fault run(Instant, bool receive, bool) override {
        for (; receive && arriving > 0 && completions.room() > 0; --arriving) {
            completions.blank(EntryKind::sent);
            completions.commit();
            ++moved_;
        }
        return Fault::none;
    }
    bool store_completions(const CompletionDoorbell& d) override {
        const bool right = completions.store(d);
        armed_ = completions.armed();
        return right;
    }
    bool announce(Instant now) override {
        const bool raises = completions.announce(now);
        armed_ = completions.armed();
        return raises;
    }
    Instant next_deadline() const override { return completions.fires_at(); }
    bool outstanding() const override { return arriving > 0; }
    bool left(Instant) const override { return leaves > 0; }
    void reset(Instant) override { ++resets; }

    CompletionRing completions;
    MemoryRegion last_region;
    std::vector<uint16_t> sends, receives;
    Fault doorbell_fault = Fault::none;
    uint32_t arriving = 0;
    int leaves = 0, resets = 0;
};

struct Interrupts : InterruptSink {
    int raised = 0;
    void raise(uint16_t, uint16_t) override { ++raised; }
};

constexpr uint32_t kEntries = 8;

// One function and its host, which follows the protocol.
struct Host {
    Host(Adapter& adapter, uint16_t number, Instant now)
        : adapter(adapter), f(*adapter.function(number)), now(now) {}

    Adapter& adapter;
    Function& f;
    Instant now;
    alignas(64) AdminCommand commands[kEntries] = {};
    alignas(64) AdminAnswer answers[kEntries] = {};
    alignas(64) AsyncEvent events[kEntries] = {};
    alignas(64) std::byte queue[kQueueBytes] = {};
    uint32_t written = 0;
    uint64_t command_at = 0, answer_at = 0, event_at = 0, queue_at = 0;

    uint32_t reg(Register r) { return f.read(static_cast<uint32_t>(r)); }
    void set(Register r, uint64_t v) {
        f.write(static_cast<uint32_t>(r), static_cast<uint32_t>(v), now);
    }
    void handshake() {
        set(Register::control, kControlReset);
        cr_assert_eq(reg(Register::status), kStatusResetting);
        set(Register::control, 0);
        cr_assert_eq(reg(Register::status), kStatusReady | kStatusResetFinished);
    }
    uint64_t map(void* p, size_t n) { return f.map({static_cast<std::byte*>(p), n}); }
    void bring_up() {
        std::fill(std::begin(commands), std::end(commands), AdminCommand{});
        std::fill(std::begin(answers), std::end(answers), AdminAnswer{});
        std::fill(std::begin(events), std::end(events), AsyncEvent{});
        written = 0;
        handshake();
        if (!command_at) {
            command_at = map(commands, sizeof commands);
            answer_at = map(answers, sizeof answers);
            event_at = map(events, sizeof events);
            queue_at = map(queue, sizeof queue);
        }
        set(Register::admin_base_low, command_at);
        set(Register::admin_base_high, command_at >> 32);
        set(Register::answer_base_low, answer_at);
        set(Register::answer_base_high, answer_at >> 32);
        set(Register::event_base_low, event_at);
        set(Register::event_base_high, event_at >> 32);
        set(Register::event_size, kEntries);
        set(Register::admin_size, kEntries);
        cr_assert_eq(reg(Register::status), kStatusReady | kStatusResetFinished);
    }
    AdminAnswer ask(AdminOp op, std::initializer_list<uint64_t> arguments) {
        AdminCommand& c = commands[written % kEntries];
        const uint16_t phase = written / kEntries % 2 == 0 ? kPhaseBit : 0;
        c = {};
        c.op = op;
        std::copy(arguments.begin(), arguments.end(), c.arguments);
        const auto id = static_cast<uint16_t>(written & kCommandIdMask);
        c.id_and_phase = id | phase;
        set(Register::admin_doorbell, (written + 1) & 0xffff);
        const AdminAnswer& a = answers[written % kEntries];
        cr_assert_eq(a.id_and_phase, id | phase, "answered, with the id and the phase");
        ++written;
        cr_assert_eq(a.consumed, written);
        return a;
    }
    static std::array<uint64_t, 3> words(uint16_t port) {
        wire::Address a;
        a.family = wire::Family::ip4;
        a.ip = {127, 0, 0, 1};
        a.port = port;
        std::array<uint64_t, 3> w;
        std::memcpy(w.data(), &a, sizeof a);
        return w;
    }
    AdminAnswer create(QueuePlace place, uint64_t at, uint16_t port = 0) {
        const auto w = words(port);
        return ask(AdminOp::create_queue_pair,
                   {static_cast<uint64_t>(place), at, queue_at, w[0], w[1], w[2]});
    }
};

struct Bench {
    explicit Bench(size_t which = 0) : adapter(shipped(which), backend) {
        adapter.connect_interrupts(&interrupts);
        cr_assert(is_ok(assign_addresses(adapter.config_spaces(), 0, 0xe0000000, now)));
    }
    Backend backend;
    Interrupts interrupts;
    Instant now{std::chrono::seconds(1)};
    Adapter adapter;
};

} // namespace

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

Test(function, R1_R2_allocated_memory_works_as_a_send_queue_with_no_other_setup) {
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

Test(function, queue_pairs_and_handles_have_limits_and_owners) {
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

Test(function, R5_functions_cannot_touch_each_others_resources) {
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

Test(function, M1_M4_events_interrupt_once_and_masked_vectors_stay_pending) {
    Bench b;
    Host h(b.adapter, 0, b.now);
    h.bring_up();
    const uint16_t msix = find_capability(b.adapter.config_spaces(), 0, 0x11, false, b.now);
    uint32_t v = 0;
    cr_assert(is_ok(b.adapter.access(
        {0, static_cast<uint16_t>(msix + pci::kMsixControl), 2, true, 0x8000}, b.now, v)));
    h.f.write(kMsixTable + 12, 0, h.now); // unmask vector 0
    h.f.write64(kEventDoorbell, EventDoorbell::kArm, h.now);
    const auto provoke = [&] { h.set(Register::status, 1); };
    provoke();
    provoke();
    cr_assert_eq(b.interrupts.raised, 1);
    h.f.write64(kEventDoorbell, 1 | EventDoorbell::kArm, h.now);
    cr_assert_eq(b.interrupts.raised, 2, "one is beyond the index");
    h.f.write(kMsixTable + 12, 1, h.now);
    h.f.write64(kEventDoorbell, 2 | EventDoorbell::kArm, h.now);
    provoke();
    cr_assert_eq(b.interrupts.raised, 2);
    cr_assert_eq(h.f.read(kMsixPending), 1u);
    h.f.write(kMsixTable + 12, 0, h.now);
    cr_assert_eq(b.interrupts.raised, 3, "delivered when it is unmasked");
    cr_assert_eq(h.f.read(kMsixPending), 0u);
}

namespace {

constexpr uint32_t kCompletions = Function::kCompletionEntriesMin;

// A host with a completion queue on vector 1, and its interrupts unmasked.
struct CompletionHost {
    explicit CompletionHost(uint32_t features = kFeatureModeration) {
        h.bring_up();
        cr_assert_eq(h.ask(AdminOp::set_feature, {features}).status, AdminStatus::ok);
        const uint64_t at = h.map(entries, sizeof entries), word = h.map(&moved, sizeof moved);
        cr_assert_eq(h.ask(AdminOp::create_completion_queue, {at, kCompletions, 1, word}).status,
                     AdminStatus::ok);
        const uint16_t msix = find_capability(b.adapter.config_spaces(), 0, 0x11, false, b.now);
        uint32_t v = 0;
        cr_assert(is_ok(b.adapter.access(
            {0, static_cast<uint16_t>(msix + pci::kMsixControl), 2, true, 0x8000}, b.now, v)));
        h.f.write(kMsixTable + 16 + 12, 0, h.now);
    }
    void arrive(uint32_t n) {
        b.backend.arriving = n;
        run();
    }
    void run() { h.f.write64(kRun, kRunReceive, h.now); }
    void store(bool arm, uint8_t count = 0, uint16_t micros = 0) {
        h.f.write64(kCompletionDoorbell,
                    CompletionDoorbell{read, sequence, count, micros, arm}.value(), h.now);
        sequence += arm;
        last_stored = read;
    }
    // Takes what is there.
    uint32_t take() {
        uint32_t n = 0;
        while (entries[read % kCompletions].phase == (read / kCompletions % 2 == 0)) {
            ++read;
            ++n;
        }
        return n;
    }
    int raised() const { return b.interrupts.raised; }
    uint32_t stored() const { return last_stored; }

    alignas(64) CompletionEntry entries[kCompletions] = {};
    alignas(8) uint64_t moved = 0;
    Bench b;
    Host h{b.adapter, 0, b.now};
    uint32_t read = 0;
    uint32_t last_stored = 0;
    uint8_t sequence = 0;
};

} // namespace

Test(function, M1_completions_interrupt_once_and_mask) {
    CompletionHost c;
    c.store(true);
    c.arrive(1);
    cr_assert_eq(c.raised(), 1);
    c.arrive(3);
    cr_assert_eq(c.raised(), 1, "it has masked itself");
    cr_assert_eq(c.take(), 4u);
}

Test(function, M2_M3_M4_M5_one_store_carries_index_and_arm) {
    CompletionHost c;
    c.arrive(2);
    c.take();
    c.store(false);
    c.arrive(1);
    cr_assert_eq(c.raised(), 0, "an index without the bit leaves it masked");
    c.store(true);
    cr_assert_eq(c.raised(), 1, "one is beyond the index already");
    c.take();
    c.store(true);
    cr_assert_eq(c.raised(), 1);
    c.arrive(1);
    cr_assert_eq(c.raised(), 2, "index and arm took effect together");
    c.h.f.write64(kCompletionDoorbell, CompletionDoorbell{.consumer = c.read + 2}.value(), c.h.now);
    cr_assert(c.h.reg(Register::status) & kStatusFatal, "what was not written cannot be read");
}

Test(function, M2_an_old_arming_store_that_comes_late_does_not_arm) {
    CompletionHost c;
    c.store(true);
    const uint64_t old = CompletionDoorbell{c.read, 0, 0, 0, true}.value();
    c.arrive(1);
    cr_assert_eq(c.raised(), 1);
    c.h.f.write64(kCompletionDoorbell, old, c.h.now);
    cr_assert_eq(c.raised(), 1, "its sequence number is past");
    c.store(true);
    cr_assert_eq(c.raised(), 2);
}

Test(function, M1_moderation_waits_for_the_count_or_the_time) {
    CompletionHost c;
    c.store(true, 4, 100);
    c.arrive(3);
    cr_assert_eq(c.raised(), 0);
    cr_assert_eq(c.h.f.read64(kDeadline),
                 static_cast<uint64_t>(
                     (c.h.now + std::chrono::microseconds(100)).time_since_epoch().count()),
                 "the host knows when the device needs time");
    c.arrive(1);
    cr_assert_eq(c.raised(), 1, "the count");
    c.take();
    c.store(true, 4, 100);
    c.arrive(1);
    c.h.now += std::chrono::microseconds(99);
    c.run();
    cr_assert_eq(c.raised(), 1);
    c.h.now += std::chrono::microseconds(1);
    c.run();
    cr_assert_eq(c.raised(), 2, "the time: no wake-up is lost for want of company");
    cr_assert_eq(c.h.f.read64(kDeadline), UINT64_MAX);
    CompletionHost plain(0); // not negotiated
    plain.store(true, 4, 100);
    cr_assert(plain.h.events[0].kind == AsyncEventKind::warning &&
              plain.h.events[0].value == kCompletionDoorbell);
}

// The host reads, stores and sleeps; the device completes; in every order, with and without moderation.
// A host that sleeps on an armed queue is woken.
Test(function, M4_no_order_of_arming_and_completing_loses_a_wake_up) {
    constexpr uint32_t kSteps = 9;
    for (const bool moderated : {false, true}) {
        CompletionHost c;
        for (uint32_t order = 0; order < 1u << 2 * kSteps; ++order) {
            c.take();
            c.store(false);
            bool armed = false;
            int before = c.raised();
            for (uint32_t i = 0; i < kSteps && (order >> 2 * i) != 0; ++i) {
                switch (order >> 2 * i & 3) {
                case 0: c.arrive(1); break;
                case 1: c.take(); break;
                case 2:
                    c.store(false);
                    armed = false;
                    break;
                case 3:
                    before = c.raised();
                    c.store(true, moderated ? 3 : 0, moderated ? 5 : 0);
                    armed = true;
                    break;
                }
            }
            c.h.now += std::chrono::microseconds(10); // asleep until the device's deadline
            c.run();
            const bool beyond = c.b.backend.moved() != c.stored();
            if (armed)
                cr_assert_eq(c.raised() - before, beyond, "order %x", order);
            else
                cr_assert_leq(c.raised() - before, 1, "order %x", order);
        }
    }
}

Test(function, doorbells_reach_only_the_queues_of_their_function) {
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

Test(function, memory_regions_are_the_functions_that_registered_them) {
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

Test(function, whatever_a_host_writes_the_device_answers_and_stays_in_its_memory) {
    for (uint64_t seed = 1; seed <= 200; ++seed) {
        Prng random(seed);
        Bench b;
        (void)enable_virtual(b.adapter.config_spaces(), 2, b.now);
        struct Fenced { // a queue that is overrun shows in the fence
            uint64_t before[8];
            Host host;
            uint64_t after[8];
        };
        Fenced fenced{{}, Host(b.adapter, 1, b.now), {}};
        Host& h = fenced.host;
        h.bring_up();
        (void)h.ask(AdminOp::set_feature, {random.below(16)});
        const auto odd = [&]() -> uint64_t {
            switch (random.below(8)) {
            case 0: return UINT64_MAX;
            case 1: return uint64_t{1} << random.below(64);
            case 2: return h.queue_at + random.below(128);
            case 3: return h.command_at;
            case 4: return 0;
            case 5: return random.below(5);
            case 6: return 2;
            default: return random.next();
            }
        };
        for (int step = 0; step < 400; ++step) {
            switch (random.below(6)) {
            case 0:
                h.f.write(static_cast<uint32_t>(random.below(0x16) * 4),
                          static_cast<uint32_t>(odd()), h.now);
                break;
            case 1:
                h.f.write64(static_cast<uint32_t>(
                                random.chance(0.8) ? kEventDoorbell + 8 * random.below(6) : odd()),
                            odd(), h.now);
                (void)h.f.read64(static_cast<uint32_t>(kDeadline + 8 * random.below(2)));
                break;
            case 2:
                h.f.write(static_cast<uint32_t>(random.below(0x4000)), static_cast<uint32_t>(odd()),
                          h.now);
                (void)h.f.read(static_cast<uint32_t>(odd()));
                break;
            default: {
                const bool runs =
                    h.reg(Register::status) & kStatusReady &&
                    h.reg(Register::admin_size) == kEntries && h.f.commands() == h.written &&
                    h.reg(Register::admin_base_low) == static_cast<uint32_t>(h.command_at) &&
                    h.reg(Register::answer_base_low) == static_cast<uint32_t>(h.answer_at);
                if (!runs) {
                    h.bring_up();
                    continue;
                }
                AdminCommand& c = h.commands[h.written % kEntries];
                c = {};
                c.op = static_cast<AdminOp>(random.below(19));
                for (uint64_t& a : c.arguments)
                    a = random.chance(0.4) ? odd() : 0;
                if (random.chance(0.5)) {
                    const auto w = Host::words(static_cast<uint16_t>(random.below(9)));
                    std::copy(w.begin(), w.end(), c.arguments + (random.chance(0.5) ? 0 : 2));
                }
                if (random.chance(0.05)) c.reserved[random.below(5)] = 1;
                c.id_and_phase = (h.written / kEntries % 2 == 0 ? kPhaseBit : 0) | 7;
                h.set(Register::admin_doorbell, (h.written + 1) & 0xffff);
                const AdminAnswer& a = h.answers[h.written % kEntries];
                cr_assert_eq(h.f.commands(), ++h.written, "seed %lu step %d", seed, step);
                cr_assert_eq(a.consumed, h.written, "seed %lu", seed);
                cr_assert_leq(static_cast<int>(a.status), static_cast<int>(AdminStatus::busy));
            }
            }
        }
        for (int i = 0; i < 8; ++i)
            cr_assert(fenced.before[i] == 0 && fenced.after[i] == 0, "seed %lu", seed);
        cr_assert_eq(h.f.queue_pairs(), b.backend.queue_pairs.size(), "seed %lu", seed);
        h.handshake();
        cr_assert(b.backend.queue_pairs.empty() && b.backend.handles.empty(), "seed %lu", seed);
        cr_assert(b.backend.keys.empty() && !b.backend.completions.attached(), "seed %lu", seed);
        cr_assert_eq(b.adapter.memory().allocations(), 0u, "seed %lu", seed);
    }
}
