// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/device.hpp"
#include "rdm/request.hpp"
#include "util/pool.hpp"
#include "util/seq.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <deque>
#include <vector>

namespace rill::rdm {

class AddressVector;
class Module;
class SendSide;
struct SendFlow;

// A message on its way out. It ends when the peer's software has told of it (or the peer has ended)
// and no packet reads its buffer any more.
struct SendOperation {
    SendFlow* flow = nullptr;
    CompletionSink* sink = nullptr; // null: the endpoint's
    void* context = nullptr;
    uint64_t length = 0;
    uint32_t msg_no = 0;
    uint32_t readers = 0; // send-queue entries that read the buffer
    Level level = Level::transmit;
    Status status = Status::ok;
    bool tagged = false;
    bool report = true;    // success is written to the queue, not only counted
    bool reported = false; // completed in advance (Level::inject)
    bool done = false;     // the notice came, or will never come
    bool left = false;     // no longer counts against the send queue's depth
    bool is_inline = false;
    uint8_t iov_count = 0;
    union {
        iovec iov[kIovMax];
        struct {
            iovec inline_iov;
            std::byte inline_bytes[kInjectBytesMax];
        };
    };
    SendOperation() {} // what it sends is set by who makes it
};

// The sending end of an ordered stream of messages from one endpoint to one destination. Its number
// names it in the peer's notices and grants.
struct SendFlow {
    SendSide* side = nullptr; // null: the endpoint is closed, what is inline goes on
    uint32_t number = 0;
    uint32_t handle = 0; // address handle
    uint32_t next_no = 0;
    uint32_t base_no = 0; // of operations.front()
    bool ended = false;   // the destination has ended; the next send opens a new flow
    bool watched = false; // operations wait: the device tells if the peer dies
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
    static constexpr uint32_t kSlotBits = 20;
    Pool<SendFlow> pool_{1u << kSlotBits};
};

// The transmit half of an endpoint.
class SendSide {
public:
    SendSide(Module& module, const AddressVector& av, CompletionSink& sink)
        : module_(module), av_(av), sink_(sink) {}
    ~SendSide() = default;

    [[nodiscard]] Status send(const SendRequest& request, Instant now);
    void open(uint32_t queue_pair) { queue_pair_ = queue_pair; }
    void close(Instant now);

    // The next send to this destination opens a new flow.
    void forget_destination(uint32_t handle);

    // Static: they serve flows whose endpoint is closed, too.
    static void on_sent(Module& module, SendOperation& op);
    static void on_done(Module& module, SendFlow& flow, uint32_t msg_no, uint32_t count,
                        Status status);
    static void fail(Module& module, SendFlow& flow, Status why);
    static void on_grant(Module& module, SendFlow& flow, const nic::CompletionEntry& e,
                         Instant now);

private:
    static void finish_if_over(Module& module, SendOperation& op);
    static void retire(Module& module, SendOperation& op);
    SendFlow* flow_to(uint32_t handle);
    void prepare(SendOperation& op, const SendRequest& r, uint64_t length);
    void report(const SendOperation& op);

    Module& module_;
    const AddressVector& av_;
    CompletionSink& sink_;
    uint32_t queue_pair_ = 0;
    uint32_t in_queue_ = 0; // operations that count against the depth
    std::vector<SendFlow*> by_handle_;
};

} // namespace rill::rdm
