// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "util/status.hpp"
#include "wire/packet.hpp"

#include <cstddef>
#include <cstdint>
#include <sys/uio.h>

namespace rill::rdm {

// A peer as the program names it: the index that the address vector returned. Equal to fi_addr_t.
using SourceId = uint64_t;
inline constexpr SourceId kAnySource = UINT64_MAX;     // receive: from anybody
inline constexpr SourceId kUnknownSource = UINT64_MAX; // completion: not in the address vector

// When a send is reported. inject: when the buffer may be used again; transmit: when the message is
// at the peer and will be delivered without us; delivery: when it lies in the peer's buffer.
enum class Level : uint8_t { inject, transmit, delivery };

inline constexpr size_t kIovMax = 16; // entries of a scatter list in one operation
inline constexpr size_t kInjectBytesMax = 256;
inline constexpr size_t kRangesMax = 8; // ranges of remote memory in one operation

class CompletionSink;

struct SendRequest {
    const iovec* iov = nullptr; // copied; the buffers it names stay the program's until completion
    size_t iov_count = 0;
    SourceId destination = 0;
    uint64_t tag = 0;
    uint64_t data = 0;
    void* context = nullptr;
    CompletionSink* sink = nullptr; // where it reports; null: at the endpoint
    Level level = Level::transmit;
    bool tagged = false;
    bool has_data = false;
    bool inject = false; // copy the payload now: the buffer is the program's on return
    bool fence = false;  // wait until all earlier operations to the destination have ended
    bool report = true;  // write a completion on success (errors are always reported)
    bool awaited = true; // somebody waits for that, or counts it
};

// A range of a memory region of the destination's. `address` is an offset or a virtual address, as
// its owner registered it.
struct RemoteMemory {
    uint64_t address = 0;
    uint64_t length = 0; // bytes
    uint64_t key = 0;
};

// RMA: the ranges together are as long as the scatter list.
struct RmaRequest {
    const iovec* iov = nullptr;
    size_t iov_count = 0;
    const RemoteMemory* ranges = nullptr;
    size_t range_count = 0;
    SourceId destination = 0;
    uint64_t data = 0; // for the destination's completion queue
    void* context = nullptr;
    CompletionSink* sink = nullptr; // where it reports; null: at the endpoint
    Level level = Level::transmit;
    bool read = false;
    bool has_data = false;
    bool inject = false;
    bool fence = false;
    bool report = true;
};

// An atomic operation: the ranges, the operands, the compare list and the results are equally long
// (lists that the operation does not have are empty). Operands and what they are compared with are
// copied.
struct AtomicRequest {
    const iovec* operands = nullptr;
    size_t operand_count = 0;
    const iovec* compares = nullptr;
    size_t compare_count = 0;
    const iovec* results = nullptr;
    size_t result_count = 0;
    const RemoteMemory* ranges = nullptr;
    size_t range_count = 0;
    wire::AtomicOp op{};
    wire::AtomicType type{};
    wire::AtomicKind kind{};
    SourceId destination = 0;
    void* context = nullptr;
    CompletionSink* sink = nullptr; // where it reports; null: at the endpoint
    Level level = Level::transmit;
    bool fence = false;
    bool report = true;
};

struct RecvRequest {
    const iovec* iov = nullptr;
    size_t iov_count = 0;
    SourceId source = kAnySource;
    uint64_t tag = 0;
    uint64_t ignore = 0;
    void* context = nullptr;
    CompletionSink* sink = nullptr; // where it reports; null: at the endpoint
    bool tagged = false;
    bool multi = false; // one entry only; serves messages until less than the minimum is left
    bool report = true;
    bool chunks = false; // report them, to what the receiver is attached to
};

struct PeekRequest {
    SourceId source = kAnySource;
    uint64_t tag = 0;
    uint64_t ignore = 0;
    void* context = nullptr;
    bool tagged = true;
    bool claim = false;   // hold the message for recv_claimed() with the same context
    bool discard = false; // drop it
};

// What happened, in the order of becoming visible. kinds are bits: a receive may carry data too.
enum CompletionKind : uint32_t {
    kSend = 1 << 0,
    kRecv = 1 << 1,
    kMsg = 1 << 2,
    kTaggedKind = 1 << 3,
    kRemoteData = 1 << 4,   // `data` is valid
    kMultiRelease = 1 << 5, // a multi-receive buffer was given back
    kPeek = 1 << 6,         // answer to a peek: nothing was received yet
    kRead = 1 << 7,         // RMA read, fetching atomic: ours
    kWrite = 1 << 8,        // RMA write, base atomic: ours
    kRemoteRead = 1 << 9,   // the same, of a peer's
    kRemoteWrite = 1 << 10,
    kRma = 1 << 11,
    kAtomic = 1 << 12,
};

struct Completion {
    void* context = nullptr;
    uint32_t kinds = 0;
    Status status = Status::ok; // not_found: a peek that missed; truncated: see overflow
    uint64_t length = 0;        // bytes received (after truncation); peek: the message's length
    uint64_t overflow = 0;      // bytes that did not fit
    void* buffer = nullptr;     // multi-receive: where this message starts
    uint64_t data = 0;
    uint64_t tag = 0;
    SourceId source = kUnknownSource;
    bool report = true; // false: counted, but no entry for the queue unless it failed
};

// Counts operations as they end: what a memory region may have besides its endpoints' sinks. Called
// with the device owned.
class EventCounter {
public:
    virtual ~EventCounter() = default;
    virtual void count(Status status) = 0;
};

// A memory region, as far as it wants to know what peers do to it. Null: nothing counts that.
class RegionEvents {
public:
    virtual ~RegionEvents() = default;
    virtual EventCounter* remote_reads() const = 0;
    virtual EventCounter* remote_writes() const = 0;
};

// Where completions go: one for an endpoint's transmit side, one for its receive side, which also
// learns what peers read and write. Every operation that ends is told of, also when it asked for no
// report: it still counts. Called with the device owned.
class CompletionSink {
public:
    virtual ~CompletionSink() = default;
    virtual void complete(const Completion& c) = 0;
    // Whether a further completion fits: posting answers `again` while not.
    virtual bool has_room() const = 0;
};

} // namespace rill::rdm
