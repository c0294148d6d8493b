// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/entries.hpp"
#include "rdm/request.hpp"
#include "util/list.hpp"
#include "util/pool.hpp"
#include "util/time.hpp"
#include "wire/address.hpp"

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace rill::rdm {

class AddressVector;
class Module;
class ReceiveSide;
struct Arrival;
struct PostedTag;
struct FlowArrivalTag;
struct QueueTag;

// A receive that the program posted. It lies in the device's match table until a message takes it
// (a multi-receive until it is spent), and lives until the last message in it is complete.
struct ReceiveOperation : ListHook<PostedTag> {
    ReceiveSide* side = nullptr;
    CompletionSink* sink = nullptr; // its own, or the last that it reported to; null: the side's
    void* context = nullptr;
    SourceId source = kAnySource;
    uint64_t tag = 0;
    uint64_t ignore = 0;
    uint64_t length = 0;
    uint64_t used = 0;             // multi: bytes that messages have taken by way of the software
    uint32_t messages = 0;         // arriving into it now
    uint32_t watched = UINT32_MAX; // address handle, while a directed receive waits for it
    Status ending = Status::canceled; // what a cancellation reports
    bool own_sink = false;            // the request named the sink
    bool tagged = false;
    bool multi = false;
    bool report = true;
    bool chunks = false; // are reported
    bool spent = false;  // multi: takes no further message
    uint8_t iov_count = 0;
    iovec iov[kIovMax];
};

// The receiving end of a flow, as the software follows it: mirrors the device's turn.
struct ReceiveFlow {
    ReceiveSide* side = nullptr;
    CompletionSink* sink = nullptr; // of the endpoint that the messages are for
    uint32_t slot = 0;
    uint32_t queue_pair = 0;
    uint32_t turn = 0;
    wire::Address sender; // not valid() before message 0 or its abort has come
    SourceId source = kUnknownSource;
    bool introduced = false;
    bool turning = false; // a `turn` is with the device
    bool watched = false; // the device tells if the sender dies
    bool ended = false;   // the peer is over: freed with its last arrival
    uint32_t live = 0;    // arrivals
    List<Arrival, FlowArrivalTag> arrivals;
    std::unordered_map<uint32_t, Arrival*> early; // by message number
};

// A message that is not over with its first packet.
//
//   early --turn--> unexpected --receive posted, claim--> receiving --all bytes--> (gone)
//     \------------turn, a receive fits------------------/
//   unexpected --peek with claim--> claimed --receive--> receiving
struct Arrival : ListHook<FlowArrivalTag>, ListHook<QueueTag> {
    enum class State : uint8_t { early, unexpected, claimed, receiving };

    ReceiveFlow* flow = nullptr;
    State state = State::early;
    uint8_t flags = 0;    // nic::EntryFlags of its envelope
    bool arrived = false; // all unscheduled bytes are here
    bool granted = false; // a grant is under way
    bool noticed = false; // the sender has been told
    bool aborted = false; // the sender dropped it: only keeps its turn
    Status failed = Status::ok;
    uint32_t msg_no = 0;
    uint32_t unscheduled = 0;
    uint64_t tag = 0;
    uint64_t data = 0;
    uint64_t total = 0;
    void* bounce = nullptr; // payload of a message that came in one packet
    wire::GrantId inbound;  // of one that did not
    ReceiveOperation* operation = nullptr;
    void* claim = nullptr;  // context of the peek that claimed it
    void* buffer = nullptr; // multi-receive: where it starts
    uint64_t capacity = 0;

    bool tagged() const { return flags & nic::kEntryTagged; }
    bool whole() const { // all bytes are here, somewhere
        return arrived && !(flags & nic::kEntryRefused) && unscheduled == total;
    }
};

// The receive half of an endpoint, or of several that share one: matching order, unexpected
// messages, grants and notices.
class ReceiveSide {
public:
    explicit ReceiveSide(Module& module) : module_(module) {}

    // The queue pair that holds what is posted.
    void open(uint32_t queue_pair) { queue_pair_ = queue_pair; }
    uint32_t queue_pair() const { return queue_pair_; }
    // Endpoints whose messages this side receives. All have the same address vector; what is of no
    // endpoint in particular is reported to the one that came first.
    void join(const AddressVector& av, CompletionSink& sink);
    bool may_join(const AddressVector& av) const { return sinks_.empty() || av_ == &av; }
    // Ends what is under way to an endpoint that closes. Senders that still wait for a message's
    // fate learn it, nothing else would tell them; posted receives that took one are canceled.
    void leave(uint32_t queue_pair, CompletionSink& sink, Instant now);
    // No endpoint is left.
    void close();

    [[nodiscard]] Status receive(const RecvRequest& request, Instant now);
    [[nodiscard]] Status peek(const PeekRequest& request, Instant now);
    [[nodiscard]] Status receive_claimed(const RecvRequest& request, bool discard, Instant now);
    [[nodiscard]] Status cancel(void* context, Instant now);
    void set_multi_minimum(size_t bytes) { multi_minimum_ = bytes; }

    // From the device's completion ring.
    void on_matched(ReceiveFlow& f, const nic::CompletionEntry& e, Instant now);
    void on_unmatched(ReceiveFlow& f, const nic::CompletionEntry& e, Instant now);
    void on_turned(ReceiveFlow& f, const nic::CompletionEntry& e, Instant now);
    void on_finished(Arrival& a, Instant now);
    void on_filled(Arrival& a, Instant now);
    void on_aborted(ReceiveFlow& f, Arrival* a, uint32_t msg_no, Instant now);
    void on_canceled(ReceiveOperation& op);
    void on_flow_ended(ReceiveFlow& f, Status why, Instant now);
    void fail_destination(uint32_t handle, Status why, Instant now);

    // The address vector has changed: flows of unknown or removed sources get their names.
    void rename_flows();
    // The device has forgotten everything: all ends. reset.cpp
    void fail_all(Status why, Instant now);

private:
    using ArrivalQueue = List<Arrival, QueueTag>;

    bool has_room() const { return sinks_.empty() || sinks_.front()->has_room(); }
    void report(const Completion& c); // of no endpoint in particular
    void report(const ReceiveOperation& op, const Completion& c);
    ArrivalQueue& unexpected(bool tagged) { return tagged ? tagged_ : untagged_; }
    ReceiveOperation* make_operation(const RecvRequest& r);
    void post(ReceiveOperation& op);
    bool take_unexpected(ReceiveOperation& op, Instant now);
    void copy_in(ReceiveOperation& op, const Arrival& a, uint64_t base);
    Arrival* find_unexpected(bool tagged, uint64_t tag, uint64_t ignore, SourceId source);
    Arrival* make_arrival(ReceiveFlow& f, const nic::CompletionEntry& e, Arrival::State state);
    void free_arrival(Arrival& a);
    void assign(Arrival& a, ReceiveOperation& op, Instant now);
    void begin(Arrival& a, Instant now);
    void finish_if_over(Arrival& a, Instant now);
    void deliver(ReceiveOperation& op, uint64_t total, uint64_t capacity, uint8_t flags,
                 uint64_t tag, uint64_t data, const ReceiveFlow& from, void* buffer, Status status);
    void release_if_spent(ReceiveOperation& op);
    void free_operation(ReceiveOperation& op);
    void stop_watching(ReceiveOperation& op);
    // flags: EntryFlags of the message.
    void notice(ReceiveFlow& f, uint32_t msg_no, uint8_t flags, Instant now,
                Status status = Status::ok);
    void notice_if_kept(Arrival& a, Instant now);
    void discard(Arrival& a, Instant now);
    bool begin_turn(ReceiveFlow& f, uint32_t msg_no);
    void advance(ReceiveFlow& f, Instant now);
    void introduce(ReceiveFlow& f);
    void tell_source(const ReceiveFlow& f, nic::ReceiveOp op);
    void report_peek(const PeekRequest& r, const Arrival* a);

    Module& module_;
    const AddressVector* av_ = nullptr;  // null: no endpoint has joined
    std::vector<CompletionSink*> sinks_; // of the endpoints
    uint32_t queue_pair_ = 0;
    uint32_t posted_count_ = 0;
    size_t multi_minimum_ = 64;                // bytes; what fi_endpoint(3) leaves to providers
    List<ReceiveOperation, PostedTag> posted_; // all live operations, in order
    ArrivalQueue tagged_;                      // unexpected, in matching order
    ArrivalQueue untagged_;
    ArrivalQueue claimed_;
};

} // namespace rill::rdm
