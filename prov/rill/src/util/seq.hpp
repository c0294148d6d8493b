// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <compare>
#include <cstdint>

namespace rill {

// A 32-bit serial number that wraps (RFC 1982): only numbers less than 2^31 apart compare.
template <class Tag>
class Serial {
public:
    constexpr Serial() = default;
    constexpr explicit Serial(uint32_t v) : value_(v) {}

    constexpr uint32_t raw() const { return value_; }
    constexpr Serial operator+(uint32_t n) const { return Serial(value_ + n); }
    constexpr Serial operator-(uint32_t n) const { return Serial(value_ - n); }
    // Signed distance: positive when *this is later than `o`.
    constexpr int32_t operator-(Serial o) const { return static_cast<int32_t>(value_ - o.value_); }
    constexpr Serial& operator++() {
        ++value_;
        return *this;
    }
    constexpr bool operator==(const Serial&) const = default;
    constexpr bool operator<(Serial o) const { return *this - o < 0; }
    constexpr bool operator>(Serial o) const { return *this - o > 0; }
    constexpr bool operator<=(Serial o) const { return *this - o <= 0; }
    constexpr bool operator>=(Serial o) const { return *this - o >= 0; }

private:
    uint32_t value_ = 0;
};

using Psn = Serial<struct PsnTag>;     // packet sequence number, per context and direction
using MsgNo = Serial<struct MsgNoTag>; // message number, per ordered pair of queue pairs

// 16-bit serial of one path's transmissions.
constexpr int16_t path_seq_diff(uint16_t a, uint16_t b) {
    return static_cast<int16_t>(a - b);
}

} // namespace rill
