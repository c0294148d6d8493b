// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace rill {

// First-in first-out ring whose capacity is a power of two fixed at construction. Owned by one
// thread at a time; a full ring is an answer (push returns false), never a reallocation.
template <class T>
class Ring {
public:
    explicit Ring(size_t capacity)
        : mask_(std::bit_ceil(capacity) - 1), own_(std::make_unique<T[]>(mask_ + 1)),
          slots_(own_.get()) {}
    // In memory that somebody else keeps; `capacity` is a power of two.
    Ring(T* slots, size_t capacity) : mask_(capacity - 1), slots_(slots) {
        assert(std::has_single_bit(capacity));
    }

    size_t capacity() const { return mask_ + 1; }
    size_t size() const { return tail_ - head_; }
    bool empty() const { return tail_ == head_; }
    bool full() const { return size() > mask_; }

    [[nodiscard]] bool push(const T& v) {
        if (full()) return false;
        slots_[tail_++ & mask_] = v;
        return true;
    }
    // Slot that the next push_slot/commit pair fills in place; null when full.
    T* slot() { return full() ? nullptr : &slots_[tail_ & mask_]; }
    void commit() {
        assert(!full());
        ++tail_;
    }
    T& front() {
        assert(!empty());
        return slots_[head_ & mask_];
    }
    T& at(size_t i) {
        assert(i < size());
        return slots_[(head_ + i) & mask_];
    }
    void pop() {
        assert(!empty());
        ++head_;
    }

private:
    size_t mask_;
    size_t head_ = 0; // written by the consumer
    size_t tail_ = 0; // written by the producer
    std::unique_ptr<T[]> own_;
    T* slots_;
};

} // namespace rill
