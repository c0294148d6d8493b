// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

// Queue entries, as the host and the device see them: 64 bytes each, host byte order. The device
// document (prov/rill/docs/device.md) describes them field by field.

#include "util/status.hpp"
#include "wire/address.hpp"
#include "wire/packet.hpp"

#include <cstdint>
#include <cstring>
#include <sys/uio.h>

namespace rill::nic {

// Work on a send queue.
enum class SendOp : uint8_t {
    message = 1, // a message from its start: envelope and unscheduled bytes
    granted = 2, // the bytes of a message that a grant asked for
    grant = 3,   // ask the sender for bytes of an inbound message
    done = 4,    // completion notice to the sender of `count` messages
    abort = 5,   // the rest of a message will not come
    write = 6,   // bytes for a memory region of the peer's
    read = 7,    // asks for bytes of one
    atomic = 8,
    answer = 9,       // the device's own: a status or a few bytes for the peer's fetch
    watch = 10,       // something is expected (count 1) or no longer (0) of a destination; counted
    watch_flow = 11,  // likewise of a receive flow's sender; not counted
    open_fetch = 12,  // where the bytes of a read or of an atomic's result go; until `fetched`
    close_fetch = 13, // no `fetched` entry, nothing is written any more
};

enum SendFlags : uint8_t {
    kSendTagged = 1 << 0,
    kSendImmediate = 1 << 1,
    kSendDelivery = 1 << 2, // the peer's notice is wanted after delivery
    kSendInline =
        1 << 3, // message: the payload is copied when the packet is built, no `sent` entry;
                // granted: the buffer outlives the queue pair
    kSendFirst = 1 << 4, // message number 0 of its flow: carries the endpoint's address
    kSendRemote =
        1 << 5, // done, abort: of a flow of remote operations (done: `grant` is its handle)
    kSendFetch = 1 << 6,     // granted: the grant names a fetch of the peer's; the device's own
    kSendUnawaited = 1 << 7, // message: nobody waits for the peer's notice; done: the peer said so
};

// What a remote operation works on: one range of a memory region of the peer's.
struct RemoteRange {
    uint64_t key = 0;
    uint64_t address = 0;
    uint64_t length = 0;
    uint64_t total = 0;  // of all ranges of the operation
    uint64_t offset = 0; // where the range lies in our list of bytes (its operands or its fetch)
    uint32_t order = 0;  // atomic: number in its flow
    wire::AtomicOp op{};
    wire::AtomicType type{};
    wire::AtomicKind kind{};
};

// Flows in use differ in as many lower bits of their numbers: the device finds by them whom a flow goes
// to, since only its answers count.
inline constexpr uint32_t kFlowSlotBits = 20;

struct SendEntry {
    SendOp op{};
    uint8_t flags = 0;
    uint8_t status = 0; // done: a Status
    uint8_t iov_count = 0;
    uint32_t request = 0; // returned in the `sent` entry
    uint32_t target = 0;  // message, granted, abort, watch, open_fetch: address handle;
                          // grant, done, watch_flow: receive flow
    uint32_t flow = 0;    // message, abort, write, read, atomic: the software's number of its flow
    uint32_t msg_no = 0;
    uint32_t count = 0; // done: messages; watch: on or off
    union {
        uint64_t tag = 0;          // granted, grant: offset in the message
        const RemoteRange* remote; // write, read, atomic: read in the doorbell
        wire::GrantId* fetch;      // open_fetch: the device writes there how it calls it
    };
    uint64_t immediate = 0;
    uint64_t length = 0; // message: total; granted, grant: bytes asked for; write: of the range
    const iovec* iov = nullptr; // stays valid until `sent` (inline: until the notice)
    wire::GrantId grant;        // granted, grant; read, atomic, close_fetch: our fetch
};
static_assert(sizeof(SendEntry) == 64);

// The longest payload with kSendInline.
inline constexpr size_t kInlineBytesMax = 256;

inline constexpr uint32_t kNoQueuePair = 0;
// Of a send queue, and of a receive queue. The device empties them in the doorbell store, so this
// bounds what one doorbell announces.
inline constexpr uint32_t kQueueEntries = 64;
inline constexpr size_t kQueueBytes = kQueueEntries * sizeof(SendEntry);

// Work on a receive queue.
enum class ReceiveOp : uint8_t {
    post = 1,      // a receive for the match table
    cancel = 2,    // take it back: answered by `canceled`, or by nothing when it has matched
    turn = 3,      // an early message's turn has come: match it, answered by `turned`
    steer = 4,     // direct an inbound message into a buffer, what has arrived included
    drop = 5,      // forget an inbound message: further bytes are not wanted
    introduce = 6, // the software knows who a flow's source is; message 0 can be given its turn
    rename = 7,
    release = 8,   // a flow, after flow_ended
    give_back = 9, // a bounce buffer
    placed = 10,   // the software has copied a message out of one: report its chunks
};

enum ReceiveFlags : uint8_t {
    kReceiveTagged = 1 << 0,
    kReceiveMulti = 1 << 1,
    kReceiveSkip = 1 << 2,   // turn: the message was aborted, nothing is matched
    kReceiveWatch = 1 << 3,  // post: `flow` is an address handle that is watched until it matches
    kReceiveReport = 1 << 4, // post, steer, placed: the chunks are reported
};

struct ReceiveEntry {
    ReceiveOp op{};
    uint8_t flags = 0;
    uint8_t iov_count = 0;
    uint8_t reserved = 0;
    uint32_t request = 0; // turn: returned as it is
    uint32_t flow = 0;    // receive flow; post: address handle
    uint32_t msg_no = 0;
    uint64_t tag = 0;             // steer, placed: where the message starts in the buffer
    uint64_t ignore = 0;          // turn, steer: message length
    uint64_t source = UINT64_MAX; // post: number of the peer that may match, or any; introduce,
                                  // rename: what the flow's sender is called
    uint64_t minimum = 0;         // multi: a buffer with less left is given back; steer: capacity;
                                  // placed: bytes
    union {
        const iovec* iov = nullptr;
        void* buffer; // give_back
    };
    wire::GrantId inbound; // turn, steer, drop
};
static_assert(sizeof(ReceiveEntry) == sizeof(SendEntry));

// What the device tells the software: the metadata of a packet as it came, amended with what was
// done. Written after the payload that it speaks of.
enum class EntryKind : uint8_t {
    matched = 1,    // a message's turn came, a posted receive took it: direct
    unexpected = 2, // its turn came, nothing matched: payload in a bounce buffer
    early = 3,      // an earlier message is missing: payload in a bounce buffer
    turned = 4,     // answer to `turn`
    finished = 5,   // all unscheduled bytes of an inbound message have arrived
    aborted = 6,    // the sender dropped a message; inbound slot UINT32_MAX: it never came
    sent = 7,       // nothing reads the buffer of a send or granted entry any more
    grant = 8,      // the peer asks for bytes
    done = 9,       // the peer's completion notice
    canceled = 10,
    filled = 11,            // all bytes of a grant have arrived
    fetched = 12,           // a fetch has all its bytes, or an error
    remote = 13,            // a peer's operation on our memory is over
    destination_ended = 14, // an address handle: pending sends fail; `status` says how
    flow_ended = 15,        // a receive flow: what is incomplete never completes
    flow = 16,              // a receive flow is new, or its sender's address has come
    remote_source = 17,     // the sender's address of a flow of remote operations
};

enum RemoteKind : uint8_t { // of a `remote` entry: what was done to our memory, maybe both
    kRemoteWasRead = 1 << 0,
    kRemoteWasWritten = 1 << 1,
    kRemoteNotice = 1 << 2,    // the peer waits to be told by a `done`
    kRemoteImmediate = 1 << 3, // `immediate` is valid, and the flow's source
};

enum EntryFlags : uint8_t {
    kEntryTagged = 1 << 0,
    kEntryImmediate = 1 << 1,
    kEntryDelivery = 1 << 2,
    kEntryComplete = 1 << 3,  // all bytes that come without a grant are placed
    kEntryRefused = 1 << 4,   // the unscheduled payload was not kept
    kEntryHit = 1 << 5,       // turned: a receive matched
    kEntryUnawaited = 1 << 5, // matched, unexpected, early: the notice to the sender is not urgent
    kEntryRelease = 1 << 6,   // multi-receive: no further message goes into this buffer
    kEntryMulti = 1 << 7,     // `buffer` is where a multi-receive message starts
};

struct CompletionEntry {
    EntryKind kind{};
    uint8_t flags = 0;    // EntryFlags; remote: RemoteKind
    uint8_t status = 0;   // done, sent, fetched, remote, *_ended: a Status
    uint8_t phase = 0;    // 1 on the first lap, flips on each; written last
    uint32_t request = 0; // of the receive that matched, or of the send; remote, flow: queue pair
    uint32_t flow = 0;    // receive flow; grant, done: our send flow; destination_ended: handle
    uint32_t msg_no = 0;
    uint64_t tag = 0; // grant: offset; remote: key; flow, remote_source: an address in 24 bytes
    uint64_t immediate = 0;
    uint64_t total = 0;       // message length; grant: bytes asked for
    void* buffer = nullptr;   // bounce buffer, or where a multi-receive message starts
    uint32_t length = 0;      // payload bytes in the bounce buffer; done: count
    uint32_t unscheduled = 0; // bytes that come without a grant
    wire::GrantId inbound;    // slot UINT32_MAX: the message was complete in one packet; remote,
                              // remote_source: the flow of remote operations
};
static_assert(sizeof(CompletionEntry) == 64);

// The address in a `flow` or `remote_source` entry; family 0: it has not come yet.
inline void set_address(CompletionEntry& e, const wire::Address& a) {
    static_assert(sizeof a == sizeof e.tag + sizeof e.immediate + sizeof e.total);
    uint64_t words[3];
    std::memcpy(words, &a, sizeof a);
    e.tag = words[0];
    e.immediate = words[1];
    e.total = words[2];
}
inline wire::Address address_of(const CompletionEntry& e) {
    const uint64_t words[3] = {e.tag, e.immediate, e.total};
    wire::Address a;
    std::memcpy(static_cast<void*>(&a), words, sizeof a);
    return a;
}

} // namespace rill::nic
