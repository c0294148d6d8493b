// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "nic/match_table.hpp"

#include "util/prng.hpp"

#include <criterion/criterion.h>

#include <list>

using rill::Prng;
using rill::nic::MatchTable;
using rill::nic::PostedReceive;

Test(match_table, the_earliest_fitting_receive_wins_across_masks) {
    MatchTable t(10);
    auto* any = t.post(0, UINT64_MAX, UINT64_MAX);
    auto* exact = t.post(5, 0, UINT64_MAX);
    cr_assert_eq(t.find(5, 1), any);
    t.remove(*any);
    cr_assert_eq(t.find(5, 1), exact);
    cr_assert_null(t.find(6, 1));
}

Test(match_table, a_source_must_fit_unless_any) {
    MatchTable t(10);
    auto* from3 = t.post(5, 0, 3);
    cr_assert_null(t.find(5, 2));
    cr_assert_null(t.find(5, UINT64_MAX), "an unknown source is nobody in particular");
    cr_assert_eq(t.find(5, 3), from3);
}

Test(match_table, full_is_an_answer) {
    MatchTable t(2);
    cr_assert_not_null(t.post(1, 0, 0));
    cr_assert_not_null(t.post(1, 0, 0));
    cr_assert_null(t.post(1, 0, 0));
}

// Seed 42: random posts, finds and removals against a plain list.
Test(match_table, agrees_with_a_list_over_random_histories) {
    Prng rng(42);
    MatchTable t(5000);
    std::list<PostedReceive*> model;
    const uint64_t masks[] = {0, 0xff, 0xff00, UINT64_MAX, 0xf0f0};
    for (int step = 0; step < 100000; ++step) {
        uint64_t tag = rng.below(600), source = rng.below(4);
        if (model.size() < 2000 && rng.chance(0.52)) {
            uint64_t s = rng.chance(0.3) ? UINT64_MAX : source;
            model.push_back(t.post(tag, masks[rng.below(rng.chance(0.9) ? 1 : 5)], s));
            model.back()->request = step;
            continue;
        }
        PostedReceive* expected = nullptr;
        for (PostedReceive* r : model)
            if (((r->tag ^ tag) & ~r->ignore) == 0 &&
                (r->source == UINT64_MAX || r->source == source)) {
                expected = r;
                break;
            }
        cr_assert_eq(t.find(tag, source), expected);
        if (!expected) continue;
        cr_assert_eq(t.find_request(expected->request), expected);
        model.remove(expected);
        t.remove(*expected);
    }
    cr_assert_eq(t.size(), model.size());
}
