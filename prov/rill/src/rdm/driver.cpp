// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "rdm/driver.hpp"

#include "nic/config_dump.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

namespace rill::rdm {
namespace {

constexpr uint32_t kFabricController = 0x020800;
constexpr uint16_t kCommand = 0x04;      // in configuration space
constexpr uint32_t kWindow = 0xd0000000; // where address registers are placed, under 4 GiB
constexpr uint32_t kKnownFeatures =
    nic::kFeatureDeviceMemory | nic::kFeatureAsyncEvents | nic::kFeatureDedup;

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

std::array<uint64_t, nic::kAddressWords> words_of(const wire::Address& a) {
    std::array<uint64_t, nic::kAddressWords> w;
    std::memcpy(w.data(), &a, sizeof a);
    return w;
}

} // namespace

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

// The rings go, so the device may reach no memory any more. Not a reset: that would tell the peers.
Driver::~Driver() {
    uint32_t unused = 0;
    (void)bus_.config().access({0, kCommand, 2, true, 0}, now_, unused);
    for (const uint64_t at : mapped_)
        port_->unmap(at);
}

// ---- bring-up and reset -----------------------------------------------------------------------

Status Driver::give_up(const char* where) {
    down_ = true;
    log_.print(LogLevel::warn, "the device: %s (status %#x, fault %u)", where,
               port_ ? read(nic::Register::status) : 0, port_ ? read(nic::Register::fault) : 0);
    return Status::io_error;
}

uint64_t Driver::map(std::span<std::byte> memory) {
    mapped_.push_back(port_->map(memory));
    return mapped_.back();
}

void Driver::unmap(uint64_t at) {
    if (std::erase(mapped_, at) > 0) port_->unmap(at);
}

// A reset that is begun and not ended: the device has forgotten everything and touches nothing.
void Driver::take_down(Instant now) {
    now_ = now;
    down_ = true;
    write(nic::Register::control, nic::kControlReset);
    for (const uint64_t at : mapped_)
        port_->unmap(at);
    mapped_.clear();
    queues_.clear();
    unrung_ = nic::kNoQueuePair;
    unrung_entries_ = unrung_receives_ = 0;
    completions_read_ = completions_released_ = 0;
    std::fill(completions_.begin(), completions_.end(), nic::CompletionEntry{});
}

Status Driver::bring_up(Instant now) {
    uint32_t v = 0;
    now_ = now;
    if (!is_ok(bus_.config().access({0, 0x08, 4, false, 0}, now, v)) || v >> 8 != kFabricController)
        return give_up("function 0 is no fabric controller");
    if (!is_ok(nic::assign_addresses(bus_.config(), 0, kWindow, now)))
        return give_up("configuration space");
    port_ = bus_.port(0);
    if (!port_ || read(nic::Register::version) >> 16 != nic::kMapVersion >> 16)
        return give_up("registers of another version");
    take_down(now);
    if (!handshake()) return give_up("no reset");
    down_ = false;
    if (!start_admin()) return give_up("the admin queue does not answer, or refuses features");
    if (!start_events() || !start_completions()) return give_up("queues are refused");
    if (!is_ok(create_shared_receive(control_queue_))) return give_up("no control queue");
    for (const auto& [key, region] : regions_) {
        nic::AdminAnswer a;
        if (tell_region(nic::AdminOp::register_memory, key, region, a) != nic::AdminStatus::ok)
            return give_up("a memory region is refused");
    }
    return Status::ok;
}

// take_down() has begun the reset.
bool Driver::handshake() {
    if (!(read(nic::Register::status) & nic::kStatusResetting)) return false;
    write(nic::Register::control, 0);
    return read(nic::Register::status) & nic::kStatusReady;
}

bool Driver::start_admin() {
    using nic::Register;
    commands_.assign(kEntries, {});
    answers_.assign(kEntries, {});
    written_ = 0;
    const uint64_t commands = map(bytes_of(commands_));
    const uint64_t answers = map(bytes_of(answers_));
    write(Register::admin_base_low, commands);
    write(Register::admin_base_high, commands >> 32);
    write(Register::answer_base_low, answers);
    write(Register::answer_base_high, answers >> 32);
    write(Register::admin_size, kEntries);
    nic::AdminAnswer a;
    if (ask(nic::AdminOp::get_feature, {}, a) != nic::AdminStatus::ok) return false;
    features_ = static_cast<uint32_t>(a.results[0]) & kKnownFeatures;
    return ask(nic::AdminOp::set_feature, {features_}, a) == nic::AdminStatus::ok;
}

bool Driver::start_events() {
    using nic::Register;
    events_.clear();
    events_read_ = 0;
    if (!(features_ & nic::kFeatureAsyncEvents)) return true;
    events_.resize(kEntries);
    const uint64_t events = map(bytes_of(events_));
    write(Register::event_base_low, events);
    write(Register::event_base_high, events >> 32);
    write(Register::event_size, kEntries);
    return read(Register::status) & nic::kStatusReady;
}

bool Driver::start_completions() {
    completions_.resize(kCompletions);
    const uint64_t completions = map(bytes_of(completions_));
    const uint64_t moved = map(std::as_writable_bytes(std::span(&moved_now_, 1)));
    nic::AdminAnswer a;
    const nic::AdminStatus s =
        ask(nic::AdminOp::create_completion_queue, {completions, kCompletions, 0, moved}, a);
    moved_ = moved_now_;
    return s == nic::AdminStatus::ok;
}

// ---- commands ---------------------------------------------------------------------------------

nic::AdminStatus Driver::ask(nic::AdminOp op, std::initializer_list<uint64_t> arguments,
                             nic::AdminAnswer& answer) {
    if (down_) return nic::AdminStatus::resource_failure;
    ring(now_);
    const uint32_t slot = written_ % kEntries;
    const uint16_t phase = phase_of(written_, kEntries);
    nic::AdminCommand& c = commands_[slot];
    c = {};
    c.op = op;
    std::copy(arguments.begin(), arguments.end(), c.arguments);
    c.id_and_phase = static_cast<uint16_t>((written_ & nic::kCommandIdMask) | phase);
    write(nic::Register::admin_doorbell, (++written_) & 0xffff);
    // The device runs in the store: no answer now is none ever.
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
        log_.print(LogLevel::warn, "the device: event %u, value %#llx",
                   static_cast<unsigned>(e.kind), static_cast<unsigned long long>(e.value));
        ++events_read_;
    }
    if (events_read_ != before) store(nic::kEventDoorbell, events_read_, now_);
}

// The receive queue, and the send queue if it does not lie in device memory, in one piece.
Driver::Queues Driver::make_queues() {
    constexpr size_t kBytes = nic::kQueueBytes;
    Queues q;
    nic::AdminAnswer a;
    if ((features_ & nic::kFeatureDeviceMemory) &&
        ask(nic::AdminOp::allocate_resource, {kBytes}, a) == nic::AdminStatus::ok) {
        q.place = nic::QueuePlace::device_memory;
        q.send_at = a.results[1];
        q.send = reinterpret_cast<nic::SendEntry*>(port_->device_memory(q.send_at, kBytes));
    }
    const bool both = !q.send;
    q.memory = std::make_unique<std::byte[]>(both ? 2 * kBytes : kBytes);
    q.receive = reinterpret_cast<nic::ReceiveEntry*>(q.memory.get());
    q.receive_at = map({q.memory.get(), both ? 2 * kBytes : kBytes});
    if (!both) return q;
    q.place = nic::QueuePlace::host_memory;
    q.send_at = q.receive_at + kBytes;
    q.send = reinterpret_cast<nic::SendEntry*>(q.memory.get() + kBytes);
    return q;
}

void Driver::free_queues(Queues& q) {
    nic::AdminAnswer a;
    if (down_) return; // the reset has freed them
    if (q.place == nic::QueuePlace::device_memory) ask(nic::AdminOp::free_resource, {q.send_at}, a);
    port_->unmap(q.receive_at);
    std::erase(mapped_, q.receive_at);
    q = {};
}

void Driver::keep_queues(uint32_t number, Queues queues) {
    if (queues_.size() <= number) queues_.resize(number + 1);
    queues_[number] = std::move(queues);
}

Status Driver::create_queue_pair(wire::Address& bound, uint32_t shared, uint32_t& number) {
    Queues q = make_queues();
    const auto w = words_of(bound);
    nic::AdminAnswer a;
    const nic::AdminStatus s =
        ask(nic::AdminOp::create_queue_pair,
            {static_cast<uint64_t>(q.place), q.send_at, q.receive_at, w[0], w[1], w[2], shared}, a);
    if (s != nic::AdminStatus::ok) {
        free_queues(q);
        return status_of(s);
    }
    number = static_cast<uint32_t>(a.results[0]);
    std::memcpy(static_cast<void*>(&bound), &a.results[1], sizeof bound);
    keep_queues(number, std::move(q));
    return Status::ok;
}

Status Driver::create_shared_receive(uint32_t& number) {
    Queues q = make_queues();
    nic::AdminAnswer a;
    const nic::AdminStatus s = ask(nic::AdminOp::create_shared_receive,
                                   {static_cast<uint64_t>(q.place), q.send_at, q.receive_at}, a);
    if (s != nic::AdminStatus::ok) {
        free_queues(q);
        return status_of(s);
    }
    number = static_cast<uint32_t>(a.results[0]);
    keep_queues(number, std::move(q));
    return Status::ok;
}

void Driver::destroy_queue_pair(uint32_t number, Instant now) {
    now_ = now;
    nic::AdminAnswer a;
    if (down_) return;
    if (ask(nic::AdminOp::destroy_queue_pair, {number}, a) != nic::AdminStatus::ok)
        log_.print(LogLevel::warn, "queue pair %u is not destroyed: admin status %u", number,
                   static_cast<unsigned>(a.status));
    else
        free_queues(queues_[number]);
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
    if (down_) return;
    if (ask(nic::AdminOp::destroy_address_handle, {handle}, a) != nic::AdminStatus::ok)
        log_.print(LogLevel::warn, "address handle %u is not destroyed", handle);
}

// ---- memory regions ---------------------------------------------------------------------------

nic::AdminStatus Driver::tell_region(nic::AdminOp op, uint64_t key, const Region& r,
                                     nic::AdminAnswer& a) {
    if (down_) return nic::AdminStatus::resource_failure;
    std::vector<iovec> list = r.pieces;
    const uint64_t at = port_->map(bytes_of(list));
    const nic::AdminStatus s = ask(op, {key, r.flags, r.base, at, list.size()}, a);
    port_->unmap(at);
    return s;
}

Status Driver::register_memory(uint64_t& key, bool own_key, const RegionDescription& r) {
    Region region{{r.pieces, r.pieces + r.count},
                  r.base,
                  (r.readable ? nic::kRegionReadable : 0) |
                      (r.writable ? nic::kRegionWritable : 0)};
    const uint64_t rights = region.flags;
    if (own_key) region.flags |= nic::kRegionOwnKey;
    nic::AdminAnswer a;
    const nic::AdminStatus s =
        tell_region(nic::AdminOp::register_memory, own_key ? 0 : key, region, a);
    if (s == nic::AdminStatus::busy) return Status::busy;
    if (s != nic::AdminStatus::ok) return status_of(s);
    key = a.results[0];
    region.flags = rights; // after a reset it is asked for by its key
    regions_.insert_or_assign(key, std::move(region));
    return Status::ok;
}

void Driver::deregister_memory(uint64_t key, Instant now) {
    now_ = now;
    regions_.erase(key);
    nic::AdminAnswer a;
    if (down_) return;
    if (ask(nic::AdminOp::deregister_memory, {key}, a) != nic::AdminStatus::ok)
        log_.print(LogLevel::warn, "a memory region is not deregistered");
}

void Driver::take_leave(nic::LeaveStep step, Instant now) {
    now_ = now;
    nic::AdminAnswer a;
    (void)ask(nic::AdminOp::take_leave, {static_cast<uint64_t>(step)}, a);
}

// ---- running ----------------------------------------------------------------------------------

bool Driver::run(bool everywhere, Instant now) {
    ring(now);
    if (completions_read_ - completions_released_ >= kReleaseAt) release_completions(now);
    store(nic::kRun, nic::kRunReceive | (everywhere ? nic::kRunEverywhere : 0), now);
    const uint64_t moved = std::atomic_ref(moved_now_).load(std::memory_order_relaxed);
    if (moved == moved_) return false;
    if (moved == nic::kNotReady) [[unlikely]] {
        (void)give_up("it has stopped");
        return false;
    }
    moved_ = moved;
    return true;
}

Instant Driver::deadline() const {
    const uint64_t ns = port_->read64(nic::kDeadline);
    return ns == UINT64_MAX ? kNever : Instant(Duration(static_cast<int64_t>(ns)));
}

} // namespace rill::rdm
