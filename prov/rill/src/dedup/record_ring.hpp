// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "dedup/record.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cassert>
#include <cstdint>
#include <span>
#include <vector>

namespace rill::dedup {

// What lies in front of the records in a ring's memory. The indices count all records ever.
struct alignas(64) RingHeader {
    uint32_t produced = 0; // written by the engines, after the record
    uint32_t consumed = 0; // written by the reader: their room may be used again
    uint64_t dropped = 0;  // written by the engines: records for which there was no room
};
static_assert(sizeof(RingHeader) == sizeof(Record));

// The engines' end of a ring of records in memory that somebody else keeps. A full ring drops
// records and counts them; whatever the reader writes into the header does no harm.
class RecordRing {
public:
    // `capacity` is a power of two; the records lie behind the header.
    RecordRing(RingHeader& header, uint32_t capacity)
        : header_(header), records_(reinterpret_cast<Record*>(&header + 1)), mask_(capacity - 1) {
        assert(std::has_single_bit(capacity));
    }

    bool push(const Record& r) {
        const uint32_t consumed = std::atomic_ref(header_.consumed).load(std::memory_order_acquire);
        if (produced_ - consumed > mask_) {
            std::atomic_ref(header_.dropped).store(++dropped_, std::memory_order_relaxed);
            return false;
        }
        records_[produced_ & mask_] = r;
        std::atomic_ref(header_.produced).store(++produced_, std::memory_order_release);
        return true;
    }
    uint64_t dropped() const { return dropped_; }

private:
    RingHeader& header_;
    Record* records_;
    uint32_t mask_;
    uint32_t produced_ = 0;
    uint64_t dropped_ = 0;
};

// The memory of a ring, and the reader's end of it.
class RecordMemory {
public:
    // `capacity` is a power of two.
    explicit RecordMemory(uint32_t capacity) : mask_(capacity - 1), lines_(capacity + 1) {}

    RingHeader& header() { return *reinterpret_cast<RingHeader*>(lines_.data()); }
    std::span<std::byte> bytes() { return std::as_writable_bytes(std::span(lines_)); }
    uint32_t capacity() const { return mask_ + 1; }
    uint32_t size() {
        return std::atomic_ref(header().produced).load(std::memory_order_acquire) - consumed_;
    }
    bool empty() { return size() == 0; }
    const Record& front() {
        assert(!empty());
        return reinterpret_cast<const Record&>(lines_[1 + (consumed_ & mask_)]);
    }
    void pop() { std::atomic_ref(header().consumed).store(++consumed_, std::memory_order_release); }
    uint64_t dropped() { return std::atomic_ref(header().dropped).load(std::memory_order_relaxed); }
    // Whoever writes into it begins anew.
    void clear() {
        std::fill(lines_.begin(), lines_.end(), Line{});
        consumed_ = 0;
    }

private:
    struct alignas(64) Line {
        std::byte bytes[sizeof(Record)] = {};
    };

    uint32_t mask_;
    uint32_t consumed_ = 0;
    std::vector<Line> lines_; // the header, then the records
};

} // namespace rill::dedup
