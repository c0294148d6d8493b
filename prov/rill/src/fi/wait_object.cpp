// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/wait_object.hpp"

#include <algorithm>

namespace rill::fi {

bool WaitObject::prepare(Engine& engine, bool moved, Instant until, std::vector<pollfd>& on,
                         Instant& wake) {
    on.clear();
    on.push_back({.fd = fd(), .events = POLLIN, .revents = 0});
    wake = until;
    if (!engine.housekeeper().automatic()) {
        engine.append_descriptors(on);
        wake = std::min(until, engine.next_deadline());
    }
    if (moved) wake = Engine::now(); // look again, but let others have a turn
    arm();
    // A signal between the look before and the clearing of its trace.
    return !take_signal();
}

} // namespace rill::fi
