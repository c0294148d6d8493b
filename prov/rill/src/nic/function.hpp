// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/admin.hpp"
#include "nic/device_memory.hpp"
#include "nic/device_type.hpp"
#include "nic/dma.hpp"
#include "nic/event_doorbell.hpp"
#include "nic/registers.hpp"
#include "util/status.hpp"
#include "util/time.hpp"
#include "wire/address.hpp"

#include <cstdint>
#include <set>
#include <span>
#include <unordered_map>
#include <vector>

namespace rill::nic {

// What the admin commands of a function act on.
class FunctionBackend {
public:
    virtual ~FunctionBackend() = default;
    // `send_queue` stays valid until the queue pair is destroyed; messages take the receives of
    // `shared`, if that is not 0. no_memory, address_in_use, ...
    [[nodiscard]] virtual Status create_queue_pair(wire::Address& bound,
                                                   std::span<std::byte> send_queue, uint32_t shared,
                                                   uint32_t& number) = 0;
    [[nodiscard]] virtual Status create_shared_receive(std::span<std::byte> send_queue,
                                                       uint32_t& number) = 0;
    virtual void destroy_queue_pair(uint32_t number, Instant now) = 0;
    virtual uint32_t acquire_address(const wire::Address& address) = 0;
    virtual void release_address(uint32_t handle) = 0;
    virtual size_t statistics(std::span<uint64_t> out) const = 0; // how many there are
};

// Where interrupts go.
class InterruptSink {
public:
    virtual ~InterruptSink() = default;
    virtual void raise(uint16_t function, uint16_t vector) = 0;
};

// One function of a device, behind its configuration space: registers in BAR0, the admin queue, the
// asynchronous event queue, allocations in BAR2, interrupt vectors.
//
//   off --control.reset = 1--> resetting --control.reset = 0--> ready --anything wrong with a queue-->
//   fatal --control.reset = 1--> resetting; a function-level reset leads to off from everywhere
//
// It runs in the store to its doorbell. Whatever the host writes: an answer, an event, or fatal.
class Function {
public:
    static constexpr uint32_t kQueueEntriesMax = 1024;
    static constexpr uint16_t kEventVector = 0;

    Function(uint16_t number, const DeviceType& type, DeviceMemory& memory,
             FunctionBackend& backend, InterruptSink& interrupts);

    // BAR0. Reads of nothing give 0; writes to nothing, or to what is read-only, are a warning event.
    uint32_t read(uint32_t offset) const;
    void write(uint32_t offset, uint32_t value, Instant now);
    void write64(uint32_t offset, uint64_t value); // kEventDoorbell alone
    // BAR2: memory of an allocation of this function, else null.
    std::byte* device_memory(uint64_t offset, uint64_t bytes);

    // The host's side of the bus.
    DmaMap& dma() { return dma_; }

    // From configuration space.
    void reset(Instant now);
    void set_msix(bool enabled, bool masked);

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
    void fail(Fault fault);
    void report(AsyncEventKind kind, uint64_t value);
    void raise(uint16_t vector);
    void write_vector(uint32_t offset, uint32_t value);
    void drop_everything(Instant now);

    // admin_commands.cpp
    bool may_place(const AdminCommand& c) const; // the feature is there
    // Memory of a send queue at arguments 0 and 1; null: it cannot be there.
    std::byte* send_queue_of(const AdminCommand& c) const;
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

    const uint16_t number_;
    const DeviceType& type_;
    DeviceMemory& memory_;
    FunctionBackend& backend_;
    InterruptSink& interrupts_;
    DmaMap dma_;

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
    };
    std::unordered_map<uint32_t, QueuePairInfo> queue_pairs_;
    std::unordered_map<uint32_t, uint32_t> handles_; // and how often each was created
};

// The wire format of create_queue_pair's and create_address_handle's address.
inline constexpr size_t kAddressWords = 3;
static_assert(sizeof(wire::Address) == kAddressWords * 8);

} // namespace rill::nic
