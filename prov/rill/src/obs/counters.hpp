// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace rill::obs {

// Every counter of a device: enumerator, name as users see it, meaning. Every drop has its own
// cause. The man page and rill's statistics line are made from this table.
#define RILL_COUNTERS(X)                                                                           \
    X(tx_packets, "packets sent, retransmissions included")                                        \
    X(tx_bytes, "bytes sent in packets, headers included")                                         \
    X(tx_trains, "send system calls that carried packets")                                         \
    X(tx_retransmits, "packets sent again")                                                        \
    X(tx_tail_probes, "tail probes sent")                                                          \
    X(tx_timeouts, "retransmission time-outs")                                                     \
    X(tx_spurious, "retransmissions that turned out needless")                                     \
    X(tx_acks, "packets sent that carry only acknowledgements")                                    \
    X(tx_shm_bytes, "bytes sent through memory to processes of this host, headers included")       \
    X(shm_channels, "processes of this host that memory was shared with")                          \
    X(tx_again, "sends that the kernel had no room for")                                           \
    X(tx_errors, "sends that the kernel refused for another reason")                               \
    X(tx_segmentation_refused, "sockets on which the kernel refused segmentation offload")         \
    X(rx_packets, "packets received")                                                              \
    X(rx_bytes, "bytes received in packets, headers included")                                     \
    X(rx_trains, "receive system calls that brought packets")                                      \
    X(rx_duplicates, "packets received again")                                                     \
    X(rx_marked, "packets with a congestion mark")                                                 \
    X(rx_direct_packets, "packets placed straight into the posted buffer")                         \
    X(rx_direct_bytes, "payload bytes placed straight into the posted buffer")                     \
    X(rx_indirect_packets, "packets that passed a bounce buffer")                                  \
    X(rx_indirect_bytes, "payload bytes that passed a bounce buffer")                              \
    X(rx_refused_bytes,                                                                            \
      "unscheduled payload bytes dropped for want of bounce memory, granted later")                \
    X(drop_kernel, "packets that the kernel dropped: receive buffer full")                         \
    X(drop_short, "packets too short for a header")                                                \
    X(drop_version, "packets of another protocol version")                                         \
    X(drop_type, "packets of an unknown type")                                                     \
    X(drop_malformed, "packets whose hello, acknowledgement or records are malformed")             \
    X(drop_context, "packets for a context that does not exist")                                   \
    X(drop_token, "packets with a wrong token")                                                    \
    X(drop_window, "packets outside the receive window")                                           \
    X(drop_cookie, "openings with a wrong cookie")                                                 \
    X(drop_strangers, "openings refused because too many contexts are open")                       \
    X(drop_no_room, "packets not accepted because a queue was full")                               \
    X(drop_stale, "records of messages that are over")                                             \
    X(drop_no_queue_pair, "records for an endpoint that does not exist")                           \
    X(drop_bad_grant, "granted data whose grant does not exist or is out of bounds")               \
    X(drop_bad_notice, "grants and completion notices from others than whom the message went to")  \
    X(remote_writes, "RMA writes of peers that were done here")                                    \
    X(remote_reads, "RMA reads of peers that were answered here")                                  \
    X(remote_atomics, "atomic operations of peers that were executed here")                        \
    X(remote_refused, "accesses of peers refused for their key, range, rights or memory")          \
    X(dedup_bytes, "bytes cut into chunks and digested")                                           \
    X(dedup_chunks, "chunks")                                                                      \
    X(dedup_duplicates, "chunks that a store had already")                                         \
    X(dedup_duplicate_bytes, "bytes of them")                                                      \
    X(dedup_records_dropped, "records of chunks for which a ring had no room")                     \
    X(dedup_streams_lost, "transfers whose records are not complete")                              \
    X(contexts_opened, "transport contexts opened by us")                                          \
    X(contexts_accepted, "transport contexts opened by peers")                                     \
    X(contexts_evicted, "transport contexts that gave their memory back, being idle")              \
    X(contexts_revived, "transport contexts that were needed again after that")                    \
    X(paths_suspected, "paths asked because they swallowed packets or could not be sent on")       \
    X(paths_down, "paths that did not answer then")                                                \
    X(paths_up, "paths that answered, first or again")                                             \
    X(routes_found, "further source ports used because they passed by a queue")                    \
    X(peers_unreachable, "peers that never answered")                                              \
    X(peers_dead, "peers declared dead after contact")                                             \
    X(peers_gone, "peers that took leave")                                                         \
    X(impair_lost, "packets dropped by FI_RILL_IMPAIR")                                            \
    X(impair_duplicated, "packets duplicated by FI_RILL_IMPAIR")                                   \
    X(impair_reordered, "packets held back by FI_RILL_IMPAIR")                                     \
    X(impair_corrupted, "packets corrupted by FI_RILL_IMPAIR and found by the checksum")

enum class Counter : uint8_t {
#define X(name, help) name,
    RILL_COUNTERS(X)
#undef X
};

struct CounterInfo {
    const char* name;
    const char* help;
};

inline constexpr CounterInfo kCounterTable[] = {
#define X(name, help) {#name, help},
    RILL_COUNTERS(X)
#undef X
};
inline constexpr size_t kCounters = std::size(kCounterTable);

// One device's counters. Written by the owner of the device only; readers elsewhere see each value
// whole (aligned 64-bit) but not the set at one instant.
class Counters {
public:
    void add(Counter c, uint64_t n = 1) { values_[static_cast<size_t>(c)] += n; }
    void set(Counter c, uint64_t n) { values_[static_cast<size_t>(c)] = n; }
    uint64_t get(Counter c) const { return values_[static_cast<size_t>(c)]; }

private:
    std::array<uint64_t, kCounters> values_{};
};

} // namespace rill::obs
