// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "rdm/driver.hpp"

#include "nic/config_dump.hpp"
#include "nic/queue_pair.hpp"

#include <array>
#include <atomic>
#include <cstring>
#include <span>

namespace rill::rdm {
namespace {

constexpr uint32_t kFabricController = 0x020800;
constexpr uint32_t kWindow = 0xd0000000; // where address registers are placed, under 4 GiB
constexpr uint32_t kKnownFeatures = nic::kFeatureDeviceMemory | nic::kFeatureAsyncEvents;

uint16_t phase_of(uint32_t index, uint32_t entries) {
    return index / entries % 2 == 0 ? nic::kPhaseBit : 0;
}

// The phase first, then, once it is there, the rest.
template <class T>
bool is_there(T& entry, uint16_t phase) {
    return (std::atomic_ref<uint16_t>(reinterpret_cast<uint16_t&>(entry))
                .load(std::memory_order_acquire) &
            nic::kPhaseBit) == phase;
}

template <class T>
std::span<std::byte> bytes_of(std::vector<T>& v) {
    return std::as_writable_bytes(std::span(v));
}

Status status_of(nic::AdminStatus s) {
    switch (s) {
    case nic::AdminStatus::ok: return Status::ok;
    case nic::AdminStatus::resource_failure: return Status::no_memory;
    case nic::AdminStatus::bad_opcode:
    case nic::AdminStatus::unsupported: return Status::unsupported;
    case nic::AdminStatus::malformed:
    case nic::AdminStatus::illegal_parameter: return Status::invalid;
    case nic::AdminStatus::busy: return Status::address_in_use;
    }
    return Status::io_error;
}

std::array<uint64_t, nic::kAddressWords> words_of(const wire::Address& a) {
    std::array<uint64_t, nic::kAddressWords> w;
    std::memcpy(w.data(), &a, sizeof a);
    return w;
}

} // namespace

Status Driver::give_up(const char* where) {
    log_.print(LogLevel::warn, "device %s: %s (status %#x, fault %u)", adapter_.type().name.c_str(),
               where, function_ ? read(nic::Register::status) : 0,
               function_ ? read(nic::Register::fault) : 0);
    return Status::io_error;
}

Status Driver::bring_up(Instant now) {
    using nic::Register;
    now_ = now;
    uint32_t v = 0;
    if (!is_ok(adapter_.config({0, 0x08, 4, false, 0}, now, v)) || v >> 8 != kFabricController)
        return give_up("function 0 is no fabric controller");
    if (!is_ok(nic::assign_addresses(adapter_.config_spaces(), 0, kWindow, now)))
        return give_up("configuration space");
    function_ = adapter_.function(0);
    if (!function_ || read(Register::version) >> 16 != nic::kMapVersion >> 16)
        return give_up("registers of another version");
    write(Register::control, nic::kControlReset);
    if (!(read(Register::status) & nic::kStatusResetting)) return give_up("no reset");
    write(Register::control, 0);
    if (!(read(Register::status) & nic::kStatusReady)) return give_up("not ready after a reset");

    commands_.resize(kEntries);
    answers_.resize(kEntries);
    const uint64_t commands = function_->dma().map(bytes_of(commands_));
    const uint64_t answers = function_->dma().map(bytes_of(answers_));
    write(Register::admin_base_low, commands);
    write(Register::admin_base_high, commands >> 32);
    write(Register::answer_base_low, answers);
    write(Register::answer_base_high, answers >> 32);
    write(Register::admin_size, kEntries);
    nic::AdminAnswer a;
    if (ask(nic::AdminOp::get_feature, {}, a) != nic::AdminStatus::ok)
        return give_up("the admin queue does not answer");
    features_ = static_cast<uint32_t>(a.results[0]) & kKnownFeatures;
    if (ask(nic::AdminOp::set_feature, {features_}, a) != nic::AdminStatus::ok)
        return give_up("features are refused");
    if (features_ & nic::kFeatureAsyncEvents) {
        events_.resize(kEntries);
        const uint64_t events = function_->dma().map(bytes_of(events_));
        write(Register::event_base_low, events);
        write(Register::event_base_high, events >> 32);
        write(Register::event_size, kEntries);
    }
    if (!(read(Register::status) & nic::kStatusReady)) return give_up("queues are refused");
    return Status::ok;
}

nic::AdminStatus Driver::ask(nic::AdminOp op, std::initializer_list<uint64_t> arguments,
                             nic::AdminAnswer& answer) {
    const uint32_t slot = written_ % kEntries;
    const uint16_t phase = phase_of(written_, kEntries);
    nic::AdminCommand& c = commands_[slot];
    c = {};
    c.op = op;
    std::copy(arguments.begin(), arguments.end(), c.arguments);
    c.id_and_phase = static_cast<uint16_t>((written_ & nic::kCommandIdMask) | phase);
    write(nic::Register::admin_doorbell, (++written_) & 0xffff);
    // The device runs in the store: no answer now is none ever, and it is fatal.
    const bool answered = is_there(answers_[slot], phase);
    if (answered) answer = answers_[slot];
    drain_events();
    if (!answered) {
        (void)give_up("an admin command is not answered");
        return nic::AdminStatus::resource_failure;
    }
    return answer.status;
}

void Driver::drain_events() {
    const uint32_t before = events_read_;
    while (!events_.empty() &&
           is_there(events_[events_read_ % kEntries], phase_of(events_read_, kEntries))) {
        const nic::AsyncEvent& e = events_[events_read_ % kEntries];
        log_.print(LogLevel::warn, "device %s: event %u, value %#llx", adapter_.type().name.c_str(),
                   static_cast<unsigned>(e.kind), static_cast<unsigned long long>(e.value));
        ++events_read_;
    }
    if (events_read_ != before) function_->write64(nic::kEventDoorbell, events_read_);
}

Driver::SendQueue Driver::make_send_queue() {
    SendQueue queue;
    nic::AdminAnswer a;
    if (features_ & nic::kFeatureDeviceMemory &&
        ask(nic::AdminOp::allocate_resource, {nic::QueuePair::kSendBytes}, a) ==
            nic::AdminStatus::ok) {
        queue.place = nic::QueuePlace::device_memory;
        queue.at = a.results[1];
        return queue;
    }
    constexpr size_t kBytes = nic::QueuePair::kSendBytes;
    queue.place = nic::QueuePlace::host_memory;
    queue.memory = std::make_unique<std::byte[]>(kBytes);
    queue.at = function_->dma().map({queue.memory.get(), kBytes});
    return queue;
}

void Driver::free_send_queue(const SendQueue& queue) {
    nic::AdminAnswer a;
    if (queue.place == nic::QueuePlace::device_memory)
        ask(nic::AdminOp::free_resource, {queue.at}, a);
    else
        function_->dma().unmap(queue.at);
}

Status Driver::create_queue_pair(wire::Address& bound, uint32_t shared, uint32_t& number) {
    SendQueue queue = make_send_queue();
    const auto w = words_of(bound);
    nic::AdminAnswer a;
    const nic::AdminStatus s =
        ask(nic::AdminOp::create_queue_pair,
            {static_cast<uint64_t>(queue.place), queue.at, w[0], w[1], w[2], shared}, a);
    if (s != nic::AdminStatus::ok) {
        free_send_queue(queue);
        return status_of(s);
    }
    number = static_cast<uint32_t>(a.results[0]);
    std::memcpy(static_cast<void*>(&bound), &a.results[1], sizeof bound);
    send_queues_[number] = std::move(queue);
    return Status::ok;
}

Status Driver::create_shared_receive(uint32_t& number) {
    SendQueue queue = make_send_queue();
    nic::AdminAnswer a;
    const nic::AdminStatus s =
        ask(nic::AdminOp::create_shared_receive, {static_cast<uint64_t>(queue.place), queue.at}, a);
    if (s != nic::AdminStatus::ok) {
        free_send_queue(queue);
        return status_of(s);
    }
    number = static_cast<uint32_t>(a.results[0]);
    send_queues_[number] = std::move(queue);
    return Status::ok;
}

void Driver::destroy_queue_pair(uint32_t number, Instant now) {
    now_ = now;
    nic::AdminAnswer a;
    if (ask(nic::AdminOp::destroy_queue_pair, {number}, a) != nic::AdminStatus::ok)
        log_.print(LogLevel::warn, "queue pair %u is not destroyed: admin status %u", number,
                   static_cast<unsigned>(a.status));
    if (const auto it = send_queues_.find(number); it != send_queues_.end()) {
        free_send_queue(it->second);
        send_queues_.erase(it);
    }
}

Status Driver::create_address_handle(const wire::Address& address, uint32_t& handle) {
    const auto w = words_of(address);
    nic::AdminAnswer a;
    const nic::AdminStatus s = ask(nic::AdminOp::create_address_handle, {w[0], w[1], w[2]}, a);
    if (s == nic::AdminStatus::ok) handle = static_cast<uint32_t>(a.results[0]);
    return status_of(s);
}

void Driver::destroy_address_handle(uint32_t handle) {
    nic::AdminAnswer a;
    if (ask(nic::AdminOp::destroy_address_handle, {handle}, a) != nic::AdminStatus::ok)
        log_.print(LogLevel::warn, "address handle %u is not destroyed", handle);
}

} // namespace rill::rdm
