// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "util/status.hpp"

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <sys/types.h>
#include <unordered_map>

namespace rill::fi {

class Engine;

// An operation that waits for a counter.
struct Trigger {
    const void* owner = nullptr;   // the endpoint that it goes with
    const void* context = nullptr; // by which it is cancelled
    bool is_work = false; // of the deferred work queue: failed operations count to the threshold
    // Starts it, with the engine not owned. 0, or a code; -FI_EAGAIN: to be tried again.
    std::function<ssize_t()> post;
    // It ends without having been started. With the engine owned.
    std::function<void(Status)> abandon;
};

// The operations of a domain that wait for counters:
//
//     waiting --the counter reaches the threshold--> ripe --posted--> (an operation as any other)
//        \------------- cancelled, or its endpoint closed -----------> (gone)
//
// Counters change deep inside a pass of the device, where nothing can be posted. So what is ripe
// waits for the moment when the engine is released: whoever releases it, a call of the program or
// the housekeeper, posts what is due. Ripe operations are posted in the order of ripening, which is
// that of the thresholds.
class Triggers {
public:
    explicit Triggers(Engine& engine) : engine_(engine) {}

    // ---- for the owner of the engine

    void add(const void* counter, uint64_t threshold, std::unique_ptr<Trigger> trigger);
    bool any_waits() const { return !waiting_.empty(); }
    // The counter stands at these values now.
    void ripen(const void* counter, uint64_t value, uint64_t errors);
    bool waits_for(const void* counter) const { return waiting_.contains(counter); }
    // Ends an operation of an endpoint, or deferred work, that was not started. False: none is there.
    bool cancel(const void* owner, const void* context);
    bool cancel_work(const void* context);
    // Ends all deferred work that was not started; for one counter, or null for every counter.
    void flush_work(const void* counter);

    // ---- with the engine not owned

    bool due() const { return due_.load(std::memory_order_relaxed); }
    // Posts what is due, unless somebody is at it.
    void run() noexcept;
    // Forgets what belongs to an endpoint that closes. Nothing of it is being posted on return.
    void drop(const void* owner);

private:
    using Waiting = std::multimap<uint64_t, std::unique_ptr<Trigger>>; // by threshold

    template <class Predicate, class F>
    bool take(Predicate&& predicate, F&& f, bool only_first);
    std::unique_ptr<Trigger> next();
    bool post_ripe();

    Engine& engine_;
    std::unordered_map<const void*, Waiting> waiting_; // by counter; no entry is empty
    std::deque<std::unique_ptr<Trigger>> ripe_;
    std::atomic<bool> due_{false};  // something is ripe
    std::atomic<bool> busy_{false}; // somebody posts
};

} // namespace rill::fi
