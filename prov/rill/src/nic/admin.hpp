// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

// Entries of the admin queue, its completion queue and the asynchronous event queue: 64 bytes each,
// host byte order. prov/rill/docs/device.md lists the arguments of each command.

#include <cstddef>
#include <cstdint>

namespace rill::nic {

enum class AdminOp : uint8_t {
    get_feature = 1,
    set_feature = 2,
    allocate_resource = 3,
    free_resource = 4,
    create_queue_pair = 5,
    destroy_queue_pair = 6,
    create_address_handle = 7,
    destroy_address_handle = 8,
    get_statistics = 9,
    create_shared_receive = 10,
    create_completion_queue = 11,
    destroy_completion_queue = 12,
    register_memory = 13,
    change_memory = 14,
    deregister_memory = 15,
    take_leave = 16,
    create_dedup_store = 17,
    destroy_dedup_store = 18,
    create_dedup_ring = 19,
    destroy_dedup_ring = 20,
    attach_dedup = 21,
    detach_dedup = 22,
    submit_dedup = 23,
    look_up_dedup = 24,
    use_dedup_reference = 25,
    get_dedup_statistics = 26,
};

enum class AdminStatus : uint8_t {
    ok = 0,
    resource_failure = 1,
    bad_opcode = 2,
    unsupported = 3, // a feature that was not negotiated, or that this function has not
    malformed = 4,   // a field that must be zero is not
    illegal_parameter = 5,
    busy = 6, // the address or the key is in use
};

// Both queues flip the phase at every wrap; it starts at 1, memory at 0. An entry is read only when
// its phase bit is the expected one, and its body after that.
inline constexpr uint16_t kPhaseBit = 1 << 15;
inline constexpr uint16_t kCommandIdMask = 0x0fff;

struct AdminCommand {
    uint16_t id_and_phase = 0; // id 11:0, phase 15
    AdminOp op{};
    uint8_t reserved[5] = {};
    uint64_t arguments[7] = {};
};
static_assert(sizeof(AdminCommand) == 64);

struct AdminAnswer {
    uint16_t id_and_phase = 0;
    AdminStatus status{};
    uint8_t reserved = 0;
    uint32_t consumed = 0; // commands taken so far
    uint64_t results[7] = {};
};
static_assert(sizeof(AdminAnswer) == 64);

enum class AsyncEventKind : uint8_t {
    fatal = 1,   // value: the Fault
    warning = 2, // value: offset of the register that an access had no right to
};

struct AsyncEvent {
    uint16_t phase = 0; // bit 15
    AsyncEventKind kind{};
    uint8_t reserved[5] = {};
    uint64_t value = 0;
    uint64_t rest[6] = {};
};
static_assert(sizeof(AsyncEvent) == 64);

// What a device offers; the host takes a subset of them (set_feature).
enum Feature : uint32_t {
    kFeatureDeviceMemory = 1 << 0, // BAR2 allocations, send queues in them
    kFeatureStatistics = 1 << 1,   // the get-statistics command
    kFeatureAsyncEvents = 1 << 2,  // the asynchronous event queue
    kFeatureModeration = 1 << 3,   // of the completion queue's interrupt
    kFeatureDedup = 1 << 4,        // stores of chunks, rings of records
};

// Where a send queue lies.
enum class QueuePlace : uint64_t { host_memory = 0, device_memory = 2 /* the BAR */ };

// register_memory and change_memory: what peers may do (1:0), and who names the region.
inline constexpr uint64_t kRegionReadable = 1 << 0;
inline constexpr uint64_t kRegionWritable = 1 << 1;
inline constexpr uint64_t kRegionOwnKey = 1 << 8; // the device finds a key
inline constexpr uint64_t kRegionPiecesMax = 256;

// take_leave: completion notices that wait for company go; then the farewells.
enum class LeaveStep : uint64_t { flush_notices = 0, farewell = 1 };

// ---- dedup. Stores and rings have numbers that the host gives them, from 1 on; 0: none.
inline constexpr uint64_t kDedupNumberMax = 255;
inline constexpr uint64_t kDedupStoreMax = 1u << 26; // chunks of a store
inline constexpr uint64_t kDedupKeyMax = 4096;       // bytes
inline constexpr uint64_t kDedupQueriesMax = 4096;   // of one look-up

// What records are made of: messages whose receives ask for it, or whatever peers write.
enum class DedupTarget : uint64_t { queue_pair = 0, region = 1 };

enum class DedupUse : uint64_t { resolve = 0, hold = 1, release = 2 };

// One of a list that look_up_dedup reads, and writes the answer into.
struct DedupQuery {
    uint8_t digest[32] = {};
    uint32_t length = 0;
    uint32_t scope = 0;
    uint64_t address = 0; // answer: 0 if the chunk is not known
    uint32_t place = 0;   // answer: the reference
    uint32_t generation = 0;
    uint64_t reserved = 0;
};
static_assert(sizeof(DedupQuery) == 64);

// Words that get_dedup_statistics writes, of a store and all that reports to it, since it was made.
struct DedupStatistics {
    uint64_t capacity = 0, chunks_now = 0;
    uint64_t bytes = 0, chunks = 0; // that were digested
    uint64_t duplicates = 0, duplicate_bytes = 0;
    uint64_t mismatches = 0;      // a known digest, but other bytes
    uint64_t records_dropped = 0; // a ring was full
    uint64_t streams_lost = 0;    // transfers whose records are not complete
    uint64_t lookups = 0, hits = 0, inserted = 0;
    uint64_t evicted = 0;     // for want of a place
    uint64_t overwritten = 0; // with their memory
    uint64_t refused = 0;     // all that could have given way was held
};

// An address in arguments and results of commands: wire::Address as it is.
inline constexpr size_t kAddressWords = 3;

} // namespace rill::nic
