// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/admin.hpp"
#include "nic/bus.hpp"
#include "nic/entries.hpp"
#include "nic/registers.hpp"
#include "util/log.hpp"
#include "util/status.hpp"
#include "util/time.hpp"
#include "wire/address.hpp"

#include <atomic>
#include <initializer_list>
#include <memory>
#include <span>
#include <sys/uio.h>
#include <unordered_map>
#include <utility>
#include <vector>

namespace rill::rdm {

// Memory that peers may name: pieces one behind the other, the first byte at address `base`.
struct RegionDescription {
    const iovec* pieces = nullptr;
    size_t count = 0;
    uint64_t base = 0;
    bool readable = false;
    bool writable = false;
};

// What the answer to a command means. busy: address_in_use.
Status status_of(nic::AdminStatus s);

// The host's side of a device: finds function 0 in configuration space, brings it up through its
// registers, has resources made by admin commands, and fills, rings and reads the queues. It sees
// registers, queues and memory, and nothing else of the device.
class Driver {
public:
    Driver(nic::Bus& bus, Log& log) : bus_(bus), log_(log) {}
    ~Driver();
    Driver(const Driver&) = delete;
    Driver& operator=(const Driver&) = delete;

    // Places the address registers, does the reset handshake, starts the queues, takes the features
    // that it knows, and registers what regions there are (again). io_error, with a warning that says
    // where it stopped. All queue pairs and address handles from before are gone.
    [[nodiscard]] Status bring_up(Instant now);
    uint32_t features() const { return features_; } // negotiated
    // The device does not answer, or is fatal: nothing is written to it until bring_up().
    bool down() const { return down_; }
    // As if it were so: the first half of a reset.
    void take_down(Instant now);

    // ---- admin commands
    // `bound` as in Module::open_endpoint. The send queue lies in device memory as long as there is
    // some, else in the host's. `shared`: the queue pair whose receives are taken, or 0.
    [[nodiscard]] Status create_queue_pair(wire::Address& bound, uint32_t shared, uint32_t& number);
    [[nodiscard]] Status create_shared_receive(uint32_t& number);
    void destroy_queue_pair(uint32_t number, Instant now);
    [[nodiscard]] Status create_address_handle(const wire::Address& address, uint32_t& handle);
    void destroy_address_handle(uint32_t handle);
    // own_key: the device finds one. busy: the key is taken.
    [[nodiscard]] Status register_memory(uint64_t& key, bool own_key, const RegionDescription& r);
    // Nobody reads or writes the memory when this returns.
    void deregister_memory(uint64_t key, Instant now);
    void take_leave(nic::LeaveStep step, Instant now);

    // ---- for parts of the host's side that have commands of their own. One command, and its answer;
    // resource_failure also of a device that is down.
    nic::AdminStatus ask(nic::AdminOp op, std::initializer_list<uint64_t> arguments,
                         nic::AdminAnswer& answer);
    // Memory that the device shall reach, as long as it is up or until it is unmapped.
    uint64_t map(std::span<std::byte> memory);
    void unmap(uint64_t at);

    // ---- queues. The device takes the entries of a queue in the order in which they were written.
    // more: this one may wait for the next, for ring(), flush() or run(): one doorbell does for
    // several.
    void post_send(uint32_t queue_pair, const nic::SendEntry& e, bool more, Instant now) {
        if (unrung_ != queue_pair && unrung_ != nic::kNoQueuePair) ring(true, now);
        Queues& q = queues_[queue_pair];
        q.send[q.sends++ % nic::kQueueEntries] = e;
        unrung_ = queue_pair;
        if (!more || ++unrung_entries_ == nic::kQueueEntries) ring(more, now);
    }
    // What was written with `more` is taken now.
    void ring(Instant now) {
        if (unrung_ != nic::kNoQueuePair) ring(true, now);
        if (unrung_receives_ != 0) ring_receives(now);
    }
    // Whether send-queue entries wait.
    bool has_unrung() const { return unrung_ != nic::kNoQueuePair; }
    // A posted receive means nothing to the device before it receives, and waits for that; whatever
    // else there is to say about receives comes after the send-queue entries before it.
    void post_receive(uint32_t queue_pair, const nic::ReceiveEntry& e) {
        const bool waits = e.op == nic::ReceiveOp::post;
        if (!waits) ring(now_);
        if (unrung_receives_ != 0 && unrung_receiver_ != queue_pair) ring_receives(now_);
        Queues& q = queues_[queue_pair];
        q.receive[q.receives++ % nic::kQueueEntries] = e;
        unrung_receiver_ = queue_pair;
        if (++unrung_receives_ == nic::kQueueEntries || !waits) ring_receives(now_);
    }
    // A queue pair for what belongs to no endpoint: it outlives them all.
    uint32_t control_queue() const { return control_queue_; }

    // ---- running
    // Gives the device time to receive; true: packets moved. Finds out when it is down.
    bool run(bool everywhere, Instant now);
    // What may be sent is sent.
    void flush(Instant now) {
        if (unrung_ != nic::kNoQueuePair) return ring(false, now);
        store(nic::kRun, 0, now);
    }
    Instant deadline() const;
    bool outstanding() const { return read(nic::Register::activity) & nic::kActivityOutstanding; }
    bool left() const { return read(nic::Register::activity) & nic::kActivityLeft; }

    // ---- completions
    bool has_completion() const {
        const nic::CompletionEntry& e = completions_[completions_read_ & (kCompletions - 1)];
        const uint8_t phase = (completions_read_ & kCompletions) == 0;
        return std::atomic_ref<const uint8_t>(e.phase).load(std::memory_order_acquire) == phase;
    }
    // Only after has_completion(). Stays as it is until its room is released.
    const nic::CompletionEntry& take_completion() {
        return completions_[completions_read_++ & (kCompletions - 1)];
    }
    // The device may use their room again.
    void release_completions(Instant now) {
        if (completions_read_ == completions_released_) return;
        completions_released_ = completions_read_;
        store(nic::kCompletionDoorbell,
              nic::CompletionDoorbell{.consumer = completions_read_}.value(), now);
    }

private:
    static constexpr uint32_t kEntries = 32; // of each admin queue: there is one command at a time
    static constexpr uint32_t kCompletions = 2048;           // several packets' worth
    static constexpr uint32_t kReleaseAt = kCompletions / 8; // entries that are worth a store
    struct Queues {
        nic::SendEntry* send = nullptr; // null: there is no such queue pair
        nic::ReceiveEntry* receive = nullptr;
        uint16_t sends = 0; // entries written
        uint16_t receives = 0;
        nic::QueuePlace place{};
        uint64_t send_at = 0; // bus address or offset in device memory
        uint64_t receive_at = 0;
        std::unique_ptr<std::byte[]> memory; // of what lies in the host's
    };
    struct Region {
        std::vector<iovec> pieces;
        uint64_t base = 0;
        uint64_t flags = 0;
    };

    uint32_t read(nic::Register r) const { return port_->read(static_cast<uint32_t>(r)); }
    void write(nic::Register r, uint64_t value) {
        port_->write(static_cast<uint32_t>(r), static_cast<uint32_t>(value), now_);
    }
    void store(uint32_t offset, uint64_t value, Instant now) {
        now_ = now;
        port_->write64(offset, value, now);
    }
    void ring_receives(Instant now) {
        unrung_receives_ = 0;
        store(nic::kReceiveDoorbell,
              nic::queue_doorbell(unrung_receiver_, queues_[unrung_receiver_].receives, false),
              now);
    }
    void ring(bool more, Instant now) {
        const uint32_t queue_pair = std::exchange(unrung_, nic::kNoQueuePair);
        unrung_entries_ = 0;
        store(nic::kSendDoorbell, nic::queue_doorbell(queue_pair, queues_[queue_pair].sends, more),
              now);
    }
    void drain_events();
    Status give_up(const char* where);
    bool handshake();
    bool start_admin();
    bool start_events();
    bool start_completions();
    nic::AdminStatus tell_region(nic::AdminOp op, uint64_t key, const Region& r,
                                 nic::AdminAnswer& a);
    Queues make_queues();
    void free_queues(Queues& queues);
    void keep_queues(uint32_t number, Queues queues);

    nic::Bus& bus_;
    Log& log_;
    nic::FunctionPort* port_ = nullptr;
    bool down_ = true;
    Instant now_{}; // of the last store
    uint32_t features_ = 0;
    std::vector<nic::AdminCommand> commands_;
    std::vector<nic::AdminAnswer> answers_;
    std::vector<nic::AsyncEvent> events_;
    uint32_t written_ = 0; // commands
    uint32_t events_read_ = 0;
    std::vector<nic::CompletionEntry> completions_;
    uint32_t completions_read_ = 0;
    uint32_t completions_released_ = 0;   // as the device knows
    alignas(8) uint64_t moved_now_ = 0;   // packets, written by the device
    uint64_t moved_ = 0;                  // as of the last run
    std::vector<Queues> queues_;          // by queue pair
    uint32_t unrung_ = nic::kNoQueuePair; // whose send queue has entries that no doorbell told of
    uint32_t unrung_entries_ = 0;
    uint32_t unrung_receiver_ = nic::kNoQueuePair; // likewise, of receive queues
    uint32_t unrung_receives_ = 0;
    uint32_t control_queue_ = nic::kNoQueuePair;
    std::unordered_map<uint64_t, Region> regions_; // by key
    std::vector<uint64_t> mapped_;                 // for as long as the device is up
};

} // namespace rill::rdm
