// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "util/time.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace rill {
class Prng;
}

namespace rill::link {

// How a link is to be worse than it is: the value of FI_RILL_IMPAIR.
struct Impairment {
    double loss = 0; // probabilities, per packet received
    double dup = 0;
    double reorder = 0;
    double corrupt = 0;
    Duration delay{0};
    uint64_t seed = 1;

    bool any() const {
        return loss > 0 || dup > 0 || reorder > 0 || corrupt > 0 || delay > Duration(0);
    }
};

// Reads "loss=0.01,dup=0.005,reorder=0.02,corrupt=0.001,delay_us=50,seed=7", in any order; the
// empty text impairs nothing. False on anything else; `error` then names the offending word.
[[nodiscard]] bool parse_impairment(std::string_view text, Impairment& out, std::string& error);

// The ones' complement sum that UDP checksums with (RFC 1071), over bytes in network order.
uint16_t internet_checksum(std::span<const std::byte> bytes);

// Flips a burst as a line error does: the first and the last of `length` bits, and those between by
// chance. The bytes must hold it.
void flip_burst(std::span<std::byte> bytes, size_t first_bit, size_t length, Prng& prng);

} // namespace rill::link
