// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

// What a process lays into shared memory about one device, for other processes to read. One file:
//
//   page 0        Header      once, before the magic is there
//   page 1        Control     by readers; the answer in it by the owner of the device
//   page 2        counters    by the owner of the device, where it counts
//   page 3        names of the counters, kNameBytes each
//   from page 4   Snapshot    when a reader asked: header, then tables
//
// Integers are in the host's order. A reader takes a file of its own kLayoutVersion only. An entry of
// a table may become longer within a version: its size stands in the table's head.

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace rill::obs {

inline constexpr uint32_t kLayoutVersion = 2;
inline constexpr char kMagic[8] = {'r', 'i', 'l', 'l', 'o', 'b', 's', '\n'};

inline constexpr size_t kExportPage = 4096;
inline constexpr size_t kControlAt = 1 * kExportPage;
inline constexpr size_t kCountersAt = 2 * kExportPage;
inline constexpr size_t kNamesAt = 3 * kExportPage;
inline constexpr size_t kSnapshotAt = 4 * kExportPage;
inline constexpr size_t kNameBytes = 32;
inline constexpr size_t kCountersMax = kExportPage / kNameBytes;

// An address as the admin queue has it: the three words of a wire::Address.
struct AddressWords {
    uint64_t words[3];
};

struct Header {
    char magic[8]; // written last
    uint32_t version;
    uint32_t counters;
    int64_t pid;
    uint64_t start_ticks;   // of the process, since boot: tells it from a later one of that number
    uint64_t pid_namespace; // inode
    uint64_t uid;
    char program[kNameBytes];
    char device[kNameBytes]; // its type
    char interface[kNameBytes];
    AddressWords address; // where it receives data
};

// What a reader has the owner do to its device.
enum class CommandKind : uint8_t {
    none = 0, // taken back, but to be answered: it may have been seen
    reset = 1,
    fault = 2, // provoke one
};
struct alignas(8) Command { // one word: nobody sees half of one
    uint16_t number;        // the one after the last answer's: it is to be carried out
    CommandKind kind;
    uint8_t point;  // fault: nic::FaultPoint
    uint32_t times; // fault: how often
};
struct alignas(8) CommandAnswer {
    uint32_t number; // of the command that was carried out last
    uint32_t status; // Status
};

// Written by readers, of the same user; the owner of the device looks when it passes.
struct Control {
    uint32_t wanted; // another value than before: a snapshot, please
    Command command; // taken once the one before is answered
    CommandAnswer answer;
};

// A sequence lock: odd while the rest is being written.
struct SnapshotHead {
    uint64_t sequence;
    int64_t at_ns;  // CLOCK_MONOTONIC
    uint64_t bytes; // of the tables that follow
    uint64_t lost;  // bytes of tables for which there was no memory
};

enum class TableKind : uint32_t {
    device = 1, // one DeviceEntry
    function,
    reg, // a register
    queue_pair,
    resource,
    region,
    context,
    path,
};

struct TableHead {
    TableKind kind;
    uint32_t entry_bytes;
    uint64_t count;
};

struct DeviceEntry {
    uint64_t bar2_bytes, bar2_free, bar2_longest_free;
    uint64_t completions, completions_max; // entries of the completion ring in use
    uint64_t sends;                        // messages that packets still refer to
    uint64_t inbound;                      // messages of more than one packet on their way in
    uint64_t envelopes, bounce_bytes;      // in use
    uint64_t fetches;                      // reads and atomics with a result, unanswered
    uint64_t config_accesses, config_refused;
};

struct FunctionEntry {
    uint32_t number;
    uint32_t features; // negotiated
    uint32_t queue_pairs, address_handles;
    uint64_t commands; // of the admin queue, since the reset
    uint8_t config[4096];
};

struct RegisterEntry {
    uint32_t function;
    uint32_t offset; // in BAR0
    uint64_t value;
};

struct QueuePairEntry {
    uint32_t number;
    uint32_t shared; // the queue pair whose receives it takes; 0: its own
    AddressWords address;
    uint32_t sends;            // entries taken from the send queue, modulo 65536
    uint32_t receives;         // likewise from the receive queue
    uint64_t tagged, untagged; // receives in the match tables
};

struct ResourceEntry { // an allocation of device memory
    uint32_t function;
    uint32_t bytes;
    uint64_t offset;
};

struct RegionEntry {
    uint64_t key, base, length;
    uint32_t access; // 1 readable, 2 writable by peers
    uint32_t pieces;
};

struct ContextEntry {
    uint32_t id;
    uint32_t state; // transport::State
    uint32_t opened_by_us;
    uint32_t credit; // bytes that the peer allows
    AddressWords endpoint, data;
    uint64_t window_bytes, in_flight_bytes;
    uint32_t tx_paths, rx_paths;
};

struct PathEntry {
    uint32_t context; // id
    uint32_t number;
    uint64_t tx_packets, tx_bytes, tx_retransmits, losses;
    uint64_t marks; // of our packets, as the peer counted
    uint64_t penalty;
    int64_t rtt_ns, rtt_min_ns, rtt_var_ns; // 0: not measured
    uint64_t rx_packets, rx_bytes, rx_marks;
};

template <class T>
inline constexpr bool kMayExport = std::is_trivially_copyable_v<T> && sizeof(T) % 8 == 0;
static_assert(kMayExport<Header> && sizeof(Header) == 168 && sizeof(Header) <= kExportPage);
static_assert(sizeof(Command) == 8 && sizeof(CommandAnswer) == 8 && sizeof(Control) == 24);
static_assert(kMayExport<SnapshotHead> && sizeof(SnapshotHead) == 32);
static_assert(kMayExport<TableHead> && sizeof(TableHead) == 16);
static_assert(kMayExport<DeviceEntry> && sizeof(DeviceEntry) == 96);
static_assert(kMayExport<FunctionEntry> && sizeof(FunctionEntry) == 24 + 4096);
static_assert(kMayExport<RegisterEntry> && sizeof(RegisterEntry) == 16);
static_assert(kMayExport<QueuePairEntry> && sizeof(QueuePairEntry) == 56);
static_assert(kMayExport<ResourceEntry> && sizeof(ResourceEntry) == 16);
static_assert(kMayExport<RegionEntry> && sizeof(RegionEntry) == 32);
static_assert(kMayExport<ContextEntry> && sizeof(ContextEntry) == 88);
static_assert(kMayExport<PathEntry> && sizeof(PathEntry) == 104);

} // namespace rill::obs
