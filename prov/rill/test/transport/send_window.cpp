// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/send_window.hpp"

#include <criterion/criterion.h>

#include <deque>
#include <vector>

using namespace rill;
using namespace rill::transport;

namespace {
struct Filled {
    SendWindow window;
    std::deque<Outgoing> packets;
    std::vector<uint32_t> acked;
    explicit Filled(uint32_t first, size_t count) : window(Psn(first)) {
        for (size_t i = 0; i < count; ++i)
            window.push(packets.emplace_back());
    }
    auto settle() {
        return [this](Outgoing& p) { acked.push_back(p.psn.raw()); };
    }
};
} // namespace

Test(send_window, grows_in_powers_of_two_and_gives_back) {
    Filled f(0, 0);
    cr_assert_eq(f.window.capacity(), 0u);
    for (int i = 0; i < 4096; ++i)
        f.window.push(f.packets.emplace_back());
    cr_assert_eq(f.window.capacity(), 4096u);
    cr_assert(f.window.full());
    f.window.ack_before(Psn(4096), f.settle());
    cr_assert_eq(f.acked.size(), 4096u);
    f.window.release();
    cr_assert_eq(f.window.capacity(), 0u);
    f.window.push(f.packets.emplace_back());
    cr_assert_eq(f.window.newest()->psn, Psn(4096));
}

Test(send_window, T4_acknowledges_each_packet_once_and_across_the_wrap) {
    Filled f(UINT32_MAX - 99, 200);
    f.window.ack_word(Psn(0), 0xff, f.settle());
    f.window.ack_word(Psn(0), 0xff, f.settle());
    cr_assert_eq(f.acked.size(), 8u);
    cr_assert_null(f.window.find(Psn(3)));
    f.window.ack_before(Psn(4), f.settle());
    cr_assert_eq(f.acked.size(), 108u);
    cr_assert_eq(f.window.base(), Psn(8), "what the bitmap had acknowledged is skipped");
    f.window.ack_before(Psn(UINT32_MAX - 50), f.settle());
    cr_assert_eq(f.acked.size(), 108u, "an old acknowledgement changes nothing");
}

Test(send_window, words_outside_the_window_do_nothing) {
    Filled f(100, 50); // capacity 64: every word of the bitmap falls on the one there is
    f.window.ack_word(Psn(0), ~uint64_t{0}, f.settle());
    f.window.ack_word(Psn(192), ~uint64_t{0}, f.settle());
    cr_assert(f.acked.empty());
    f.window.ack_word(Psn(128), ~uint64_t{0}, f.settle());
    cr_assert_eq(f.acked.size(), 22u);
    f.window.ack_word(Psn(64), ~uint64_t{0}, f.settle());
    cr_assert_eq(f.acked.size(), 50u);
    f.window.skip_acked();
    cr_assert(f.window.empty());
}

Test(send_window, keeps_holes_when_it_grows) {
    Filled f(10, 60);
    f.window.ack_word(Psn(0), uint64_t{1} << 20, f.settle());
    for (int i = 0; i < 100; ++i)
        f.window.push(f.packets.emplace_back());
    cr_assert_null(f.window.find(Psn(20)));
    cr_assert_eq(f.window.find(Psn(21))->psn, Psn(21));
    f.window.ack_before(Psn(170), f.settle());
    cr_assert_eq(f.acked.size(), 160u);
}
