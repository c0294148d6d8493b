// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

// A device on a bench: a backend that counts, and hosts that drive its functions as the protocol says.

#include "nic/adapter.hpp"
#include "nic/completion_ring.hpp"
#include "nic/config_dump.hpp"
#include "nic/entries.hpp"
#include "nic/queue_pair.hpp"
#include "nic/shipped_types.hpp"

#include <criterion/criterion.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <string>
#include <vector>

namespace rill::test {

using namespace rill::nic;

inline DeviceType shipped(size_t n) {
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
    bool attach_completions(CompletionEntry* memory, uint32_t entries) override {
        if (completions.attached()) return false;
        completions.attach(memory, entries);
        return true;
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

inline constexpr uint32_t kEntries = 8;

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

inline constexpr uint32_t kCompletions = Function::kCompletionEntriesMin;

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

} // namespace rill::test
