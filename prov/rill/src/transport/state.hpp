// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstdint>

namespace rill::transport {

// The life of a context.
//
//                  first packet                       answer (their hello)
//      unopened ----------------> opening ------------------------------------+
//                                                                             |
//      (an opening comes in)                     our id and token come back   v
//                           `---> accepted ------------------------------> established
//                                                                          |        |   ^
//       not preferred, idle, drained, and opened by us: "retire it?"       |        |   |
//                                  retiring <------------------------------+        |   | refused:
//                                    |  the opener asks, and we are drained too     |   | both go
//                                    |             agreed <-------------------------+   | back
//                                    |                |                                 |
//                                    |                +-- they refuse, or send more ----+
//                                    +------------------- they refuse ------------------+
//                           agreed   |                | the opener has freed it
//                                    v                v
//      any --- death, farewell, reset, retired ---> ended (freed by the end of the pass)
//      accepted .. agreed --- our device leaves ---> leaving --- answered, 200 ms ---> ended
//
// Only opening, accepted and established send records; retiring and agreed hold new work until the
// outcome is known, because a packet for a context that the other side has freed would be lost.
enum class State : uint8_t {
    unopened,
    opening,
    accepted,
    established,
    retiring,
    agreed,
    leaving,
    ended,
};

enum class Event : uint8_t {
    first_packet, // something leaves
    answer,       // the answer to our opening
    proof,        // a packet with our id and token
    propose,      // we ask to retire the context
    agree,        // they asked, we agreed
    refuse,       // a refusal that names the question or the agreement in force
    news,         // a packet with a PSN that was never seen
    leave,        // our device closes
    over,
};

// Where an event leads; the same state when it means nothing there.
State after(State state, Event event);

constexpr bool sends_records(State s) {
    return s <= State::established;
}
constexpr bool knows_peer(State s) {
    return s >= State::accepted && s <= State::leaving;
}

} // namespace rill::transport
