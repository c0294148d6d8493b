// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/wait_set.hpp"

#include "fi/housekeeper.hpp"
#include "fi/log.hpp"
#include "link/clock.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace rill::fi {

namespace {

int close_entry(fid* handle) {
    return guarded([&] { return object_of<WaitSet>(handle).close(); });
}

int control_entry(fid* handle, int command, void* arg) {
    return object_of<WaitSet>(handle).control(command, arg);
}

int wait_entry(fid_wait* handle, int timeout) {
    return guarded([&] { return object_of<WaitSet>(handle).wait(timeout); });
}

fi_ops fid_ops = {
    .size = sizeof(fi_ops),
    .close = close_entry,
    .bind = no_sys,
    .control = control_entry,
    .ops_open = no_sys,
    .tostr = no_sys,
    .ops_set = no_sys,
};

fi_ops_wait wait_ops = {
    .size = sizeof(fi_ops_wait),
    .wait = wait_entry,
};

int no_descriptor(fi_log_subsys where) {
    warn(where, std::string("no descriptor for a wait object: ") + std::strerror(errno));
    return -FI_EMFILE;
}

// What FI_GETWAIT and FI_GETWAITOBJ tell of an object of that kind with that descriptor.
int describe(fi_wait_obj kind, int fd, int command, void* arg) {
    switch (command) {
    case FI_GETWAIT:
        if (kind != FI_WAIT_FD && kind != FI_WAIT_UNSPEC) return -FI_ENODATA;
        *static_cast<int*>(arg) = fd;
        return 0;
    case FI_GETWAITOBJ:
        *static_cast<fi_wait_obj*>(arg) = kind == FI_WAIT_UNSPEC ? FI_WAIT_FD : kind;
        return 0;
    default: return -FI_ENOSYS;
    }
}

} // namespace

WaitSet::WaitSet(Fabric& fabric, fi_wait_obj wait_obj) : fabric_(fabric), wait_obj_(wait_obj) {
    set_face(face_, this, FI_CLASS_WAIT, nullptr, fid_ops);
    face_.ops = &wait_ops;
}

int WaitSet::open(Fabric& fabric, const fi_wait_attr* attr, fid_wait** out) {
    const int kind = attr ? number_of(attr->wait_obj) : FI_WAIT_UNSPEC;
    if (attr && attr->flags) return -FI_EBADFLAGS;
    switch (kind) {
    case FI_WAIT_UNSPEC:
    case FI_WAIT_FD:
    case FI_WAIT_YIELD: break;
    case FI_WAIT_MUTEX_COND:
    case FI_WAIT_POLLFD:
        inform(FI_LOG_FABRIC, "wait sets are FI_WAIT_UNSPEC, _FD and _YIELD");
        return -FI_ENOSYS;
    case FI_WAIT_NONE:
    case FI_WAIT_SET:
    default: return -FI_EINVAL;
    }
    std::unique_ptr<WaitSet> set(new WaitSet(fabric, static_cast<fi_wait_obj>(kind)));
    if (!set->wake_.open()) return no_descriptor(FI_LOG_FABRIC);
    *out = &set.release()->face_;
    return 0;
}

int WaitSet::close() {
    if (uses.any()) return -FI_EBUSY;
    delete this;
    return 0;
}

int WaitSet::control(int command, void* arg) const {
    return describe(wait_obj_, wake_.fd(), command, arg);
}

void WaitSet::join(Waitable& member) {
    const std::lock_guard lock(mutex_);
    members_.push_back(&member);
}

void WaitSet::leave(Waitable& member) {
    const std::lock_guard lock(mutex_);
    std::erase(members_, &member);
}

// Cleared first: what a member raises from then on stays visible.
int WaitSet::try_wait() {
    if (!fabric_->is_ours()) return -FI_EOPBADSTATE;
    const std::lock_guard lock(mutex_);
    wake_.clear();
    for (Waitable* member : members_)
        if (const int busy = member->try_wait()) return busy;
    return 0;
}

int WaitSet::wait(int timeout_ms) {
    const Instant until =
        timeout_ms < 0 ? kNever : link::monotonic_now() + std::chrono::milliseconds(timeout_ms);
    for (;;) {
        const int busy = try_wait();
        if (busy) return busy == -FI_EAGAIN ? 0 : busy;
        if (link::monotonic_now() >= until) return -FI_ETIMEDOUT;
        pollfd on{.fd = wake_.fd(), .events = POLLIN, .revents = 0};
        sleep_on({&on, 1}, until);
    }
}

Waker::~Waker() {
    if (set_) set_->leave(self_);
}

int Waker::open(const fi_wait_obj& kind, fid_wait* set, fi_log_subsys where) {
    switch (number_of(kind)) {
    case FI_WAIT_NONE: return 0;
    case FI_WAIT_UNSPEC:
    case FI_WAIT_FD:
    case FI_WAIT_YIELD:
        if (!own_.open()) return no_descriptor(where);
        kind_ = kind;
        return 0;
    case FI_WAIT_SET:
        if (!set) return -FI_EINVAL;
        set_ = Use<WaitSet>(object_of<WaitSet>(set));
        set_->join(self_);
        kind_ = kind;
        return 0;
    case FI_WAIT_MUTEX_COND:
    case FI_WAIT_POLLFD:
        inform(where, "wait objects are FI_WAIT_NONE, _UNSPEC, _FD, _SET and _YIELD");
        return -FI_ENOSYS;
    }
    return -FI_EINVAL;
}

int Waker::open_unseen(fi_log_subsys where) {
    if (own_.is_open() || own_.open()) return 0;
    return no_descriptor(where);
}

int Waker::control(int command, void* arg) const {
    return describe(kind_, own_.fd(), command, arg);
}

} // namespace rill::fi
