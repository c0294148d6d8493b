// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/hello.hpp"

#include <criterion/criterion.h>

using namespace rill;
using namespace rill::transport;
using namespace std::chrono_literals;

Test(hello, a_cookie_is_good_for_one_sender_and_two_slots) {
    Secrets secrets(SipKey{1, 2});
    wire::Address from;
    from.family = wire::Family::ip4;
    from.ip = {10, 0, 0, 1};
    from.port = 3000;
    wire::Hello h;
    h.context = 7;
    Instant t{100s};
    h.cookie = secrets.cookie(from, h, t);
    cr_assert_neq(h.cookie, 0u);
    cr_assert(secrets.valid(from, h, t));
    cr_assert(secrets.valid(from, h, t + 8s));
    cr_assert_not(secrets.valid(from, h, t + 17s));
    cr_assert_not(secrets.valid(from.with_port(3001), h, t));
    wire::Hello other = h;
    other.context = 8;
    cr_assert_not(secrets.valid(from, other, t));
    other = h;
    other.device[3] ^= 1;
    cr_assert_not(secrets.valid(from, other, t));
    cr_assert_not(Secrets(SipKey{1, 3}).valid(from, h, t));
}

Test(hello, tokens_differ_and_a_device_keeps_its_name) {
    Secrets a(SipKey{1, 2}), b(SipKey{1, 2}), c(SipKey{2, 2});
    uint64_t first = a.token();
    cr_assert_neq(first, a.token());
    cr_assert_eq(first, b.token(), "the same secret gives the same run");
    cr_assert_eq(a.device_id(0), b.device_id(0));
    cr_assert_neq(a.device_id(0), c.device_id(0));
    cr_assert_neq(a.device_id(0), a.device_id(1), "a device that was reset is another");
}
