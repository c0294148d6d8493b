// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/congestion.hpp"
#include "wire/link.hpp"

#include <criterion/criterion.h>

using namespace rill;
using namespace rill::transport;
using namespace std::chrono_literals;
using Loss = CongestionWindow::Loss;

Test(congestion, grows_only_when_it_is_the_limit) {
    CongestionWindow w(1400);
    size_t start = w.bytes();
    w.acked(10000, false);
    cr_assert_eq(w.bytes(), start);
    w.acked(10000, true);
    cr_assert_eq(w.bytes(), start + 10000, "slow start");
    w.set_ceiling(start + 15000);
    w.acked(10000, true);
    cr_assert_eq(w.bytes(), start + 15000);
}

Test(congestion, cuts_once_a_round_trip) {
    CongestionWindow w(1400);
    for (int i = 0; i < 100; ++i)
        w.acked(100000, true);
    size_t full = w.bytes();
    Instant t{1s};
    w.lost(t - 1ms, t, Loss::congestive);
    cr_assert_leq(w.bytes(), full * 7 / 10);
    size_t cut = w.bytes();
    w.lost(t - 500us, t + 100us, Loss::congestive);
    cr_assert_eq(w.bytes(), cut, "it left before the cut");
    w.lost(t + 1us, t + 1ms, Loss::congestive);
    cr_assert_lt(w.bytes(), cut);
    cr_assert_not(w.slow_start());
}

Test(congestion, isolated_losses_leave_two_trains) {
    CongestionWindow w(1400);
    for (int i = 0; i < 100; ++i)
        w.acked(100000, true);
    Instant t{1s};
    for (int i = 0; i < 1000; ++i, t += 1ms)
        w.lost(t, t + 500us, Loss::isolated);
    cr_assert_geq(w.bytes(), 2 * wire::kTrainBytesMax);
    for (int i = 0; i < 1000; ++i, t += 1ms)
        w.lost(t, t + 500us, Loss::congestive);
    cr_assert_eq(w.bytes(), 2800u, "two packets are the floor");
    w.lost(t, t + 500us, Loss::isolated);
    cr_assert_eq(w.bytes(), 2800u, "and a floor for cuts is none for growth");
}

Test(congestion, F5_coupled_windows_grow_together_as_a_quarter_of_one_where_there_are_four) {
    Coupling one, four;
    one.add(100000, 1ms);
    for (int i = 0; i < 4; ++i)
        four.add(25000, 1ms);
    cr_assert_float_eq(one.per_byte() * 100000, 1, 1e-9, "an increase a round trip");
    cr_assert_float_eq(four.per_byte() * 100000, 0.25, 1e-9);
    Coupling unlike; // RFC 6356: as the best one would alone
    unlike.add(100000, 1ms);
    unlike.add(1000, 100ms);
    cr_assert_float_eq(unlike.per_byte() * 100000, 1, 0.01);
}

Test(congestion, a_time_out_leaves_one_train_and_starts_slowly) {
    CongestionWindow w(1400);
    for (int i = 0; i < 100; ++i)
        w.acked(100000, true);
    size_t full = w.bytes();
    w.timed_out(Instant{1s});
    cr_assert_eq(w.bytes(), wire::kTrainBytesMax);
    cr_assert(w.slow_start());
    while (w.slow_start())
        w.acked(1400, true);
    cr_assert_geq(w.bytes(), full / 2);
}
