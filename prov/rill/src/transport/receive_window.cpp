// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/receive_window.hpp"

#include <algorithm>
#include <bit>

namespace rill::transport {
namespace {
constexpr uint32_t kMask = wire::kWindowPackets - 1;
uint32_t word_of(Psn psn) {
    return (psn.raw() & kMask) / 64;
}
uint64_t bit_of(Psn psn) {
    return uint64_t{1} << (psn.raw() % 64);
}
} // namespace

bool ReceiveWindow::test(Psn psn) const {
    return bits_ && ((*bits_)[word_of(psn)] & bit_of(psn)) != 0;
}

ReceiveWindow::Verdict ReceiveWindow::check(Psn psn) const {
    int32_t ahead = psn - next_;
    if (ahead < 0)
        return ahead >= -static_cast<int32_t>(wire::kWindowPackets) ? Verdict::duplicate
                                                                    : Verdict::outside;
    if (ahead >= static_cast<int32_t>(wire::kWindowPackets)) return Verdict::outside;
    return psn < end_ && test(psn) ? Verdict::duplicate : Verdict::fresh;
}

bool ReceiveWindow::mark(Psn psn) {
    if (psn == next_ && !gap()) { // the common case
        end_ = ++next_;
        return false;
    }
    bool opens = psn > end_;
    if (!bits_) bits_ = std::make_unique<Bits>();
    (*bits_)[word_of(psn)] |= bit_of(psn);
    if (psn >= end_) end_ = psn + 1u;
    if (psn != next_) return opens;
    while (next_ < end_ && test(next_)) {
        (*bits_)[word_of(next_)] &= ~bit_of(next_);
        ++next_;
    }
    return true;
}

size_t ReceiveWindow::words_needed() const {
    if (!gap()) return 0;
    uint32_t base = next_.raw() & ~63u;
    return (end_.raw() - base + 63) / 64;
}

size_t ReceiveWindow::words(Psn& base, std::span<uint64_t> out) const {
    base = Psn(next_.raw() & ~63u);
    size_t needed = words_needed();
    // A window that starts within a word reaches into one word more than it has: its last bits
    // lie in the word of the first ones.
    for (size_t i = 0; i < std::min(needed, out.size()); ++i) {
        Psn from = base + static_cast<uint32_t>(i * 64);
        uint64_t word = (*bits_)[word_of(from)];
        if (i == 0) word &= ~uint64_t{0} << (next_.raw() % 64);
        uint32_t left = end_.raw() - from.raw();
        if (left < 64) word &= (uint64_t{1} << left) - 1;
        out[i] = word;
    }
    return needed;
}

} // namespace rill::transport
