// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/admin.hpp"
#include "nic/bus.hpp"
#include "nic/dedup_unit.hpp"
#include "nic/device_memory.hpp"
#include "nic/device_type.hpp"
#include "nic/dma.hpp"
#include "nic/event_doorbell.hpp"
#include "nic/memory_regions.hpp"
#include "nic/queue_pair.hpp"
#include "nic/registers.hpp"
#include "util/status.hpp"
#include "util/time.hpp"
#include "wire/address.hpp"

#include <cstdint>
#include <set>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace rill::nic {

// What the commands and doorbells of a function act on.
class FunctionBackend {
public:
    virtual ~FunctionBackend() = default;
    // Null: it has none.
    virtual DedupUnit* dedup() { return nullptr; }
    // not_found: there is no such target, store or ring; address_in_use: attached already; invalid: the
    // region overlaps one.
    [[nodiscard]] virtual Status attach_dedup(DedupTarget, uint64_t, uint64_t, uint64_t, uint32_t) {
        return Status::unsupported;
    }
    [[nodiscard]] virtual Status detach_dedup(DedupTarget, uint64_t) { return Status::unsupported; }
    // ---- commands. `bound` asks for an address (port 0: any) and gets the one that the port has.
    // Messages take the receives of `shared`, if that is not 0. no_memory, address_in_use, ...
    [[nodiscard]] virtual Status create_queue_pair(wire::Address& bound, const QueueMemory& memory,
                                                   uint32_t shared, uint32_t& number) = 0;
    [[nodiscard]] virtual Status create_shared_receive(const QueueMemory& memory,
                                                       uint32_t& number) = 0;
    virtual void destroy_queue_pair(uint32_t number, Instant now) = 0;
    virtual uint32_t acquire_address(const wire::Address& address) = 0;
    virtual void release_address(uint32_t handle) = 0;
    virtual size_t statistics(std::span<uint64_t> out) const = 0; // how many there are
    // False: another function of the device has a completion queue.
    [[nodiscard]] virtual bool attach_completions(CompletionEntry* memory, uint32_t entries) = 0;
    virtual void detach_completions() = 0;
    // False: the key is taken. own_key: one that no region has had, and that nobody can guess.
    [[nodiscard]] virtual bool register_memory(uint64_t& key, bool own_key,
                                               MemoryRegion region) = 0;
    // Other pieces for the region of that key, which there is.
    virtual void change_memory(uint64_t key, MemoryRegion region) = 0;
    // Reads of peers that are being answered from it fail: the memory may go when this returns.
    virtual void deregister_memory(uint64_t key, Instant now) = 0;
    virtual void take_leave(LeaveStep step, Instant now) = 0;

    // ---- doorbells and registers
    [[nodiscard]] virtual Fault ring_send(uint32_t queue_pair, uint16_t written, bool more,
                                          Instant now) = 0;
    [[nodiscard]] virtual Fault ring_receive(uint32_t queue_pair, uint16_t written) = 0;
    [[nodiscard]] virtual Fault run(Instant now, bool receive, bool everywhere) = 0;
    [[nodiscard]] virtual bool store_completions(const CompletionDoorbell& doorbell) = 0;
    virtual bool announce(Instant now) = 0; // true: raise the completion queue's interrupt
    virtual Instant next_deadline() const = 0;
    virtual bool outstanding() const = 0;
    virtual bool left(Instant now) const = 0;
    // Nothing of the past is left; queue pairs, handles and regions are gone before.
    virtual void reset(Instant now) = 0;

    // ---- looked at with every doorbell: no calls
    uint64_t moved() const { return moved_; }
    bool armed() const { return armed_; }

protected:
    uint64_t moved_ = 0; // packets received and sent in run()
    bool armed_ = false; // the completion queue: announce() may have something to say
};

// What a test can make a function do (4-device: fault points).
enum class FaultPoint : uint8_t {
    reset_in_flight,     // it is fatal from now on
    admin_timeout,       // commands are not answered
    resource_exhaustion, // commands that make something answer "resource failure"
    queue_overrun,       // the completion queue takes nothing more: fatal with the next pass
    stuck_interrupt,     // vectors become pending, and are not delivered
};
inline constexpr const char* kFaultPointNames[] = {
    "reset_in_flight", "admin_timeout", "resource_exhaustion", "queue_overrun", "stuck_interrupt"};

// One function of a device, behind its configuration space: registers in BAR0, the admin queue, the
// asynchronous event queue, allocations in BAR2, interrupt vectors.
//
//   off --control.reset = 1--> resetting --control.reset = 0--> ready --anything wrong with a queue-->
//   fatal --control.reset = 1--> resetting; a function-level reset leads to off from everywhere
//
// It runs in the store to its doorbell. Whatever the host writes: an answer, an event, or fatal.
class Function final : public FunctionPort {
public:
    static constexpr uint32_t kQueueEntriesMax = 1024;
    static constexpr uint32_t kDedupRecordsMax = 1u << 20;
    static constexpr uint32_t kCompletionEntriesMin = 256; // a packet may bring 192
    static constexpr uint32_t kCompletionEntriesMax = 1u << 16;
    static constexpr uint16_t kEventVector = 0;

    // `interrupts` may change, and be null.
    Function(uint16_t number, const DeviceType& type, DeviceMemory& memory,
             FunctionBackend& backend, InterruptSink* const& interrupts);

    // FunctionPort. Writes to nothing, or to what is read-only, are a warning event.
    uint32_t read(uint32_t offset) const override;
    uint64_t read64(uint32_t offset) const override;
    void write(uint32_t offset, uint32_t value, Instant now) override;
    void write64(uint32_t offset, uint64_t value, Instant now) override;
    std::byte* device_memory(uint64_t offset, uint64_t bytes) override;
    uint64_t map(std::span<std::byte> memory) override { return dma_.map(memory); }
    void unmap(uint64_t at) override;

    // From configuration space.
    void reset(Instant now);
    void set_msix(bool enabled, bool masked);
    void set_bus_master(bool on);

    // For tests: the next `times` occasions go wrong.
    void inject(FaultPoint point, uint32_t times = UINT32_MAX);

    uint32_t features() const { return features_; }
    size_t queue_pairs() const { return queue_pairs_.size(); }
    size_t address_handles() const { return handles_.size(); }
    uint32_t commands() const { return consumed_; }

private:
    enum class State : uint8_t { off, resetting, ready, fatal };
    struct Ring { // in the host's memory
        uint64_t base = 0;
        uint32_t entries = 0;
    };

    uint32_t status() const;
    void control(uint32_t value, Instant now);
    void start_admin(uint32_t entries);
    void start_events(uint32_t entries);
    void ring_admin(uint32_t announced, Instant now);
    bool has_queue_pair(uint32_t number) const {
        return number < has_queue_pair_.size() && has_queue_pair_[number];
    }
    void store_other(uint32_t offset, uint64_t value);
    void store_event_doorbell(uint64_t value);
    void store_completion_doorbell(uint64_t value);
    void announce();
    void show_moved(uint64_t value);
    bool uses(uint64_t bus_address, uint64_t bytes) const;
    bool goes_wrong(FaultPoint point);
    void fail(Fault fault);
    void report(AsyncEventKind kind, uint64_t value);
    void raise(uint16_t vector);
    void write_vector(uint32_t offset, uint32_t value);
    void drop_everything(Instant now);

    // admin_commands.cpp
    bool may_place(const AdminCommand& c) const; // the feature is there
    // Memory of a send queue at arguments 0 and 1; null: it cannot be there.
    std::byte* send_queue_of(const AdminCommand& c) const;
    bool queues_of(const AdminCommand& c, uint64_t receive_at, QueueMemory& memory) const;
    void add_queue_pair(uint32_t number, const AdminCommand& c, uint32_t shared,
                        uint64_t receive_at);
    AdminStatus execute(const AdminCommand& c, AdminAnswer& a, Instant now);
    AdminStatus get_feature(const AdminCommand& c, AdminAnswer& a) const;
    AdminStatus set_feature(const AdminCommand& c);
    AdminStatus allocate(const AdminCommand& c, AdminAnswer& a);
    AdminStatus free(const AdminCommand& c);
    AdminStatus create_queue_pair(const AdminCommand& c, AdminAnswer& a);
    AdminStatus create_shared_receive(const AdminCommand& c, AdminAnswer& a);
    AdminStatus destroy_queue_pair(const AdminCommand& c, Instant now);
    AdminStatus create_address_handle(const AdminCommand& c, AdminAnswer& a);
    AdminStatus destroy_address_handle(const AdminCommand& c);
    AdminStatus get_statistics(const AdminCommand& c, AdminAnswer& a);
    AdminStatus create_completion_queue(const AdminCommand& c);
    AdminStatus destroy_completion_queue(const AdminCommand& c);
    AdminStatus register_memory(const AdminCommand& c, AdminAnswer& a);
    AdminStatus change_memory(const AdminCommand& c);
    AdminStatus deregister_memory(const AdminCommand& c, Instant now);
    AdminStatus take_leave(const AdminCommand& c, Instant now);

    // dedup_commands.cpp
    AdminStatus execute_dedup(const AdminCommand& c, AdminAnswer& a);
    AdminStatus create_dedup_store(const AdminCommand& c);
    AdminStatus create_dedup_ring(const AdminCommand& c);
    AdminStatus destroy_dedup_ring(const AdminCommand& c);
    AdminStatus attach_dedup(const AdminCommand& c);
    AdminStatus submit_dedup(const AdminCommand& c);
    AdminStatus look_up_dedup(const AdminCommand& c);
    AdminStatus use_dedup_reference(const AdminCommand& c, AdminAnswer& a);
    AdminStatus get_dedup_statistics(const AdminCommand& c);

    const uint16_t number_;
    const DeviceType& type_;
    DeviceMemory& memory_;
    FunctionBackend& backend_;
    InterruptSink* const& interrupts_;
    DmaMap dma_;
    Instant now_{};           // of the last store
    uint32_t faults_[5] = {}; // by FaultPoint: how often it shall go wrong

    State state_ = State::off;
    Fault fault_ = Fault::none;
    bool reset_finished_ = false;
    uint32_t control_ = 0;
    uint32_t features_ = 0; // negotiated

    Ring admin_, answers_;
    uint32_t consumed_ = 0; // commands, and answers written
    Ring events_;
    EventDoorbell event_doorbell_;
    uint32_t event_consumer_ = 0;
    Ring completions_;
    uint16_t completion_vector_ = 0;
    uint64_t moved_at_ = 0;     // bus address of the host's word; 0: none
    uint64_t* moved_ = nullptr; // the same, as long as it is mapped and may be written

    bool msix_enabled_ = false;
    bool msix_masked_ = false;
    bool interrupts_masked_ = false;
    struct Vector {
        uint32_t words[4] = {0, 0, 0, 1}; // address, data, and control: masked
        bool pending = false;
    };
    std::vector<Vector> vectors_;

    struct QueuePairInfo {
        QueuePlace place{};
        uint64_t at = 0;
        uint32_t shared = 0;
        uint64_t receive_at = 0;
    };
    std::unordered_map<uint32_t, QueuePairInfo> queue_pairs_;
    std::vector<uint8_t> has_queue_pair_;                // by number: doorbells look here
    std::unordered_set<uint64_t> keys_;                  // of memory regions
    std::unordered_map<uint64_t, uint64_t> dedup_rings_; // by number: bus address
    std::unordered_map<uint32_t, uint32_t> handles_;     // and how often each was created
};

static_assert(sizeof(wire::Address) == kAddressWords * 8);

} // namespace rill::nic
