// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstdint>

namespace rill::nic {

// What the placement engine knows of a record when it decides, and nothing else (H1).
struct PlacementFacts {
    enum class Kind : uint8_t { envelope, fragment, granted };
    Kind kind = Kind::envelope;
    bool endpoint = false;  // the queue pair it names exists
    bool in_bounds = false; // offset and length lie inside what was announced or granted
    bool over = false;      // its message has had its turn and is no longer in progress
    bool in_turn = false;   // envelope: all earlier messages of the flow have been matched
    bool matched = false;   // envelope: a posted receive fits; fragment: its message has a buffer
    bool grant = false;     // granted: the grant exists and belongs to this peer
    bool bounce_room = false;
};

enum class Way : uint8_t {
    direct,  // into the posted buffer
    bounce,  // into a bounce buffer
    discard, // the envelope is kept, the payload is not: it will be granted
    stale,   // dropped: the message is over
    reject,  // dropped with a counter of its own, or answered with a status
};

constexpr Way decide(const PlacementFacts& f) {
    if (!f.in_bounds) return Way::reject;
    switch (f.kind) {
    case PlacementFacts::Kind::granted: return f.grant ? Way::direct : Way::reject;
    case PlacementFacts::Kind::envelope:
        if (!f.endpoint) return Way::reject;
        if (f.over) return Way::stale;
        if (f.in_turn && f.matched) return Way::direct;
        return f.bounce_room ? Way::bounce : Way::discard;
    case PlacementFacts::Kind::fragment:
        if (!f.endpoint) return Way::reject;
        if (f.over) return Way::stale;
        if (f.matched) return Way::direct;
        return f.bounce_room ? Way::bounce : Way::discard;
    }
    return Way::reject;
}

} // namespace rill::nic
