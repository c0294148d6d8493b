// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "fi/common.hpp"
#include "fi/fabric.hpp"
#include "fi/wake_fd.hpp"

#include <rdma/providers/fi_log.h>

#include <mutex>
#include <vector>

namespace rill::fi {

// What a program can wait for: a queue, a counter.
class Waitable {
public:
    // 0: nothing is there, and what comes raises the wait object; -FI_EAGAIN: something is there.
    virtual int try_wait() = 0;

protected:
    ~Waitable() = default;
};

// One descriptor for several queues and counters, of any domains of a fabric.
class WaitSet final : public Waitable {
public:
    using Fid = fid_wait;

    static int open(Fabric& fabric, const fi_wait_attr* attr, fid_wait** out);

    int close();
    int control(int command, void* arg) const;
    int wait(int timeout_ms);
    int try_wait() override;

    // For members.
    void join(Waitable& member);
    void leave(Waitable& member);
    void raise() { wake_.raise(); }

    Uses uses;

private:
    WaitSet(Fabric& fabric, fi_wait_obj wait_obj);

    Face<fid_wait, WaitSet> face_{};
    Use<Fabric> fabric_;
    const fi_wait_obj wait_obj_;
    WakeFd wake_;
    std::mutex mutex_;
    std::vector<Waitable*> members_;
};

// How a queue or counter wakes who waits for it: by an eventfd of its own, or by that of the wait
// set that it is a member of.
class Waker {
public:
    explicit Waker(Waitable& self) : self_(self) {}
    Waker(const Waker&) = delete;
    Waker& operator=(const Waker&) = delete;
    ~Waker();

    // `set` is looked at for FI_WAIT_SET only. FI_WAIT_MUTEX_COND and FI_WAIT_POLLFD: -FI_ENOSYS;
    // no such kind, or no set: -FI_EINVAL; no descriptor to be had: -FI_EMFILE.
    [[nodiscard]] int open(const fi_wait_obj& kind, fid_wait* set, fi_log_subsys where);

    bool exists() const { return kind_ != FI_WAIT_NONE; }
    bool in_set() const { return kind_ == FI_WAIT_SET; }
    // Whether the program may sleep in a read of this very object.
    bool can_block() const { return exists() && !in_set(); }
    // For one of FI_WAIT_NONE that is slept on nevertheless, with the engine owned: the program
    // never sees the descriptor. -FI_EMFILE: none to be had.
    [[nodiscard]] int open_unseen(fi_log_subsys where);
    int fd() const { return own_.fd(); }
    int control(int command, void* arg) const; // FI_GETWAIT, FI_GETWAITOBJ

    void raise() {
        if (set_)
            set_->raise();
        else if (own_.is_open())
            own_.raise();
    }
    // A set is cleared by who waits for it.
    void clear() {
        if (own_.is_open()) own_.clear();
    }

private:
    Waitable& self_;
    fi_wait_obj kind_ = FI_WAIT_NONE;
    WakeFd own_;
    Use<WaitSet> set_;
};

} // namespace rill::fi
