// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "nic/placement.hpp"

#include <criterion/criterion.h>

using rill::nic::decide;
using rill::nic::PlacementFacts;
using rill::nic::Way;

// H1, H7: every combination of what the engine knows, against the rules stated one by one.
Test(placement, H1_the_way_is_a_function_of_the_metadata_over_all_combinations) {
    for (unsigned kind = 0; kind < 3; ++kind)
        for (unsigned bits = 0; bits < 128; ++bits) {
            PlacementFacts f{.kind = static_cast<PlacementFacts::Kind>(kind),
                             .endpoint = bool(bits & 1),
                             .in_bounds = bool(bits & 2),
                             .over = bool(bits & 4),
                             .in_turn = bool(bits & 8),
                             .matched = bool(bits & 16),
                             .grant = bool(bits & 32),
                             .bounce_room = bool(bits & 64)};
            Way way = decide(f);
            cr_assert_eq(way, decide(f), "no hidden state");
            bool granted = f.kind == PlacementFacts::Kind::granted;
            if (!f.in_bounds || (granted ? !f.grant : !f.endpoint)) {
                cr_assert_eq(way, Way::reject, "H7: a failed check never goes on: %u/%u", kind,
                             bits);
                continue;
            }
            if (granted) {
                cr_assert_eq(way, Way::direct);
                continue;
            }
            if (f.over) {
                cr_assert_eq(way, Way::stale);
                continue;
            }
            bool direct = f.matched && (f.kind == PlacementFacts::Kind::fragment || f.in_turn);
            cr_assert_eq(way, direct ? Way::direct : f.bounce_room ? Way::bounce : Way::discard);
        }
}
