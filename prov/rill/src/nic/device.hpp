// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/address_handles.hpp"
#include "nic/bounce.hpp"
#include "nic/entries.hpp"
#include "nic/inbound.hpp"
#include "nic/outbox.hpp"
#include "nic/placement.hpp"
#include "nic/queue_pair.hpp"
#include "nic/rx_flow.hpp"
#include "obs/counters.hpp"
#include "transport/transport.hpp"
#include "util/log.hpp"
#include "util/pool.hpp"
#include "util/ring.hpp"

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
};

// The emulated NIC. The host sees queues (entries.hpp), one completion ring shared by all queue
// pairs, an event queue, and the calls below, which stand for admin commands. Who calls owns the
// device; no call blocks.
class Device : transport::Client {
public:
    Device(const Config& config, const transport::Config& transport, wire::Link& link,
           const SipKey& secret, obs::Counters& counters, Log& log);
    ~Device() override;

    // ---- resources
    // `bound` asks for an address (port 0: any) and gets the one that the port has.
    // Messages take the receives of `shared`, if that is not kNoQueuePair.
    [[nodiscard]] Status create_queue_pair(wire::Address& bound, uint32_t& number,
                                           uint32_t shared = kNoQueuePair);
    // A receive queue for other queue pairs to share; it has no address. no_memory.
    [[nodiscard]] Status create_shared_receive(uint32_t& number);
    // Work in flight is dropped and aborted at the peers, inline messages go on; nothing reads the
    // host's buffers or writes an entry for this queue pair afterwards.
    void destroy_queue_pair(uint32_t number, Instant now);
    uint32_t acquire_address(const wire::Address& address) { return handles_.acquire(address); }
    void release_address(uint32_t handle);
    // Something is expected (or no longer) of this destination: notice if it dies. Counted.
    void watch(uint32_t handle, bool on);
    // Likewise of a receive flow's sender; not counted.
    void watch_flow(uint32_t slot, bool on);

    // ---- queues
    QueuePair& queue_pair(uint32_t number) { return *queue_pairs_[number]; }
    void ring_send(QueuePair& qp, Instant now);
    void ring_receive(QueuePair& qp);
    // Granted bytes of an inline message whose queue pair is destroyed.
    void post_orphan(const SendEntry& entry, Instant now) { start(nullptr, entry, now); }
    Ring<CompletionEntry>& completions() { return completions_; }
    bool next_event(Event& out);

    // ---- receive flows
    const RxFlow* flow(uint32_t slot) { return flows_.at(slot); }
    // The software has found out who a flow's source is; message 0 can be given its turn.
    void introduce(uint32_t slot, uint64_t source);
    void rename(uint32_t slot, uint64_t source);
    void release_flow(uint32_t slot); // after flow_ended
    void release_bounce(void* buffer) { bounce_.give_back(static_cast<std::byte*>(buffer)); }
    template <class F>
    void for_each_flow(F&& f) {
        flows_.for_each(f);
    }

    // ---- running
    bool run(Instant now, bool poll_all); // true: something moved
    // Completion notices that wait for company go out with the next flush.
    void flush_notices();
    void flush(Instant now) { transport_.transmit(now); }
    Instant next_deadline() const { return transport_.next_deadline(); }
    // Whether there is something to be read that no packet will announce.
    bool has_news() const { return !events_.empty() || !completions_.empty() || !sent_.empty(); }
    bool outstanding() const { return transport_.outstanding(); }
    // Unscheduled bytes for a message to this destination now.
    uint32_t unscheduled_limit(uint32_t handle);

    transport::Transport& transport() { return transport_; }
    obs::Counters& counters() { return counters_; }
    // What is in use now: all zero when nothing is under way and nothing waits to be received.
    struct Usage {
        uint32_t works = 0;
        uint32_t inbound = 0;
        uint32_t envelopes = 0;
        uint64_t bounce_bytes = 0;
    };
    Usage usage() const {
        return {works_.live(), inbound_.live(), bounce_.envelopes_in_use(), bounce_.bytes_in_use()};
    }

private:
    [[nodiscard]] Status new_queue_pair(std::unique_ptr<QueuePair> qp, uint32_t& number);

    // transport::Client
    bool place(transport::Context& from, wire::PortId port,
               std::span<const std::byte> records) override;
    bool has_records(const transport::Context& to, bool flush) const override;
    bool fill(transport::Context& to, transport::Outgoing& packet, size_t limit,
              bool flush) override;
    void slice_released(void* owner) override;
    void opened(transport::Context& context, transport::Peer& peer, uint32_t queue_pair) override;
    void ended(transport::Context& context, Status why) override;
    bool knows(const wire::Address& from) const override;
    uint32_t queue_pair_of(wire::PortId port) const override;

    // sending (send_engine.cpp)
    void start(QueuePair* qp, const SendEntry& entry, Instant now);
    transport::Context* context_for(AddressHandle& h, uint32_t index, Instant now);
    void knock(AddressHandle& h, uint32_t index, Instant now);
    void queue(transport::Context& context, SendWork& w);
    void notify(transport::Context& to, uint32_t flow, uint32_t msg_no, Status status);
    void finish_work(SendWork& w);
    void drop(SendWork& w);
    void flush_sent();
    Outbox& outbox(transport::Context& context);
    void end_handle(uint32_t index, Status why);
    void open_handle(AddressHandle& h, uint32_t index);
    void start_watch(AddressHandle& h);
    void start_watch(RxFlow& f);
    void free_flow(RxFlow& f);
    void adopt(AddressHandle& h, transport::Peer& peer, uint32_t remote);

    // receiving (receive_engine.cpp)
    enum class Check : uint8_t { ok, malformed, no_room };
    Check check(transport::Context& from, std::span<const std::byte> records);
    bool half_full() const;
    bool comes_in_turn(transport::Context& from, const wire::Message& m);
    QueuePair* endpoint(uint32_t number, wire::PortId port);
    RxFlow* flow_of(transport::Context& from, uint32_t number, uint32_t queue_pair);
    static void learn_source(RxFlow& flow, MsgNo no, const wire::RecordView& r);
    void on_message(transport::Context& from, wire::PortId port, const wire::RecordView& r);
    void on_fragment(transport::Context& from, wire::PortId port, const wire::RecordView& r);
    void on_granted(transport::Context& from, const wire::RecordView& r);
    void on_abort(transport::Context& from, wire::PortId port, const wire::RecordView& r);
    void take(PostedReceive& r, MatchTable& table, uint64_t total, Inbound* in, CompletionEntry& e,
              IovView& iov, uint64_t& base, uint64_t& capacity);
    void place_payload(Inbound& in, uint64_t offset, std::span<const std::byte> payload);
    Inbound* open_inbound(RxFlow& flow, MsgNo no, uint32_t unscheduled);
    void steer(Inbound& in, IovView iov, uint64_t base, uint64_t capacity, uint32_t request);
    void count_placed(Way way, size_t bytes);
    void free_inbound(Inbound& in);
    CompletionEntry& new_entry(EntryKind kind);
    void push_entry() { completions_.commit(); }

    // receive queue (receive_queue.cpp)
    void post(QueuePair& qp, const ReceiveEntry& e);
    void cancel(QueuePair& qp, const ReceiveEntry& e);
    void turn(QueuePair& qp, const ReceiveEntry& e);

    Config config_;
    obs::Counters& counters_;
    Log& log_;
    wire::Link& link_;
    AddressHandleTable handles_;
    std::vector<std::unique_ptr<QueuePair>> queue_pairs_; // by number; 0 is never used
    std::vector<uint32_t> by_port_;                       // PortId -> queue pair number
    Ring<CompletionEntry> completions_;
    std::vector<Event> events_;
    RxFlowTable flows_;
    InboundTable inbound_;
    BouncePool bounce_;
    Pool<SendWork> works_;
    Pool<Outbox> outboxes_;
    List<SendWork, OutboxTag> sent_; // finished, waiting for room in the completion ring
    bool named_envelopes_ = false;   // the log has told of the envelope limit
    transport::Transport transport_; // last: its destructor calls back
};

} // namespace rill::nic
