// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/path_health.hpp"

#include <criterion/criterion.h>

using namespace rill;
using namespace rill::transport;
using namespace std::chrono_literals;

Test(path_health, F6_one_good_probe_clears_a_suspicion) {
    PathHealth h;
    const Instant t{1s};
    cr_assert(h.up());
    cr_assert_eq(h.next_probe(), kNever);
    h.suspect(t);
    cr_assert_eq(h.next_probe(), t, "asked at once");
    cr_assert_not(h.probing(7, t));
    cr_assert_not(h.answered(6, t + 1ms), "that left before the probe");
    cr_assert(h.answered(7, t + 1ms));
    cr_assert(h.up());
}

Test(path_health, F6_down_after_two_time_outs_then_asked_ever_more_rarely) {
    PathHealth h;
    Instant t{1s};
    h.suspect(t);
    cr_assert_not(h.probing(0, t));
    cr_assert_eq(h.next_probe(), t + 10ms);
    t = h.next_probe();
    cr_assert(h.probing(1, t), "the second time-out");
    cr_assert_eq(static_cast<int>(h.state()), static_cast<int>(PathHealth::State::down));
    for (uint16_t seq = 2; seq < 12; ++seq) {
        t = h.next_probe();
        cr_assert_not(h.probing(seq, t));
        cr_assert_leq(h.next_probe() - t, 250ms);
    }
    cr_assert_eq(h.next_probe() - t, 250ms);
}

Test(path_health, a_trial_is_up_after_three_answers_or_rests) {
    PathHealth h;
    const Instant t{1s};
    h.rest();
    cr_assert_eq(h.next_probe(), kNever);
    cr_assert_not(h.answered(0, t), "nobody asked");
    h.try_out(t);
    for (uint16_t seq = 0; seq < 3; ++seq) {
        cr_assert_eq(h.next_probe(), t);
        cr_assert_not(h.trial_failed());
        h.probing(seq, t);
        cr_assert(h.trial_failed(), "unless it is answered");
        cr_assert_eq(h.answered(seq, t), seq == 2);
    }
    cr_assert(h.up());
}

Test(path_health, F6_who_was_down_answers_three_times_before_it_carries_data) {
    PathHealth h;
    Instant t{1s};
    h.suspect(t);
    h.probing(0, t);
    h.probing(1, t + 10ms);
    t += 11ms;
    for (uint16_t seq = 1; seq < 3; ++seq) {
        cr_assert_not(h.answered(seq, t));
        cr_assert_eq(h.next_probe(), t, "the next at once");
        h.probing(static_cast<uint16_t>(seq + 1), t);
    }
    cr_assert(h.answered(3, t));
    cr_assert(h.up());
}
