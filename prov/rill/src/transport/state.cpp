// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/state.hpp"

namespace rill::transport {

State after(State state, Event event) {
    if (event == Event::over) return State::ended;
    switch (state) {
    case State::unopened: return event == Event::first_packet ? State::opening : state;
    case State::opening: return event == Event::answer ? State::established : state;
    case State::accepted:
        if (event == Event::leave) return State::leaving;
        return event == Event::proof ? State::established : state;
    case State::established:
        if (event == Event::propose) return State::retiring;
        if (event == Event::agree) return State::agreed;
        return event == Event::leave ? State::leaving : state;
    case State::retiring:
        // News changes nothing: the other side answers the question itself, now or later.
        if (event == Event::leave) return State::leaving;
        return event == Event::refuse ? State::established : state;
    case State::agreed:
        // News proves that the opener went on; it frees only what is drained.
        if (event == Event::leave) return State::leaving;
        return event == Event::refuse || event == Event::news ? State::established : state;
    case State::leaving: return state;
    case State::ended: return state;
    }
    return state;
}

} // namespace rill::transport
