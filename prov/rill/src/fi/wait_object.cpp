// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/wait_object.hpp"

#include "fi/log.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace rill::fi {

int WaitObject::check(fi_wait_obj kind, fi_log_subsys where) {
    switch (kind) {
    case FI_WAIT_NONE:
    case FI_WAIT_UNSPEC:
    case FI_WAIT_FD:
    case FI_WAIT_YIELD: return 0;
    case FI_WAIT_SET:
    case FI_WAIT_MUTEX_COND:
    case FI_WAIT_POLLFD:
        inform(where, "wait objects are FI_WAIT_NONE, _UNSPEC, _FD and _YIELD");
        return -FI_ENOSYS;
    }
    return -FI_EINVAL;
}

int WaitObject::open(fi_log_subsys where) {
    if (!exists() || wake_.open()) return 0;
    warn(where, std::string("no descriptor for a wait object: ") + std::strerror(errno));
    return -FI_EMFILE;
}

int WaitObject::control(int command, void* arg) const {
    switch (command) {
    case FI_GETWAIT:
        if (kind_ != FI_WAIT_FD && kind_ != FI_WAIT_UNSPEC) return -FI_ENODATA;
        *static_cast<int*>(arg) = wake_.fd();
        return 0;
    case FI_GETWAITOBJ:
        *static_cast<fi_wait_obj*>(arg) = kind_ == FI_WAIT_UNSPEC ? FI_WAIT_FD : kind_;
        return 0;
    default: return -FI_ENOSYS;
    }
}

bool WaitObject::prepare(Engine& engine, bool moved, Instant until, std::vector<pollfd>& on,
                         Instant& wake) {
    on.clear();
    on.push_back({.fd = wake_.fd(), .events = POLLIN, .revents = 0});
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
