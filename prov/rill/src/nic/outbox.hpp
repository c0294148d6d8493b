// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/entries.hpp"
#include "nic/memory_regions.hpp"
#include "transport/outgoing.hpp"
#include "util/list.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace rill::transport {
class Context;
struct Peer;
} // namespace rill::transport

namespace rill::nic {

struct OutboxTag;

// What remote operations need beside their entry.
struct RemoteWork {
    RemoteRange range;
    std::shared_ptr<const MemoryRegion::Pieces> pieces; // granted: what the entry's iov is
    std::vector<std::byte> bytes;                       // answer, atomic: payload
    transport::Peer* peer = nullptr;                    // granted: who asked,
    wire::GrantId flow;                                 // and its remote flow
    uint32_t* answers = nullptr;                        // counts those that wait to leave

    RemoteWork() = default;
    RemoteWork(const RemoteWork&) = delete;
    RemoteWork& operator=(const RemoteWork&) = delete;
    ~RemoteWork() {
        if (answers) --*answers;
    }
};

// A send-queue entry that the device works on.
struct SendWork : ListHook<OutboxTag> {
    SendEntry entry;
    uint32_t queue_pair = 0; // ours
    uint32_t remote = 0;     // records: the peer's queue pair, or the peer's flow number
    bool forgotten = false;  // its endpoint is closed: no `sent` entry
    bool cut = false;        // all packets are made
    uint32_t packets = 0;    // with slices that are not released
    uint64_t next = 0;       // bytes of the message or grant that are in packets
    wire::SourceInfo source; // kSendFirst; write with an immediate
    std::unique_ptr<RemoteWork> remote_work; // write, read, atomic, answer; granted with kSendFetch

    // Whether packets refer to the host's buffer instead of copying it.
    bool bulk() const {
        return entry.op == SendOp::granted ||
               ((entry.op == SendOp::message || entry.op == SendOp::write) &&
                !(entry.flags & kSendInline));
    }
    // Whether its record names the peer's queue pair, which may not be known yet.
    bool addressed() const {
        switch (entry.op) {
        case SendOp::message:
        case SendOp::abort:
        case SendOp::write:
        case SendOp::read:
        case SendOp::atomic: return true;
        case SendOp::granted:
        case SendOp::grant:
        case SendOp::done:
        case SendOp::answer: return false;
        case SendOp::watch: // never become work
        case SendOp::watch_flow:
        case SendOp::open_fetch:
        case SendOp::close_fetch: return false;
        }
        return false;
    }
};

// What one transport context has to carry, in three classes: messages from their start and records
// that fit into a packet beside others, completion notices that wait for company, and the rest of
// payload that is cut from user buffers. Messages start in order: one that overtook would only wait
// at the receiver, in memory that may be short. But small ones do not wait behind bulk.
class Outbox {
public:
    explicit Outbox(transport::Context* c) : context(c) {}

    transport::Context* context;
    uint32_t handle = UINT32_MAX; // the address handle that opened the context

    void add_small(SendWork& w) { small_.push_back(w); }
    void add_notice(SendWork& w) {
        hurried_ |= !(w.entry.flags & kSendUnawaited);
        notices_.push_back(w);
    }
    void add_bulk(SendWork& w) { (w.entry.op == SendOp::message ? small_ : bulk_).push_back(w); }
    // Makes one more notice part of the last one, if it continues it.
    bool extend_notice(uint32_t flow, uint32_t msg_no, uint8_t status, bool awaited);

    bool empty() const { return small_.empty() && notices_.empty() && bulk_.empty(); }
    bool only_notices() const { return small_.empty() && bulk_.empty(); }

    // Notices wait no longer. False when there are none.
    bool promote_notices() {
        if (notices_.empty()) return false;
        while (SendWork* w = notices_.pop_front())
            small_.push_back(*w);
        return true;
    }

    // Fills a fresh packet with at most `limit` bytes of records. `finished(work)` is called for
    // each work that needs nothing more (small ones) and may free it.
    template <class Finished>
    bool fill(transport::Outgoing& p, size_t limit, bool flush, Finished&& finished);

    // Takes any work out, or null when empty.
    SendWork* pop() {
        for (auto* list : {&small_, &notices_, &bulk_})
            if (SendWork* w = list->pop_front()) return w;
        return nullptr;
    }
    template <class F>
    void for_each(F&& f) {
        for (auto* list : {&small_, &notices_, &bulk_})
            for (SendWork *w = list->front(), *n; w; w = n) {
                n = list->next(*w);
                f(*w);
            }
    }

private:
    using WorkList = List<SendWork, OutboxTag>;

    // How many packets may leave without the notices that nobody waits for: each costs the two sides
    // together some 700 instructions, and one tells of many messages.
    static constexpr uint8_t kPassedBy = 16;

    bool notices_go(bool flush) {
        if (notices_.empty()) return false;
        if (!flush && (only_notices() || (!hurried_ && ++passed_by_ < kPassedBy))) return false;
        hurried_ = false;
        passed_by_ = 0;
        return true;
    }

    WorkList small_;
    WorkList notices_;
    WorkList bulk_;
    bool hurried_ = false;  // somebody waits for one of the notices
    uint8_t passed_by_ = 0; // packets that left without them
};

// Encodes a small work's record into the packet; false when it does not fit.
bool put_small(transport::Outgoing& p, size_t limit, const SendWork& w);

// Likewise of a remote operation (outbox_remote.cpp).
bool put_inline_write(transport::Outgoing& p, size_t limit, const SendWork& w);
bool put_read(transport::Outgoing& p, size_t limit, const SendWork& w);
bool put_atomic(transport::Outgoing& p, size_t limit, const SendWork& w);
bool put_answer(transport::Outgoing& p, size_t limit, const SendWork& w);
bool put_write_piece(transport::Outgoing& p, size_t limit, SendWork& w);

// Bytes of records that a packet still takes.
size_t record_space(const transport::Outgoing& p, size_t limit);

// How many bytes the next piece of payload has: what is left of the work, bounded by the packet and
// by the 16-bit length of a record. False when too little room is left to be worth a piece.
bool piece_fits(const transport::Outgoing& p, size_t limit, size_t header, uint64_t left,
                size_t& bytes);

// The packet's payload is a part of the work's list, and the work is not over before it is.
void set_slice(transport::Outgoing& p, SendWork& w, uint64_t offset, size_t bytes);

// Cuts the next piece of a bulk work into the packet; false when too little room is left to be
// worth a piece. Sets w.cut when that was the last.
bool put_bulk(transport::Outgoing& p, size_t limit, SendWork& w);

template <class Finished>
bool Outbox::fill(transport::Outgoing& p, size_t limit, bool flush, Finished&& finished) {
    auto drain = [&](WorkList& list) {
        while (SendWork* w = list.front()) {
            if (w->bulk() || !put_small(p, limit, *w)) return;
            WorkList::remove(*w);
            finished(*w);
        }
    };
    if (notices_go(flush)) drain(notices_);
    drain(small_);
    // One piece of payload ends a packet: nothing can be put behind it.
    bool starts = !small_.empty();
    SendWork* w = starts ? small_.front() : bulk_.front();
    if (w && w->bulk() && put_bulk(p, limit, *w)) {
        if (starts || w->cut) WorkList::remove(*w);
        if (starts && !w->cut) bulk_.push_back(*w);
    }
    return p.copied_bytes > 0;
}

} // namespace rill::nic
