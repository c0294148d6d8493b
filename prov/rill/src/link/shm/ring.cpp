// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "link/shm/ring.hpp"

#include "util/guarded_copy.hpp"

namespace rill::link::shm {
namespace {

constexpr uint32_t kWrap = UINT32_MAX;

size_t space_of(size_t bytes) {
    return (sizeof(RingEntry) + bytes + kLine - 1) / kLine * kLine;
}

// False: part of a guarded train cannot be read.
bool copy(const wire::TxTrain& train, std::byte* to) {
    const IovView list{train.iov.data(), static_cast<uint32_t>(train.iov.size())};
    const std::span bytes(to, train.total_bytes);
    if (train.guarded) return guarded_gather(list, 0, bytes);
    gather(list, 0, bytes);
    return true;
}

} // namespace

// ---- writing --------------------------------------------------------------------------------

RingEntry& RingWriter::entry(size_t offset) {
    return *reinterpret_cast<RingEntry*>(memory_.bytes + offset);
}

// A line more than asked for: the zero behind the entry.
bool RingWriter::make_room(size_t bytes) {
    const auto fits = [&] { return written_ + bytes + kLine <= taken_ + kRingBytes; };
    if (fits()) return true;
    const uint64_t taken = memory_.control.taken.load(std::memory_order_acquire);
    if (taken > written_ || taken < taken_) return false; // nonsense: no room for ever
    taken_ = taken;
    return fits();
}

Status RingWriter::write(const wire::TxTrain& train) {
    const size_t space = space_of(train.total_bytes);
    size_t offset = written_ % kRingBytes;
    const size_t left = kRingBytes - offset;
    const size_t skipped = space > left ? left : 0;
    if (!make_room(skipped + space)) return Status::again;
    // The payload first: until the reader is shown the entry, it can be given up.
    const size_t at = skipped ? 0 : offset;
    if (!copy(train, memory_.bytes + at + sizeof(RingEntry))) return Status::bad_address;
    if (skipped) {
        entry(0).bytes.store(0, std::memory_order_relaxed);
        entry(offset).bytes.store(kWrap, std::memory_order_release);
    }
    entry((at + space) % kRingBytes).bytes.store(0, std::memory_order_relaxed);
    RingEntry& e = entry(at);
    e.segment_bytes = static_cast<uint32_t>(train.segment_bytes);
    e.bytes.store(static_cast<uint32_t>(train.total_bytes), std::memory_order_release);
    written_ += skipped + space;
    return Status::ok;
}

// The train first, then the look; the reader says that it sleeps first, and then looks for a train.
// One of the two sees the other (both fences are sequentially consistent).
bool RingWriter::wake_wanted() {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    auto& asleep = memory_.control.asleep;
    return asleep.load(std::memory_order_relaxed) != 0 &&
           asleep.exchange(0, std::memory_order_relaxed) != 0;
}

// ---- reading --------------------------------------------------------------------------------

uint32_t RingReader::length_at(uint64_t position) const {
    const auto* e = reinterpret_cast<const RingEntry*>(memory_.bytes + position % kRingBytes);
    return e->bytes.load(std::memory_order_acquire);
}

RingReader::Found RingReader::next(wire::RxTrain& out) {
    uint32_t bytes = length_at(position_);
    if (bytes == 0) return Found::nothing;
    if (bytes == kWrap) {
        position_ += kRingBytes - position_ % kRingBytes;
        bytes = length_at(position_);
        if (bytes == 0) return Found::nothing;
    }
    const size_t offset = position_ % kRingBytes;
    if (bytes > wire::kTrainBytesMax || space_of(bytes) > kRingBytes - offset) return Found::broken;
    const auto* e = reinterpret_cast<const RingEntry*>(memory_.bytes + offset);
    const uint32_t segment = e->segment_bytes;
    out.data = memory_.bytes + offset + sizeof *e;
    out.total_bytes = bytes;
    out.segment_bytes = segment == 0 || segment > bytes ? bytes : segment;
    position_ += space_of(bytes);
    return Found::train;
}

bool RingReader::fall_asleep() {
    memory_.control.asleep.store(1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return empty();
}

} // namespace rill::link::shm
