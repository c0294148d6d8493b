// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/deadlines.hpp"
#include "util/prng.hpp"

#include <criterion/criterion.h>

#include <vector>

using namespace rill;
using namespace rill::transport;
using namespace std::chrono_literals;

Test(deadlines, moves_forward_only) {
    Deadlines d;
    DeadlineHook h;
    cr_assert_eq(d.earliest(), kNever);
    d.arm(h, kNever);
    cr_assert_eq(d.size(), 0u);
    d.arm(h, Instant{5s});
    d.arm(h, Instant{7s});
    cr_assert_eq(d.earliest(), Instant{5s});
    d.arm(h, Instant{3s});
    cr_assert_eq(d.size(), 1u);
    cr_assert_null(d.pop_due(Instant{2s}));
    cr_assert_eq(d.pop_due(Instant{3s}), &h);
    cr_assert_null(d.pop_due(Instant{9s}));
}

// seed 1: armed, moved and removed at random, they come in order.
Test(deadlines, come_in_order) {
    Prng prng(1);
    Deadlines d;
    std::vector<DeadlineHook> hooks(500);
    for (int i = 0; i < 20000; ++i) {
        DeadlineHook& h = hooks[prng.below(hooks.size())];
        if (prng.chance(0.2))
            d.remove(h);
        else
            d.arm(h, Instant(Duration(prng.below(1000000))));
    }
    Instant last{};
    size_t n = d.size();
    while (DeadlineHook* h = d.pop_due(Instant{1s})) {
        cr_assert_geq(h->armed_at, last);
        last = h->armed_at;
        --n;
    }
    cr_assert_eq(n, 0u);
}
