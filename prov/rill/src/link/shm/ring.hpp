// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "wire/link.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace rill::link::shm {

// A byte ring in memory that one process writes and another reads, train by train. A train is an
// entry: its length, its packet size, its bytes, padded to a cache line. The length is written last
// and is what the reader polls, so that a short train costs the reader no other line to look at.
//
//     | 8: length, packet size | bytes ... | pad | 8: length ...
//
// The line behind the newest entry has length 0. kWrap as a length: the next entry is at offset 0.
inline constexpr size_t kRingBytes = size_t{1} << 20;
inline constexpr size_t kLine = 64;

struct RingEntry {
    std::atomic<uint32_t> bytes;
    uint32_t segment_bytes;
};
static_assert(sizeof(RingEntry) == 8 && std::atomic<uint32_t>::is_always_lock_free);

// What the reader tells the writer; a line each, since they change at different times.
struct RingControl {
    alignas(kLine) std::atomic<uint64_t> taken;  // bytes that the reader has done with, in total
    alignas(kLine) std::atomic<uint32_t> asleep; // it wants to be woken by the next train
};
static_assert(sizeof(RingControl) == 2 * kLine);

struct RingMemory {
    RingControl control;
    alignas(4096) std::byte bytes[kRingBytes];
};

// The writing end. Both ends keep their position to themselves: nothing that the other process
// writes can lead them out of the ring.
class RingWriter {
public:
    explicit RingWriter(RingMemory& memory) : memory_(memory) {}

    // again: no room now; bad_address: memory of a guarded train is not there.
    [[nodiscard]] Status write(const wire::TxTrain& train);
    // Whether the reader sleeps and has to be woken; true once for each time that it falls asleep.
    bool wake_wanted();

private:
    RingEntry& entry(size_t offset);
    bool make_room(size_t bytes);

    RingMemory& memory_;
    uint64_t written_ = 0;
    uint64_t taken_ = 0; // as last read
};

class RingReader {
public:
    explicit RingReader(RingMemory& memory) : memory_(memory) {}

    enum class Found { nothing, train, broken }; // broken: a length that no writer of ours writes
    // `out` points into the ring: its data, and nothing else of it, is set. Valid until release().
    Found next(wire::RxTrain& out);
    // Gives back what next() returned so far.
    void release() {
        if (released_ == position_) return; // the line is the writer's to read
        memory_.control.taken.store(position_, std::memory_order_release);
        released_ = position_;
    }
    // From now on the writer wakes us. False when a train is there already.
    bool fall_asleep();
    bool empty() const { return length_at(position_) == 0; }

private:
    uint32_t length_at(uint64_t position) const;

    RingMemory& memory_;
    uint64_t position_ = 0;
    uint64_t released_ = 0; // as last told to the writer
};

} // namespace rill::link::shm
