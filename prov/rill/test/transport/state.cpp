// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/state.hpp"

#include <criterion/criterion.h>

using namespace rill::transport;

Test(state, follows_the_diagram) {
    State s = State::unopened;
    s = after(s, Event::first_packet);
    cr_assert_eq(s, State::opening);
    s = after(s, Event::answer);
    cr_assert_eq(s, State::established);
    cr_assert_eq(after(State::accepted, Event::proof), State::established);
    s = after(s, Event::propose);
    cr_assert_eq(s, State::retiring);
    cr_assert_eq(after(s, Event::news), State::retiring, "the other side answers the question");
    cr_assert_eq(after(s, Event::refuse), State::established);
    cr_assert_eq(after(State::established, Event::agree), State::agreed);
    cr_assert_eq(after(State::agreed, Event::news), State::established);
    cr_assert_eq(after(State::agreed, Event::refuse), State::established);
    for (State from : {State::accepted, State::established, State::retiring, State::agreed})
        cr_assert_eq(after(from, Event::leave), State::leaving);
    cr_assert_eq(after(State::opening, Event::leave), State::opening, "nobody knows us there");
    cr_assert_eq(after(State::leaving, Event::over), State::ended);
    cr_assert_eq(after(State::ended, Event::first_packet), State::ended);
}

Test(state, only_the_first_four_send_records) {
    cr_assert(sends_records(State::opening) && sends_records(State::established));
    cr_assert_not(sends_records(State::retiring));
    cr_assert_not(sends_records(State::agreed));
    cr_assert_not(sends_records(State::leaving));
}
