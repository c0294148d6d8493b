// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "nic/function.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>

namespace rill::nic {
namespace {

constexpr uint32_t kResetTime = 1;  // 100 ms: a reset is done in the store that asks for it
constexpr uint32_t kAdminTime = 10; // likewise a command
constexpr uint32_t kDmaBits = 64;

uint32_t low(uint64_t v) {
    return static_cast<uint32_t>(v);
}
uint32_t high(uint64_t v) {
    return static_cast<uint32_t>(v >> 32);
}
void set_low(uint64_t& v, uint32_t half) {
    v = (v & ~uint64_t{UINT32_MAX}) | half;
}
void set_high(uint64_t& v, uint32_t half) {
    v = (v & UINT32_MAX) | uint64_t{half} << 32;
}

uint16_t phase_of(uint32_t index, uint32_t entries) {
    return index / entries % 2 == 0 ? kPhaseBit : 0;
}

// The phase tells the reader that the rest is there, so it is written last.
void publish(std::byte* at, uint16_t first, const void* entry) {
    std::memcpy(at + 2, static_cast<const std::byte*>(entry) + 2, 62);
    std::atomic_ref<uint16_t>(*reinterpret_cast<uint16_t*>(at))
        .store(first, std::memory_order_release);
}

} // namespace

Function::Function(uint16_t number, const DeviceType& type, DeviceMemory& memory,
                   FunctionBackend& backend, InterruptSink* const& interrupts)
    : number_(number), type_(type), memory_(memory), backend_(backend), interrupts_(interrupts) {
    const Capability* msix = type.find(CapabilityKind::msi_x);
    vectors_.resize(msix ? msix->value : 0);
}

uint32_t Function::status() const {
    return (state_ == State::ready ? kStatusReady : 0) |
           (state_ == State::resetting ? kStatusResetting : 0) |
           (reset_finished_ ? kStatusResetFinished : 0) |
           (state_ == State::fatal ? kStatusFatal : 0);
}

uint32_t Function::read(uint32_t offset) const {
    if (offset >= kMsixTable && offset - kMsixTable < vectors_.size() * 16)
        return vectors_[(offset - kMsixTable) / 16].words[offset / 4 % 4];
    if (offset >= kMsixPending && offset % 4 == 0 &&
        (offset - kMsixPending) * 8 < vectors_.size()) {
        uint32_t bits = 0;
        for (uint32_t i = (offset - kMsixPending) * 8, n = 0; n < 32 && i + n < vectors_.size();
             ++n)
            bits |= static_cast<uint32_t>(vectors_[i + n].pending) << n;
        return bits;
    }
    switch (static_cast<Register>(offset)) {
    case Register::version: return kMapVersion;
    case Register::controller_version: return uint32_t{type_.device_id} << 16 | type_.revision;
    case Register::capabilities: return kAdminTime << 16 | kDmaBits << 8 | kResetTime;
    case Register::admin_base_low: return low(admin_.base);
    case Register::admin_base_high: return high(admin_.base);
    case Register::admin_size: return admin_.entries;
    case Register::answer_base_low: return low(answers_.base);
    case Register::answer_base_high: return high(answers_.base);
    case Register::admin_doorbell: return 0; // write only
    case Register::event_base_low: return low(events_.base);
    case Register::event_base_high: return high(events_.base);
    case Register::event_size: return events_.entries;
    case Register::interrupt_mask: return interrupts_masked_;
    case Register::control: return control_;
    case Register::status: return status();
    case Register::fault: return static_cast<uint32_t>(fault_);
    case Register::activity:
        return (backend_.outstanding() ? kActivityOutstanding : 0) |
               (backend_.left(now_) ? kActivityLeft : 0);
    }
    return 0;
}

uint64_t Function::read64(uint32_t offset) const {
    if (offset != kDeadline) return 0;
    const Instant next = state_ == State::ready ? backend_.next_deadline() : kNever;
    return next == kNever ? UINT64_MAX : static_cast<uint64_t>(next.time_since_epoch().count());
}

void Function::write(uint32_t offset, uint32_t value, Instant now) {
    now_ = now;
    if (offset >= kMsixTable && offset % 4 == 0 && offset - kMsixTable < vectors_.size() * 16)
        return write_vector(offset - kMsixTable, value);
    const auto which = static_cast<Register>(offset);
    if (which == Register::control) return control(value, now);
    const bool right = [&] {
        if (state_ != State::ready) return false;
        switch (which) {
        // What a running queue stands on is fixed until the next reset.
        case Register::admin_base_low:
            return admin_.entries == 0 && (set_low(admin_.base, value), true);
        case Register::admin_base_high:
            return admin_.entries == 0 && (set_high(admin_.base, value), true);
        case Register::answer_base_low:
            return admin_.entries == 0 && (set_low(answers_.base, value), true);
        case Register::answer_base_high:
            return admin_.entries == 0 && (set_high(answers_.base, value), true);
        case Register::admin_size: return admin_.entries == 0 && (start_admin(value), true);
        case Register::event_base_low:
            return events_.entries == 0 && (set_low(events_.base, value), true);
        case Register::event_base_high:
            return events_.entries == 0 && (set_high(events_.base, value), true);
        case Register::event_size: return events_.entries == 0 && (start_events(value), true);
        case Register::admin_doorbell: ring_admin(value, now); return true;
        case Register::interrupt_mask:
            interrupts_masked_ = value & 1;
            set_msix(msix_enabled_, msix_masked_);
            return true;
        case Register::version:
        case Register::controller_version:
        case Register::capabilities:
        case Register::control:
        case Register::status:
        case Register::fault:
        case Register::activity: return false;
        }
        return false;
    }();
    if (!right) report(AsyncEventKind::warning, offset);
}

void Function::write64(uint32_t offset, uint64_t value, Instant now) {
    now_ = now;
    if (state_ != State::ready) [[unlikely]]
        return;
    // The three that every message needs are one function, and look at the interrupt only if it is
    // armed: each call between them was counted (docs/device.md).
    const auto number = static_cast<uint32_t>(value >> 16);
    const auto written = static_cast<uint16_t>(value);
    Fault fault = Fault::none;
    if (offset == kRun) {
        fault = backend_.run(now, value & kRunReceive, value & kRunEverywhere);
        if (moved_) *moved_ = backend_.moved();
        if (goes_wrong(FaultPoint::queue_overrun)) [[unlikely]]
            fault = Fault::overrun;
    } else if (offset == kSendDoorbell && has_queue_pair(number)) {
        fault = backend_.ring_send(number, written, value & kDoorbellMore, now);
    } else if (offset == kReceiveDoorbell && has_queue_pair(number)) {
        fault = backend_.ring_receive(number, written);
    } else {
        return store_other(offset, value);
    }
    if (fault != Fault::none) [[unlikely]]
        return fail(fault);
    if (backend_.armed()) [[unlikely]]
        announce();
}

void Function::store_other(uint32_t offset, uint64_t value) {
    if (offset == kCompletionDoorbell) return store_completion_doorbell(value);
    if (offset == kEventDoorbell) return store_event_doorbell(value);
    report(AsyncEventKind::warning, offset);
}

void Function::show_moved(uint64_t value) {
    if (moved_) *moved_ = value;
}

void Function::announce() {
    if (backend_.announce(now_)) raise(completion_vector_);
}

// Moderation that was not negotiated may not be asked for.
void Function::store_completion_doorbell(uint64_t value) {
    const auto d = CompletionDoorbell::from(value);
    const bool moderates = d.count || d.micros;
    if (completions_.entries == 0 || (moderates && !(features_ & kFeatureModeration)))
        return report(AsyncEventKind::warning, kCompletionDoorbell);
    if (!backend_.store_completions(d)) return fail(Fault::bad_doorbell);
    if (backend_.armed()) [[unlikely]]
        announce();
}

void Function::store_event_doorbell(uint64_t value) {
    if (events_.entries == 0) return report(AsyncEventKind::warning, kEventDoorbell);
    // What was not written cannot have been read.
    const uint32_t unread = event_doorbell_.produced() - event_consumer_;
    if (low(value) - event_consumer_ > unread) return fail(Fault::bad_doorbell);
    event_consumer_ = low(value);
    if (event_doorbell_.store(value & (EventDoorbell::kArm | UINT32_MAX))) raise(kEventVector);
}

std::byte* Function::device_memory(uint64_t offset, uint64_t bytes) {
    return memory_.at(number_, offset, bytes);
}

void Function::control(uint32_t value, Instant now) {
    const bool wanted = value & kControlReset;
    const bool resets = wanted && state_ != State::resetting;
    const bool ends = !wanted && state_ == State::resetting;
    if (resets) drop_everything(now);
    control_ = value & (0xf0000000 | kControlReset);
    if (resets) state_ = State::resetting;
    if (!ends) return;
    state_ = State::ready;
    reset_finished_ = true;
}

void Function::reset(Instant now) {
    drop_everything(now);
    control_ = 0;
    dma_.set_master(false);
    msix_enabled_ = msix_masked_ = false;
}

void Function::set_bus_master(bool on) {
    if (!on && state_ == State::ready && completions_.entries) fail(Fault::lost_memory);
    if (!on) moved_ = nullptr;
    dma_.set_master(on);
}

// What a queue lies in cannot go while the queue is there.
void Function::unmap(uint64_t at) {
    const uint64_t bytes = dma_.bytes_at(at);
    if (uses(at, bytes)) fail(Fault::lost_memory);
    if (moved_at_ >= at && moved_at_ - at < bytes) moved_ = nullptr;
    dma_.unmap(at);
}

bool Function::uses(uint64_t at, uint64_t bytes) const {
    const auto inside = [&](uint64_t place) { return place >= at && place - at < bytes; };
    if (completions_.entries && (inside(completions_.base) || inside(moved_at_))) return true;
    for (const auto& [number, place] : dedup_rings_)
        if (inside(place)) return true;
    return std::any_of(queue_pairs_.begin(), queue_pairs_.end(), [&](const auto& p) {
        const QueuePairInfo& qp = p.second;
        return inside(qp.receive_at) || (qp.place == QueuePlace::host_memory && inside(qp.at));
    });
}

void Function::inject(FaultPoint point, uint32_t times) {
    faults_[static_cast<size_t>(point)] = times;
    if (goes_wrong(FaultPoint::reset_in_flight)) fail(Fault::injected);
}

bool Function::goes_wrong(FaultPoint point) {
    uint32_t& times = faults_[static_cast<size_t>(point)];
    if (times == 0) [[likely]]
        return false;
    --times;
    return true;
}

void Function::drop_everything(Instant now) {
    state_ = State::off;
    show_moved(kNotReady);
    moved_at_ = 0;
    moved_ = nullptr;
    for (const bool sharing : {true, false}) // those that are shared outlive those that share them
        for (const auto& [number, info] : queue_pairs_)
            if ((info.shared != 0) == sharing) backend_.destroy_queue_pair(number, now);
    queue_pairs_.clear();
    has_queue_pair_.clear();
    for (const uint64_t key : keys_)
        backend_.deregister_memory(key, now);
    keys_.clear();
    for (const auto& [handle, times] : handles_)
        for (uint32_t i = 0; i < times; ++i)
            backend_.release_address(handle);
    handles_.clear();
    dedup_rings_.clear();
    memory_.release_all(number_);
    if (completions_.entries) { // the data path was this function's
        backend_.reset(now);
        backend_.detach_completions();
    }
    fault_ = Fault::none;
    reset_finished_ = false;
    features_ = 0;
    admin_ = answers_ = events_ = completions_ = Ring{};
    consumed_ = 0;
    event_doorbell_.reset();
    event_consumer_ = 0;
    interrupts_masked_ = false;
    vectors_.assign(vectors_.size(), Vector{});
}

void Function::start_admin(uint32_t entries) {
    if (entries == 0) return;
    const uint64_t bytes = uint64_t{entries} * sizeof(AdminCommand);
    if (!std::has_single_bit(entries) || entries > kQueueEntriesMax ||
        !dma_.translate(admin_.base, bytes) || !dma_.translate(answers_.base, bytes))
        return fail(Fault::bad_queue_memory);
    admin_.entries = answers_.entries = entries;
}

void Function::start_events(uint32_t entries) {
    if (entries == 0) return;
    if (!(type_.features & kFeatureAsyncEvents) || !std::has_single_bit(entries) ||
        entries > kQueueEntriesMax ||
        !dma_.translate(events_.base, uint64_t{entries} * sizeof(AsyncEvent)))
        return fail(Fault::bad_queue_memory);
    events_.entries = entries;
}

void Function::ring_admin(uint32_t announced, Instant now) {
    const auto more = static_cast<uint16_t>(announced - consumed_);
    if (more > admin_.entries) return fail(Fault::bad_doorbell);
    if (goes_wrong(FaultPoint::admin_timeout)) return;
    for (uint16_t i = 0; i < more && state_ == State::ready; ++i) {
        const uint64_t at = consumed_ % admin_.entries * sizeof(AdminCommand);
        std::byte* from = dma_.translate(admin_.base + at, sizeof(AdminCommand));
        std::byte* to = dma_.translate(answers_.base + at, sizeof(AdminAnswer));
        if (!from || !to) return fail(Fault::lost_memory);
        const uint16_t phase = phase_of(consumed_, admin_.entries);
        const uint16_t head = std::atomic_ref<uint16_t>(*reinterpret_cast<uint16_t*>(from))
                                  .load(std::memory_order_acquire);
        if ((head & kPhaseBit) != phase) return fail(Fault::bad_doorbell); // announced, not written
        AdminCommand c; // a copy: the host may write while it is looked at
        std::memcpy(&c, from, sizeof c);
        AdminAnswer a;
        a.status = execute(c, a, now);
        a.consumed = ++consumed_;
        publish(to, static_cast<uint16_t>((head & kCommandIdMask) | phase), &a);
    }
}

void Function::fail(Fault fault) {
    if (state_ == State::fatal) return;
    fault_ = fault;
    report(AsyncEventKind::fatal, static_cast<uint64_t>(fault));
    state_ = State::fatal;
    show_moved(kNotReady);
}

// An event for which there is no room is lost: the status register says what is worst.
void Function::report(AsyncEventKind kind, uint64_t value) {
    if (state_ != State::ready || events_.entries == 0) return;
    const uint32_t n = event_doorbell_.produced();
    if (n - event_consumer_ >= events_.entries) return;
    std::byte* to =
        dma_.translate(events_.base + n % events_.entries * sizeof(AsyncEvent), sizeof(AsyncEvent));
    if (!to) return;
    AsyncEvent e;
    e.kind = kind;
    e.value = value;
    publish(to, phase_of(n, events_.entries), &e);
    if (event_doorbell_.produce(n + 1)) raise(kEventVector);
}

void Function::raise(uint16_t vector) {
    if (!msix_enabled_ || vector >= vectors_.size()) return;
    Vector& v = vectors_[vector];
    v.pending = msix_masked_ || interrupts_masked_ || v.words[3] & 1;
    if (v.pending || !interrupts_) return;
    v.pending = goes_wrong(FaultPoint::stuck_interrupt);
    if (!v.pending) interrupts_->raise(number_, vector);
}

void Function::set_msix(bool enabled, bool masked) {
    msix_enabled_ = enabled;
    msix_masked_ = masked;
    for (uint16_t i = 0; i < vectors_.size(); ++i)
        if (vectors_[i].pending) raise(i);
}

void Function::write_vector(uint32_t offset, uint32_t value) {
    Vector& v = vectors_[offset / 16];
    v.words[offset / 4 % 4] = offset / 4 % 4 == 3 ? value & 1 : value;
    if (v.pending) raise(static_cast<uint16_t>(offset / 16));
}

} // namespace rill::nic
