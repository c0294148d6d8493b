// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "util/seq.hpp"
#include "wire/packet.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace rill::transport {

// Which PSNs have arrived: all before next(), and those of the bitmap. The bitmap exists only while
// something is missing; in order, a packet costs one comparison.
class ReceiveWindow {
public:
    enum class Verdict : uint8_t { fresh, duplicate, outside };

    explicit ReceiveWindow(Psn first = Psn()) : next_(first), end_(first) {}

    Psn next() const { return next_; } // the first that has not arrived
    Psn end() const { return end_; }   // one after the newest that has
    bool gap() const { return next_ != end_; }

    Verdict check(Psn psn) const;
    // Marks a fresh PSN as arrived. true: it opened or closed a gap, which the sender should hear
    // of at once.
    bool mark(Psn psn);

    // The words of an acknowledgement: from the first that holds next() to the newest arrival.
    // `base` is a multiple of 64. Fills at most out.size() words and returns how many are needed.
    size_t words(Psn& base, std::span<uint64_t> out) const;
    size_t words_needed() const;
    // Gives the bitmap's memory back when nothing is missing.
    void release() {
        if (!gap()) bits_.reset();
    }

private:
    using Bits = std::array<uint64_t, wire::kWindowPackets / 64>;
    bool test(Psn psn) const;

    Psn next_;
    Psn end_;
    std::unique_ptr<Bits> bits_; // by PSN modulo the window; clear outside [next_, end_)
};

} // namespace rill::transport
