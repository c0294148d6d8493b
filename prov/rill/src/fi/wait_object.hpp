// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "fi/common.hpp"
#include "fi/engine.hpp"
#include "fi/wake_fd.hpp"

#include <rdma/providers/fi_log.h>

#include <atomic>
#include <poll.h>
#include <vector>

namespace rill::fi {

// What wakes a program that waits for a completion queue or a counter: an eventfd that the first
// event after arming raises, and further ones do not. All but signal() is for the engine's owner.
class WaitObject {
public:
    // Kinds other than FI_WAIT_NONE, _UNSPEC, _FD and _YIELD: -FI_ENOSYS; no such kind: -FI_EINVAL.
    // `where` is the log's.
    [[nodiscard]] static int check(fi_wait_obj kind, fi_log_subsys where);

    explicit WaitObject(fi_wait_obj kind) : kind_(kind) {}
    // -FI_EMFILE: no descriptor to be had. Nothing to do for FI_WAIT_NONE.
    [[nodiscard]] int open(fi_log_subsys where);

    bool exists() const { return kind_ != FI_WAIT_NONE; }
    int control(int command, void* arg) const; // FI_GETWAIT, FI_GETWAITOBJ

    // There was an event.
    void notify() {
        if (!armed_ || !exists()) return;
        armed_ = false;
        wake_.raise();
    }
    // The next event raises the descriptor, what was raised before is forgotten.
    void arm() {
        wake_.clear();
        armed_ = true;
    }
    // Any thread: somebody who waits shall return.
    void signal() {
        signaled_.store(true);
        wake_.raise();
    }
    bool take_signal() { return signaled_.exchange(false); }

    enum class Waited { done, signaled, late };
    // Runs the device, not owned on entry, and sleeps in between until `done()`, which is called
    // with the engine owned, is true. The waiting thread runs the device itself when a packet wakes
    // it, which spares the way over the housekeeper; that takes over as usual if the wait is long.
    template <class Done>
    Waited wait(Engine& engine, Instant until, Done&& done);

private:
    // Owned, after a pass that found nothing: what to sleep on and until when. False: do not.
    bool prepare(Engine& engine, bool moved, Instant until, std::vector<pollfd>& on, Instant& wake);

    const fi_wait_obj kind_;
    bool armed_ = true;
    WakeFd wake_;
    std::atomic<bool> signaled_{false};
};

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
