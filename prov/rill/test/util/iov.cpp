// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "util/iov.hpp"

#include <criterion/criterion.h>

#include <array>
#include <vector>

using namespace rill;

// Every offset and length over a list with empty and odd entries, against plain concatenation.
Test(iov, scatter_and_gather_agree_with_concatenation) {
    std::array<std::vector<std::byte>, 4> parts{
        std::vector<std::byte>(3), {}, std::vector<std::byte>(1), std::vector<std::byte>(6)};
    std::array<iovec, 4> list;
    for (size_t i = 0; i < 4; ++i)
        list[i] = {parts[i].data(), parts[i].size()};
    IovView view{list.data(), 4};
    cr_assert_eq(total_bytes(view), 10u);
    for (size_t offset = 0; offset <= 11; ++offset)
        for (size_t n = 0; n <= 12; ++n) {
            for (auto& p : parts)
                std::fill(p.begin(), p.end(), std::byte{0});
            std::vector<std::byte> in(n, std::byte{0xaa}), out(n, std::byte{0});
            size_t expected = offset >= 10 ? 0 : std::min(n, 10 - offset);
            cr_assert_eq(scatter(view, offset, in), expected);
            cr_assert_eq(gather(view, offset, out), expected);
            for (size_t i = 0; i < expected; ++i)
                cr_assert_eq(out[i], std::byte{0xaa});
            size_t set = 0;
            for (auto& p : parts)
                for (std::byte b : p)
                    set += b == std::byte{0xaa};
            cr_assert_eq(set, expected, "nothing outside the range was written");
        }
}
