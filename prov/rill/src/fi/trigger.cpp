// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/trigger.hpp"

#include "fi/common.hpp"
#include "fi/engine.hpp"

#include <sched.h>

namespace rill::fi {

void Triggers::add(const void* counter, uint64_t threshold, std::unique_ptr<Trigger> trigger) {
    waiting_[counter].emplace(threshold, std::move(trigger));
}

void Triggers::ripen(const void* counter, uint64_t value, uint64_t errors) {
    const auto found = waiting_.find(counter);
    if (found == waiting_.end()) return;
    Waiting& all = found->second;
    for (auto it = all.begin(); it != all.end() && it->first <= value + errors;) {
        if (!it->second->is_work && it->first > value) {
            ++it;
            continue;
        }
        ripe_.push_back(std::move(it->second));
        it = all.erase(it);
        due_.store(true, std::memory_order_relaxed);
    }
    if (all.empty()) waiting_.erase(found);
}

// Takes out what satisfies the predicate and hands it on; true if there was anything.
template <class Predicate, class F>
bool Triggers::take(Predicate&& predicate, F&& f, bool only_first) {
    std::deque<std::unique_ptr<Trigger>> taken;
    const auto wanted = [&] { return !only_first || taken.empty(); };
    for (auto it = ripe_.begin(); it != ripe_.end() && wanted();) {
        if (!predicate(nullptr, **it)) {
            ++it;
            continue;
        }
        taken.push_back(std::move(*it));
        it = ripe_.erase(it);
    }
    for (auto counter = waiting_.begin(); counter != waiting_.end() && wanted();) {
        Waiting& all = counter->second;
        for (auto it = all.begin(); it != all.end() && wanted();) {
            if (!predicate(counter->first, *it->second)) {
                ++it;
                continue;
            }
            taken.push_back(std::move(it->second));
            it = all.erase(it);
        }
        counter = all.empty() ? waiting_.erase(counter) : std::next(counter);
    }
    due_.store(!ripe_.empty(), std::memory_order_relaxed);
    for (const auto& trigger : taken)
        f(*trigger);
    return !taken.empty();
}

bool Triggers::cancel(const void* owner, const void* context) {
    return take(
        [&](const void*, const Trigger& t) {
            return !t.is_work && t.owner == owner && t.context == context;
        },
        [](Trigger& t) { t.abandon(Status::canceled); }, true);
}

bool Triggers::cancel_work(const void* context) {
    return take([&](const void*, const Trigger& t) { return t.is_work && t.context == context; },
                [](Trigger& t) { t.abandon(Status::canceled); }, true);
}

void Triggers::flush_work(const void* counter) {
    take([&](const void* of, const Trigger& t) { return t.is_work && (!counter || of == counter); },
         [](Trigger& t) { t.abandon(Status::canceled); }, false);
}

std::unique_ptr<Trigger> Triggers::next() {
    const Owned own(engine_);
    if (ripe_.empty()) return nullptr;
    std::unique_ptr<Trigger> trigger = std::move(ripe_.front());
    ripe_.pop_front();
    due_.store(!ripe_.empty(), std::memory_order_relaxed);
    return trigger;
}

// False: the first one has to wait for room, and the others stay behind it.
bool Triggers::post_ripe() {
    while (std::unique_ptr<Trigger> trigger = next()) {
        const ssize_t result = guarded([&] { return trigger->post(); });
        if (result == 0) continue;
        const Owned own(engine_);
        if (result == -FI_EAGAIN) {
            ripe_.push_front(std::move(trigger));
            due_.store(true, std::memory_order_relaxed);
            return false;
        }
        trigger->abandon(Status::invalid);
    }
    return true;
}

void Triggers::run() noexcept {
    // Posting takes and releases the engine, which leads here again: that is the one who is busy.
    // What becomes ripe while it is ending is seen by the second look.
    while (due() && !busy_.exchange(true)) {
        const bool done = guarded([&] { return post_ripe() ? 1 : 0; }) == 1;
        busy_.store(false);
        if (!done) return;
    }
}

void Triggers::drop(const void* owner) {
    while (busy_.exchange(true))
        sched_yield();
    {
        const Owned own(engine_);
        take([&](const void*, const Trigger& t) { return t.owner == owner; }, [](Trigger&) {},
             false);
    }
    busy_.store(false);
    run();
}

} // namespace rill::fi
