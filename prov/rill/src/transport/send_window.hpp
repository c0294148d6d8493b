// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "transport/outgoing.hpp"
#include "util/seq.hpp"
#include "wire/packet.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace rill::transport {

// Packets by PSN from the oldest unacknowledged on: a ring of pointers with a bit for each that is
// still wanted, so that an acknowledgement's bitmap costs one AND per word and then only what it
// newly acknowledges. Memory comes with the first packet, in powers of two; release() gives it
// back.
class SendWindow {
public:
    explicit SendWindow(Psn first) : base_(first), next_(first) {}

    Psn base() const { return base_; } // oldest unacknowledged
    Psn next() const { return next_; } // will be given to the next packet
    bool empty() const { return base_ == next_; }
    size_t span() const { return static_cast<size_t>(next_ - base_); }
    bool full() const { return span() >= wire::kWindowPackets; }
    size_t capacity() const { return capacity_; }

    // Gives the packet its PSN. The window must not be full.
    void push(Outgoing& packet);
    // The packet with this PSN, or null when it is acknowledged or outside.
    Outgoing* find(Psn psn) const;
    Outgoing* newest() const;
    Outgoing* oldest() const { return find(base_); }

    // All before `cumulative` have arrived. acked(Outgoing&) once for each that was still wanted;
    // the packet is out of the window by then.
    template <class F>
    void ack_before(Psn cumulative, F&& acked) {
        while (base_ < cumulative && base_ < next_) {
            if (Outgoing* packet = take(base_)) acked(*packet);
            ++base_;
        }
        skip_acked();
    }
    // A word of an acknowledgement's bitmap; bit 0 is `from`, a multiple of 64.
    template <class F>
    void ack_word(Psn from, uint64_t word, F&& acked) {
        if (capacity_ == 0) return;
        word &= wanted_[from.raw() % capacity_ / 64];
        for (; word != 0; word &= word - 1) {
            Psn psn = from + static_cast<uint32_t>(std::countr_zero(word));
            if (psn < base_ || psn >= next_) continue;
            if (Outgoing* packet = take(psn)) acked(*packet);
        }
    }
    // To be called after the words: the oldest unacknowledged may have moved.
    void skip_acked() {
        while (base_ < next_ && !find(base_))
            ++base_;
    }
    // Gives the memory of an empty window back.
    void release();

private:
    Outgoing* take(Psn psn);
    void grow();

    Psn base_;
    Psn next_;
    uint32_t capacity_ = 0; // a power of two from 64 on, or 0
    std::unique_ptr<Outgoing*[]> slots_;
    std::unique_ptr<uint64_t[]> wanted_;
};

} // namespace rill::transport
