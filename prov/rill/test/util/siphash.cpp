// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "util/siphash.hpp"

#include <criterion/criterion.h>

#include <array>

// The first vectors of the reference implementation: key 00..0f, input 00, 01, ...
Test(siphash, matches_the_reference_vectors) {
    rill::SipKey key{0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull};
    std::array<std::byte, 16> input;
    for (size_t i = 0; i < input.size(); ++i)
        input[i] = static_cast<std::byte>(i);
    cr_assert_eq(rill::siphash(key, std::span(input).first(0)), 0x726fdb47dd0e0e31ull);
    cr_assert_eq(rill::siphash(key, std::span(input).first(1)), 0x74f839c593dc67fdull);
    cr_assert_eq(rill::siphash(key, std::span(input).first(8)), 0x93f5f5799a932462ull);
    cr_assert_eq(rill::siphash(key, std::span(input).first(15)), 0xa129ca6149be45e5ull);
}
