// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/path.hpp"

#include <criterion/criterion.h>

#include <deque>

using namespace rill;
using namespace rill::transport;
using namespace std::chrono_literals;

namespace {
struct Sender {
    Path path{{}, 1400};
    std::deque<Outgoing> packets;
    Outgoing& send(Instant at) {
        Outgoing& p = packets.emplace_back();
        p.path_seq = path.take_seq();
        path.sent(p, at);
        return p;
    }
    ~Sender() {
        while (path.in_flight.pop_front()) {
        }
    }
};
} // namespace

Test(path, a_packet_is_lost_when_overtaken_and_old_enough) {
    Sender s;
    Instant t{1s};
    s.path.rtt.sample(100us, t);
    Outgoing& first = s.send(t);
    Outgoing& second = s.send(t + 10us);
    cr_assert_eq(s.path.reorder_deadline({}), kNever, "nothing overtook it");
    cr_assert_null(s.path.next_lost(t + 1s, {}));
    second.unlink();
    s.path.delivered(second.path_seq);
    Instant due = t + 125us; // srtt, and a quarter of the smallest round trip
    cr_assert_eq(s.path.reorder_deadline({}), due);
    cr_assert_null(s.path.next_lost(due - 1us, {}));
    cr_assert_eq(s.path.next_lost(due, {}), &first);
}

Test(path, the_reordering_window_covers_a_train_doubles_when_needless_and_ends_at_a_round_trip) {
    Sender s;
    Instant t{1s};
    s.path.rtt.sample(100us, t);
    s.send(t);
    s.path.delivered(s.path.take_seq());
    cr_assert_eq(s.path.reorder_deadline(40us), t + 140us);
    s.path.spurious();
    cr_assert_eq(s.path.reorder_deadline(40us), t + 180us);
    s.path.spurious();
    cr_assert_eq(s.path.reorder_deadline(40us), t + 200us);
}

// Data goes there when no path is known to work; what others deliver shows that it does not arrive.
Test(path, a_path_that_nothing_was_heard_of_may_swallow_packets) {
    Sender s;
    Instant t{1s};
    Outgoing& first = s.send(t);
    cr_assert_null(s.path.next_swallowed(t + 20ms, {}));
    cr_assert_eq(s.path.next_swallowed(t + 22ms, {}), &first);
}

Test(path, a_retransmission_is_judged_by_its_own_number) {
    Sender s;
    Instant t{1s};
    s.path.rtt.sample(100us, t);
    Outgoing& p = s.send(t);
    s.path.delivered(s.path.take_seq());
    p.unlink();
    p.path_seq = s.path.take_seq();
    s.path.sent(p, t + 200us);
    cr_assert_null(s.path.next_lost(t + 1s, {}), "nothing younger than its second copy arrived");
}

Test(path, numbers_wrap) {
    Sender s;
    Instant t{1s};
    s.path.rtt.sample(100us, t);
    for (int i = 0; i < 65535; ++i)
        s.path.delivered(s.path.take_seq());
    Outgoing& first = s.send(t);  // 65535
    Outgoing& second = s.send(t); // 0
    second.unlink();
    cr_assert(s.path.delivered(second.path_seq));
    cr_assert_eq(s.path.next_lost(t + 1ms, {}), &first);
}

Test(path, an_echo_of_what_was_never_sent_is_no_proof) {
    Sender s;
    s.path.rtt.sample(100us, Instant{1s});
    s.send(Instant{1s});
    cr_assert_not(s.path.delivered(5));
    cr_assert_null(s.path.next_lost(Instant{2s}, {}));
}

Test(path, blame_fades) {
    Path path{{}, 1400};
    Instant t{1s};
    cr_assert_eq(path.penalty(t), 0u);
    path.blame(Blame::timeout, t);
    cr_assert_eq(path.penalty(t), 15u);
    cr_assert_eq(path.penalty(t + 100ms), 7u);
    cr_assert_eq(path.penalty(t + 10s), 0u);
}

Test(path, numbers_that_were_not_used_come_again) {
    Sender s;
    Instant t{1s};
    s.path.rtt.sample(100us, t);
    cr_assert(s.path.delivered(s.path.take_seq()));
    Outgoing& waits = s.send(t);
    // A link that is full for long: were the numbers spent, `waits` would look overtaken.
    for (int i = 0; i < 40000; ++i) {
        s.path.take_seq();
        s.path.give_back_seq(1);
    }
    cr_assert_null(s.path.next_lost(t + 1s, {}));
    cr_assert_eq(s.path.take_seq(), static_cast<uint16_t>(waits.path_seq + 1));
}
