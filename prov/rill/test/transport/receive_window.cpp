// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/receive_window.hpp"
#include "util/prng.hpp"

#include <criterion/criterion.h>

#include <array>
#include <set>

using namespace rill;
using namespace rill::transport;
using Verdict = ReceiveWindow::Verdict;

Test(receive_window, takes_each_number_once) {
    ReceiveWindow w(Psn(UINT32_MAX));
    cr_assert_eq(w.check(Psn(UINT32_MAX)), Verdict::fresh);
    cr_assert_not(w.mark(Psn(UINT32_MAX)));
    cr_assert_eq(w.check(Psn(UINT32_MAX)), Verdict::duplicate);
    cr_assert(w.mark(Psn(2)), "a gap opens");
    cr_assert_eq(w.check(Psn(2)), Verdict::duplicate);
    cr_assert_not(w.mark(Psn(3)));
    cr_assert(w.mark(Psn(1)) == false && w.gap());
    cr_assert(w.mark(Psn(0)), "a gap closes");
    cr_assert_eq(w.next(), Psn(4));
    cr_assert_not(w.gap());
}

Test(receive_window, ends_4096_ahead_and_behind) {
    ReceiveWindow w(Psn(5000));
    cr_assert_eq(w.check(Psn(5000 + 4095)), Verdict::fresh);
    cr_assert_eq(w.check(Psn(5000 + 4096)), Verdict::outside);
    cr_assert_eq(w.check(Psn(5000 - 4096)), Verdict::duplicate);
    cr_assert_eq(w.check(Psn(5000 - 4097)), Verdict::outside);
}

// seed 1..50: the words say what has arrived, no more and no less.
Test(receive_window, words_are_what_has_arrived) {
    for (uint64_t seed = 1; seed <= 50; ++seed) {
        Prng prng(seed);
        auto first = static_cast<uint32_t>(prng.next());
        ReceiveWindow w{Psn(first)};
        std::set<uint32_t> have; // counted from first
        for (int i = 0; i < 6000; ++i) {
            uint32_t low = w.next().raw() - first;
            auto n = static_cast<uint32_t>(low + prng.below(seed % 2 ? 30 : 4096));
            Verdict v = w.check(Psn(first + n));
            cr_assert_eq(v == Verdict::duplicate, have.contains(n), "seed %lu", seed);
            if (v != Verdict::fresh) continue;
            w.mark(Psn(first + n));
            have.insert(n);
        }
        std::array<uint64_t, wire::kAckWordsMax> words{};
        Psn base;
        size_t needed = w.words(base, words);
        cr_assert_eq(base.raw() % 64, 0u);
        cr_assert_eq(needed, w.words_needed());
        for (size_t i = 0; i < needed * 64; ++i) {
            Psn psn = base + static_cast<uint32_t>(i);
            bool said = words[i / 64] >> (i % 64) & 1;
            bool is = psn >= w.next() && have.contains(psn.raw() - first);
            cr_assert_eq(said, is, "seed %lu bit %zu", seed, i);
        }
    }
}

// The newest of a full window are in a word that lies in the same place as the first.
Test(receive_window, the_words_of_a_full_window_reach_its_end) {
    ReceiveWindow w(Psn(70));
    for (uint32_t i = 1; i < 4096; ++i)
        w.mark(Psn(70 + i));
    std::array<uint64_t, wire::kAckWordsMax> words{};
    Psn base;
    cr_assert_eq(w.words(base, words), 65u);
    cr_assert_eq(base.raw(), 64u);
    cr_assert_eq(words[0], ~uint64_t{0} << 7);
    cr_assert_eq(words[63], ~uint64_t{0});
    cr_assert_eq(words[64], (uint64_t{1} << 6) - 1);
}

Test(receive_window, needs_no_words_in_order) {
    ReceiveWindow w(Psn(7));
    for (uint32_t i = 7; i < 100; ++i)
        w.mark(Psn(i));
    cr_assert_eq(w.words_needed(), 0u);
    w.mark(Psn(130));
    cr_assert_eq(w.words_needed(), 2u);
}
