// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/address_handles.hpp"
#include "nic/bounce.hpp"
#include "nic/completion_ring.hpp"
#include "nic/dedup_unit.hpp"
#include "nic/entries.hpp"
#include "nic/function.hpp"
#include "nic/inbound.hpp"
#include "nic/memory_regions.hpp"
#include "nic/outbox.hpp"
#include "nic/placement.hpp"
#include "nic/queue_pair.hpp"
#include "nic/remote_flows.hpp"
#include "nic/rx_flow.hpp"
#include "nic/send_flows.hpp"
#include "nic/write_batch.hpp"
#include "obs/counters.hpp"
#include "transport/transport.hpp"
#include "util/log.hpp"
#include "util/pool.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

namespace rill::nic {

struct Config {
    uint32_t envelopes_max = 1u << 20; // bounce buffers of at most 64 bytes
    uint64_t bounce_bytes = 64u << 20; // all larger ones together
    uint32_t receives_max = 1u << 20;  // posted receives of a queue pair, each kind
    uint32_t inbound_max = 1u << 20;   // messages of more than one packet on their way in
    uint32_t flows_max = 1u << 20;
    uint32_t queue_pairs_max = 4096;
    uint32_t unscheduled_max = 64 * 1024; // bytes of a message sent before its grant
    uint32_t answers_max = 64 * 1024;     // to peers' reads and fetching atomics, not sent entirely
};

// The emulated NIC, behind the registers of a function: queues, placement, memory regions, and one
// completion queue shared by all queue pairs. Who calls owns the device; no call blocks.
class Device : public FunctionBackend, transport::Client {
public:
    Device(const Config& config, const transport::Config& transport, wire::Link& link,
           const SipKey& secret, obs::Counters& counters, Log& log);
    ~Device() override;

    // ---- FunctionBackend
    DedupUnit* dedup() override { return &dedup_; }
    // dedup_placement.cpp
    [[nodiscard]] Status attach_dedup(DedupTarget target, uint64_t id, uint64_t store,
                                      uint64_t ring, uint32_t scope) override;
    [[nodiscard]] Status detach_dedup(DedupTarget target, uint64_t id) override;
    // `bound` asks for an address (port 0: any) and gets the one that the port has.
    // Messages take the receives of `shared`, if that is not kNoQueuePair.
    [[nodiscard]] Status create_queue_pair(wire::Address& bound, const QueueMemory& memory,
                                           uint32_t shared, uint32_t& number) override;
    // A receive queue for other queue pairs to share; it has no address, and a send queue for
    // grants and notices. no_memory.
    [[nodiscard]] Status create_shared_receive(const QueueMemory& memory,
                                               uint32_t& number) override;
    // Work in flight is dropped and aborted at the peers, inline messages go on; nothing reads the
    // host's buffers or writes an entry for this queue pair afterwards.
    void destroy_queue_pair(uint32_t number, Instant now) override;
    uint32_t acquire_address(const wire::Address& address) override {
        return handles_.acquire(address);
    }
    void release_address(uint32_t handle) override;
    size_t statistics(std::span<uint64_t> out) const override;

    [[nodiscard]] bool attach_completions(CompletionEntry* memory, uint32_t entries) override {
        if (completions_.attached()) return false;
        completions_.attach(memory, entries);
        armed_ = false;
        return true;
    }
    void detach_completions() override {
        completions_.detach();
        armed_ = false;
    }
    [[nodiscard]] bool store_completions(const CompletionDoorbell& doorbell) override;
    bool announce(Instant now) override {
        const bool raises = completions_.announce(now);
        armed_ = completions_.armed();
        return raises;
    }
    // remote_engine.cpp
    [[nodiscard]] bool register_memory(uint64_t& key, bool own_key, MemoryRegion region) override;
    void change_memory(uint64_t key, MemoryRegion region) override;
    void deregister_memory(uint64_t key, Instant now) override;
    [[nodiscard]] Fault ring_send(uint32_t number, uint16_t written, bool more,
                                  Instant now) override;
    [[nodiscard]] Fault ring_receive(uint32_t number, uint16_t written) override;
    [[nodiscard]] Fault run(Instant now, bool receive, bool everywhere) override;
    Instant next_deadline() const override {
        const Instant first = std::min(transport_.next_deadline(), completions_.fires_at());
        return dedup_.active() ? std::min(first, dedup_.deadline()) : first;
    }
    bool outstanding() const override { return transport_.outstanding(); }
    void take_leave(LeaveStep step, Instant now) override;
    bool left(Instant now) const override { return transport_.left(now); }
    void reset(Instant now) override;

    // ---- for whoever emulates it
    transport::Transport& transport() { return transport_; }
    const CompletionRing& completions() const { return completions_; }
    const MemoryRegionTable& regions() const { return regions_; }
    template <class F>
    void for_each_queue_pair(F&& f) {
        for (const auto& qp : queue_pairs_)
            if (qp) f(*qp);
    }
    // What is in use now: all zero when nothing is under way and nothing waits to be received.
    struct Usage {
        uint32_t works = 0;
        uint32_t inbound = 0;
        uint32_t envelopes = 0;
        uint64_t bounce_bytes = 0;
        uint32_t fetches = 0;
        uint32_t partials = 0; // remote operations, some records of which have come
        uint32_t early_atomics = 0;
    };
    Usage usage() const {
        return {works_.live(),          inbound_.live(), bounce_.envelopes_in_use(),
                bounce_.bytes_in_use(), fetches_.live(), partials_,
                early_atomics_};
    }

private:
    [[nodiscard]] Status new_queue_pair(std::unique_ptr<QueuePair> qp, uint32_t& number);

    // transport::Client
    bool place(transport::Context& from, wire::PortId port,
               std::span<const std::byte> records) override;
    void train_placed() override {
        settle_writes();
        if (dedup_.active()) [[unlikely]]
            dedup_.run();
    }
    bool has_records(const transport::Context& to, bool flush) const override;
    bool fill(transport::Context& to, transport::Outgoing& packet, size_t limit,
              bool flush) override;
    void slice_released(void* owner) override;
    void slice_failed(void* owner) override;
    void opened(transport::Context& context, transport::Peer& peer, uint32_t queue_pair) override;
    void ended(transport::Context& context, Status why) override;
    void evicted(transport::Context& context) override;
    bool knows(const wire::Address& from) const override;
    uint32_t queue_pair_of(wire::PortId port) const override;

    // sending (send_engine.cpp)
    void start(QueuePair& qp, const SendEntry& entry, Instant now);
    void watch(uint32_t handle, bool on);
    void watch_flow(uint32_t slot, bool on);
    // Unscheduled bytes for a message to this destination now.
    uint32_t unscheduled_limit(uint32_t handle);
    transport::Context* context_for(AddressHandle& h, uint32_t index, Instant now);
    void knock(AddressHandle& h, uint32_t index, Instant now);
    void queue(transport::Context& context, SendWork& w);
    void notify(transport::Context& to, uint32_t flow, uint32_t msg_no, Status status,
                bool awaited = true);
    void finish_work(SendWork& w);
    void cut_off(SendWork& w);
    void drop(SendWork& w);
    // What waits for room in the completion ring.
    bool has_untold() const { return !events_.empty() || !sent_.empty(); }
    void tell();
    // At the end of each doorbell: one look for all that seldom is.
    Fault settle_doorbell() {
        if (!attention_) [[likely]]
            return Fault::none;
        return attend();
    }
    Fault attend();
    void tell_sent();
    void report(EntryKind kind, Status why, uint32_t index);
    Fault fault() const { return overrun_ ? Fault::overrun : Fault::none; }
    Outbox& outbox(transport::Context& context);
    void end_handle(uint32_t index, Status why);
    void open_handle(AddressHandle& h, uint32_t index);
    void start_watch(AddressHandle& h);
    void start_watch(RxFlow& f);
    void free_flow(RxFlow& f);
    void adopt(AddressHandle& h, transport::Peer& peer, uint32_t remote);

    // receiving (receive_engine.cpp)
    enum class Check : uint8_t { ok, malformed, no_room };
    Check check(transport::Context& from, wire::RecordReader reader, wire::RecordView& last,
                size_t& count);
    void take_record(transport::Context& from, wire::PortId port, const wire::RecordView& r);
    bool half_full() const;
    bool comes_in_turn(transport::Context& from, const wire::Message& m);
    QueuePair* endpoint(uint32_t number, wire::PortId port);
    void learn_source(RxFlow& flow, MsgNo no, const wire::RecordView& r);
    void tell_flow(RxFlow& flow);
    void on_message(transport::Context& from, wire::PortId port, const wire::RecordView& r);
    void on_fragment(transport::Context& from, wire::PortId port, const wire::RecordView& r);
    void on_granted(transport::Context& from, const wire::RecordView& r);
    void on_abort(transport::Context& from, wire::PortId port, const wire::RecordView& r);
    void take(PostedReceive& r, MatchTable& table, uint64_t total, Inbound* in, CompletionEntry& e,
              IovView& iov, uint64_t& base, uint64_t& capacity);
    void place_payload(Inbound& in, uint64_t offset, std::span<const std::byte> payload);
    Inbound* open_inbound(RxFlow& flow, MsgNo no, uint32_t unscheduled);
    void steer(Inbound& in, IovView iov, uint64_t base, uint64_t capacity, uint32_t request);
    // What of the above dedup has to know: dedup_placement.cpp, only while it is active.
    void start_chunks(Inbound& in, QueuePair& qp, bool reports, uint64_t total, bool from_bounce);
    void chunk_payload(Inbound& in, uint64_t offset, size_t bytes);
    void chunk_whole(QueuePair& qp, bool reports, IovView iov, uint64_t base, uint64_t bytes);
    void chunk_write(RemoteFlow& f, const wire::Write& w, const MemoryRegion& region, uint64_t at,
                     size_t bytes);
    void placed_by_host(QueuePair& qp, const ReceiveEntry& e);
    void count_placed(Way way, size_t bytes);
    void free_inbound(Inbound& in);
    CompletionEntry& new_entry(EntryKind kind);
    void push_entry() {
        if (!overrun_) completions_.commit();
    }

    // remote operations (remote_engine.cpp)
    struct RemoteChecks;
    bool remote_room(transport::Context& from, const wire::RecordView& r, RemoteChecks& so_far);
    uint64_t new_key();
    void remove_memory(uint64_t key);
    void tell_source(RemoteFlow& f);
    void open_fetch(const SendEntry& e);
    void close_fetch(wire::GrantId id);
    RemoteFlow* remote_flow_of(transport::Context& from, uint32_t number, QueuePair* qp);
    // Copies what on_write() has put off, and notes at its operation what could not be.
    void settle_writes();
    void defer_write(RemoteFlow& f, uint32_t msg_no, IovView region, uint64_t offset,
                     std::span<const std::byte> payload);
    Status write_at_once(IovView region, uint64_t offset, std::span<const std::byte> payload);
    void on_write(transport::Context& from, wire::PortId port, const wire::RecordView& r);
    void on_read(transport::Context& from, wire::PortId port, const wire::RecordView& r);
    void on_atomic(transport::Context& from, wire::PortId port, const wire::RecordView& r);
    void on_answer(transport::Context& from, const wire::RecordView& r);
    void on_fetched_bytes(transport::Context& from, wire::GrantId id, uint64_t offset,
                          std::span<const std::byte> payload);
    void on_remote_abort(transport::Context& from, wire::PortId port, const wire::Abort& a);
    Fetch* fetch_of(transport::Context& from, wire::GrantId id);
    void end_fetch(Fetch& f, Status status);
    Status perform(const wire::Atomic& a, std::span<const std::byte> payload,
                   std::vector<std::byte>& result);
    void execute_atomic(transport::Context& from, RemoteFlow& f, const wire::Atomic& a,
                        std::span<const std::byte> payload);
    bool is_aborted(const RemoteFlow& f, uint32_t msg_no) const;
    bool is_last(const RemoteFlow& f, uint32_t msg_no, uint64_t bytes, uint64_t total) const;
    bool advance(RemoteFlow& f, uint32_t msg_no, uint64_t bytes, uint64_t total, Status& status);
    CompletionEntry& new_remote_entry(RemoteFlow& f, uint8_t kinds, uint32_t msg_no, uint64_t key,
                                      uint64_t total, Status status);
    void answer(transport::Context& to, wire::GrantId fetch, uint64_t offset, Status status,
                std::vector<std::byte> bytes = {});
    void stream_answer(transport::Context& to, RemoteFlow& f, const wire::Read& r,
                       const MemoryRegion& region, uint64_t offset);
    void read_answered(SendWork& w);
    void range_read(RemoteFlow& f, uint32_t msg_no, uint64_t key, uint64_t bytes, uint64_t total,
                    Status status);
    void fail_answer(SendWork& w, Status why);
    void refuse_flow(RemoteFlow& f);
    void free_remote_flow(RemoteFlow& f);

    // receive queue (receive_queue.cpp)
    void post(QueuePair& qp, const ReceiveEntry& e);
    void cancel(QueuePair& qp, const ReceiveEntry& e);
    void turn(QueuePair& qp, const ReceiveEntry& e);
    void unpost(MatchTable& table, PostedReceive& r);
    void introduce(uint32_t slot, uint64_t source);
    void release_flow(uint32_t slot);

    Config config_;
    obs::Counters& counters_;
    Log& log_;
    wire::Link& link_;
    AddressHandleTable handles_;
    std::vector<std::unique_ptr<QueuePair>> queue_pairs_; // by number; 0 is never used
    std::vector<uint32_t> by_port_;                       // PortId -> queue pair number
    CompletionRing completions_;
    CompletionEntry nowhere_; // written instead of an entry that has no room
    bool overrun_ = false;    // there was one
    bool attention_ = false;  // an overrun, or something untold
    // The end of a destination or of a receive flow, not told yet.
    struct Event {
        EntryKind kind{};
        Status status{};
        uint32_t index = 0;
        bool operator==(const Event&) const = default;
    };
    std::vector<Event> events_;
    RxFlowTable flows_;
    SendFlows send_flows_;
    InboundTable inbound_;
    BouncePool bounce_;
    Pool<SendWork> works_;
    Pool<Outbox> outboxes_;
    List<SendWork, OutboxTag> sent_; // finished, waiting for room in the completion ring
    SipKey secret_;
    MemoryRegionTable regions_;
    uint32_t keys_made_ = 0;
    RemoteFlowTable remote_flows_;
    DedupUnit dedup_;
    WriteBatch writes_;          // empty between trains
    uint32_t partials_ = 0;      // of all remote flows
    uint32_t early_atomics_ = 0; // likewise
    uint32_t answers_ = 0;       // that have not left entirely
    Pool<Fetch> fetches_{UINT32_MAX};
    bool named_envelopes_ = false;   // the log has told of the envelope limit
    transport::Transport transport_; // last: its destructor calls back
};

} // namespace rill::nic
