// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/entries.hpp"
#include "rdm/request.hpp"
#include "util/pool.hpp"
#include "util/seq.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

namespace rill::rdm {

class AddressVector;
class Module;
class SendSide;
struct SendFlow;

// What an operation on remote memory has beside its list.
struct RemoteDetails {
    nic::SendOp op{};
    uint8_t range_count = 0;
    uint8_t result_count = 0;
    bool fetches = false;
    bool fetched = false; // it is over
    wire::GrantId fetch;  // once launched
    nic::RemoteRange ranges[kRangesMax];
    iovec results[kIovMax]; // of an atomic operation
};

// An operation that we began: a message, or one on remote memory. It ends when the peer has told of
// it or given what was asked for (or has ended), and no packet reads its buffer any more.
struct SendOperation {
    SendFlow* flow = nullptr;
    CompletionSink* sink = nullptr; // null: the endpoint's
    void* context = nullptr;
    uint64_t length = 0;
    uint32_t msg_no = 0;
    uint32_t readers = 0; // send-queue entries that read the buffer
    Level level = Level::transmit;
    Status status = Status::ok;
    uint32_t kinds = 0;    // CompletionKind of its completion
    bool report = true;    // success is written to the queue, not only counted
    bool reported = false; // completed in advance (Level::inject)
    bool done = false;     // the notice came, or will never come
    bool left = false;     // no longer counts against the send queue's depth
    bool is_inline = false;
    bool launched = false; // with the device: no fence holds it back
    uint8_t iov_count = 0;
    std::unique_ptr<RemoteDetails> remote; // null: a message
    union {
        iovec iov[kIovMax];
        struct {
            iovec inline_iov;
            std::byte inline_bytes[kInjectBytesMax];
        };
    };
    SendOperation() {} // what it sends is set by who makes it
    ~SendOperation() {}
    SendOperation(const SendOperation&) = delete;
    SendOperation& operator=(const SendOperation&) = delete;
    bool fetches() const { return remote && remote->fetches; }
};

// The sending end of an ordered stream of messages from one endpoint to one destination. Its number
// names it in the peer's notices and grants.
struct SendFlow {
    SendSide* side = nullptr; // null: the endpoint is closed, what is inline goes on
    uint32_t number = 0;
    uint32_t handle = 0; // address handle
    uint32_t next_no = 0;
    uint32_t base_no = 0;    // of operations.front()
    bool remote = false;     // of operations on remote memory: any order, but for atomics
    uint32_t next_order = 0; // of atomics
    bool ended = false;      // the destination has ended; the next send opens a new flow
    bool watched = false;    // operations wait: the device tells if the peer dies
    std::deque<SendOperation*> operations; // by message number; null: complete

    SendOperation* find(uint32_t no) {
        uint32_t i = no - base_no;
        return i < operations.size() ? operations[i] : nullptr;
    }
};

// Flow numbers carry slot and generation, so that a late notice for a flow that is over finds
// nothing.
class SendFlowTable {
public:
    SendFlow* make(SendSide& side, uint32_t handle);
    SendFlow* find(uint32_t number);
    void free(SendFlow& f) { pool_.free(&f); }
    template <class F>
    void for_each(F&& f) {
        pool_.for_each(f);
    }

private:
    static constexpr uint32_t kSlotBits = nic::kFlowSlotBits;
    Pool<SendFlow> pool_{1u << kSlotBits};
};

// The transmit half of an endpoint.
class SendSide {
public:
    SendSide(Module& module, const AddressVector& av, CompletionSink& sink)
        : module_(module), av_(av), sink_(sink) {}
    ~SendSide() = default;

    [[nodiscard]] Status send(const SendRequest& request, Instant now);
    [[nodiscard]] Status rma(const RmaRequest& request, Instant now);       // remote_operations.cpp
    [[nodiscard]] Status atomic(const AtomicRequest& request, Instant now); // likewise
    // What no fence holds back any more.
    void release(Instant now);
    void open(uint32_t queue_pair) { queue_pair_ = queue_pair; }
    void close(Instant now);

    // The next send to this destination opens a new flow.
    void forget_destination(uint32_t handle);
    // The device has forgotten everything: all ends. reset.cpp
    static void fail_all(Module& module, SendFlow& flow, Status why);
    void forget_all();

    // Static: they serve flows whose endpoint is closed, too.
    static void on_sent(Module& module, SendOperation& op, Status status, Instant now);
    static void on_fetched(Module& module, const nic::CompletionEntry& e);
    static void on_done(Module& module, SendFlow& flow, uint32_t msg_no, uint32_t count,
                        Status status);
    static void fail(Module& module, SendFlow& flow, Status why);
    static void on_grant(Module& module, SendFlow& flow, const nic::CompletionEntry& e,
                         Instant now);

private:
    // An operation that waits behind a fence, with the entry that it becomes.
    struct Held {
        SendOperation* op;
        nic::SendEntry entry;
        bool fence;
    };
    // What this endpoint has with one destination.
    struct Destination {
        SendFlow* messages = nullptr;
        SendFlow* remote = nullptr;
        uint32_t active = 0;                    // operations launched and not over
        std::unique_ptr<std::deque<Held>> held; // null: no fence is up
    };

    static void finish_if_over(Module& module, SendOperation& op);
    static void retire(Module& module, SendOperation& op);
    static void abort(Module& module, SendOperation& op, Instant now);
    Status begin(SourceId destination, bool remote, SendOperation*& out, Instant now);
    void copy_in(SendOperation& op, const iovec* iov, size_t count, uint64_t length);
    void submit(SendOperation& op, const nic::SendEntry& e, bool fence, Instant now);
    void launch(SendOperation& op, const nic::SendEntry& e, bool more, Instant now);
    void launch_ranges(SendOperation& op, nic::SendEntry e, Instant now);
    void report_in_advance(SendOperation& op);
    bool is_awaited(const SendOperation& op, const SendRequest& r) const;
    void report(const SendOperation& op);
    void release_held(Destination& d, Instant now);
    void drop_held(Destination& d);

    Module& module_;
    const AddressVector& av_;
    CompletionSink& sink_;
    uint32_t queue_pair_ = 0;
    uint32_t in_queue_ = 0; // operations that count against the depth
    std::vector<Destination> by_handle_;
};

} // namespace rill::rdm
