// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/send_window.hpp"

#include <cassert>

namespace rill::transport {
namespace {
constexpr uint32_t kSmallest = 64; // one word of the bitmap
}

void SendWindow::push(Outgoing& packet) {
    assert(!full());
    if (span() == capacity_) grow();
    uint32_t at = next_.raw() & (capacity_ - 1);
    slots_[at] = &packet;
    wanted_[at / 64] |= uint64_t{1} << (at % 64);
    packet.psn = next_;
    ++next_;
}

Outgoing* SendWindow::find(Psn psn) const {
    if (psn < base_ || psn >= next_) return nullptr;
    return slots_[psn.raw() & (capacity_ - 1)];
}

Outgoing* SendWindow::newest() const {
    for (Psn psn = next_; psn > base_;) {
        psn = psn - 1u;
        if (Outgoing* packet = find(psn)) return packet;
    }
    return nullptr;
}

Outgoing* SendWindow::take(Psn psn) {
    uint32_t at = psn.raw() & (capacity_ - 1);
    Outgoing* packet = slots_[at];
    slots_[at] = nullptr;
    wanted_[at / 64] &= ~(uint64_t{1} << (at % 64));
    return packet;
}

void SendWindow::grow() {
    uint32_t bigger = capacity_ ? capacity_ * 2 : kSmallest;
    auto slots = std::make_unique<Outgoing*[]>(bigger);
    auto wanted = std::make_unique<uint64_t[]>(bigger / 64);
    for (Psn psn = base_; psn < next_; ++psn) {
        Outgoing* packet = slots_[psn.raw() & (capacity_ - 1)];
        uint32_t at = psn.raw() & (bigger - 1);
        slots[at] = packet;
        if (packet) wanted[at / 64] |= uint64_t{1} << (at % 64);
    }
    slots_ = std::move(slots);
    wanted_ = std::move(wanted);
    capacity_ = bigger;
}

void SendWindow::release() {
    assert(empty());
    slots_.reset();
    wanted_.reset();
    capacity_ = 0;
}

} // namespace rill::transport
