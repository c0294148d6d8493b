// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "util/time.hpp"

#include <cstdint>
#include <queue>
#include <vector>

namespace rill::sim {

// Whoever wants something to happen at a time.
class EventHandler {
public:
    virtual ~EventHandler() = default;
    virtual void fire(uint64_t argument) = 0;
};

// The virtual clock, and all that is going to happen. Events of one instant happen in the order in
// which they were asked for, so a run depends on its seed alone.
class EventQueue {
public:
    explicit EventQueue(Instant start) : now_(start) {}

    Instant now() const { return now_; }
    Instant next() const { return heap_.empty() ? kNever : heap_.top().at; }
    uint64_t fired() const { return fired_; }

    // An event in the past happens now.
    void at(Instant when, EventHandler& target, uint64_t argument = 0) {
        heap_.push({when < now_ ? now_ : when, order_++, &target, argument});
    }
    // Lets the earliest event happen; false when there is none.
    bool run_next() {
        if (heap_.empty()) return false;
        const Event e = heap_.top();
        heap_.pop();
        now_ = e.at;
        ++fired_;
        e.target->fire(e.argument);
        return true;
    }

private:
    struct Event {
        Instant at;
        uint64_t order;
        EventHandler* target;
        uint64_t argument;
        bool operator>(const Event& o) const { return at != o.at ? at > o.at : order > o.order; }
    };

    Instant now_;
    uint64_t order_ = 0;
    uint64_t fired_ = 0;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> heap_;
};

} // namespace rill::sim
