// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "fi/common.hpp"
#include "fi/engine.hpp"
#include "fi/wait_set.hpp"

#include <atomic>
#include <poll.h>
#include <vector>

namespace rill::fi {

// The wait object of a completion queue or a counter: the first event after arming raises it, and
// further ones do not. All but signal() is for the engine's owner.
class WaitObject : public Waker {
public:
    using Waker::Waker;

    // There was an event.
    void notify() {
        if (!armed_) return;
        armed_ = false;
        raise();
    }
    // The next event raises the descriptor, what was raised before is forgotten.
    void arm() {
        clear();
        armed_ = true;
    }
    // Any thread: somebody who waits shall return.
    void signal() {
        signaled_.store(true);
        raise();
    }
    bool take_signal() { return signaled_.exchange(false); }

    // For Waitable::try_wait: looks after a pass of the device, with the engine owned, whether
    // `busy()`; arms and calls the housekeeper to duty if not.
    template <class Busy>
    int try_wait(Engine& engine, Busy&& busy);

    enum class Waited { done, signaled, late };
    // Runs the device, not owned on entry, and sleeps in between until `done()`, which is called
    // with the engine owned, is true. The waiting thread runs the device itself when a packet wakes
    // it, which spares the way over the housekeeper; that takes over as usual if the wait is long.
    template <class Done>
    Waited wait(Engine& engine, Instant until, Done&& done);

private:
    // Owned, after a pass that found nothing: what to sleep on and until when. False: do not.
    bool prepare(Engine& engine, bool moved, Instant until, std::vector<pollfd>& on, Instant& wake);

    bool armed_ = true;
    std::atomic<bool> signaled_{false};
};

template <class Busy>
int WaitObject::try_wait(Engine& engine, Busy&& busy) {
    if (!exists()) return -FI_EINVAL;
    if (!engine.is_ours()) return -FI_EOPBADSTATE;
    {
        const Owned own(engine);
        // Not a pass of the program: it is about to be away, and a housekeeper that is on duty
        // already should stay there.
        engine.quiet_pass(Engine::now());
        if (busy()) return -FI_EAGAIN;
        arm();
        if (take_signal()) return -FI_EAGAIN;
    }
    engine.housekeeper().summon();
    return 0;
}

template <class Done>
WaitObject::Waited WaitObject::wait(Engine& engine, Instant until, Done&& done) {
    std::vector<pollfd> on;
    for (;;) {
        Instant wake;
        {
            const Owned own(engine);
            const bool moved = engine.pass(true);
            if (done()) return Waited::done;
            if (take_signal()) return Waited::signaled;
            if (Engine::now() >= until) return Waited::late;
            if (!prepare(engine, moved, until, on, wake)) return Waited::signaled;
        }
        sleep_on(on, wake);
    }
}

} // namespace rill::fi
