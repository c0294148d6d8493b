// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/housekeeper.hpp"

#include "fi/engine.hpp"
#include "fi/log.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>

namespace rill::fi {

namespace {

// Sleep when the module says that something waits for a peer, but not until when.
constexpr Duration kUnspecificWait = std::chrono::milliseconds(10);

} // namespace

void sleep_on(std::span<pollfd> on, Instant until) {
    timespec left{};
    if (until != kNever) {
        const Duration d = std::max(until - Engine::now(), Duration(0));
        left.tv_sec = static_cast<time_t>(d.count() / 1000000000);
        left.tv_nsec = static_cast<long>(d.count() % 1000000000);
    }
    // Interrupted by a signal or not: the caller looks again.
    ppoll(on.data(), on.size(), until == kNever ? nullptr : &left, nullptr);
}

bool Housekeeper::start() {
    if (running_) return true;
    if (!wake_.is_open() && !wake_.open()) return false;
    stopping_ = false;
    seen_ = engine_.passes();
    // The program's signals are the program's: none is to be handled on this thread.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&thread_, nullptr, thread_main, this);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (failed) {
        warn(FI_LOG_DOMAIN,
             std::string("cannot start the housekeeper thread: ") + std::strerror(failed));
        return false;
    }
    pthread_setname_np(thread_, "rill-keeper");
    running_ = true;
    return true;
}

void Housekeeper::stop() {
    if (!running_) return;
    stopping_ = true;
    wake_.raise();
    pthread_join(thread_, nullptr);
    running_ = false;
}

void Housekeeper::summon() {
    if (automatic_ || !running_) return;
    // Asleep on duty already: nothing to say. If it wakes up just now and finds that the program
    // passed, it looks at `summoned_` before it sleeps on its watch.
    summoned_.store(true);
    if (!sleeps_on_duty_.load()) wake_.raise();
}

void Housekeeper::reconsider() {
    if (engine_.wakes_sleepers() && engine_.next_deadline() >= wakes_at_) return;
    sleeps_on_duty_.store(false, std::memory_order_relaxed);
    wake_.raise();
}

void* Housekeeper::thread_main(void* self) {
    static_cast<Housekeeper*>(self)->run();
    return nullptr;
}

void Housekeeper::run() {
    State state = automatic_ ? State::duty : State::watch;
    while (!stopping_.load(std::memory_order_acquire)) {
        switch (state) {
        case State::watch: state = watch(); break;
        case State::duty: state = serve(); break;
        }
    }
}

Housekeeper::State Housekeeper::watch() {
    seen_ = engine_.passes();
    pollfd own{.fd = wake_.fd(), .events = POLLIN, .revents = 0};
    if (!summoned_.load()) sleep({&own, 1}, Engine::now() + period_);
    if (summoned_.exchange(false)) {
        seen_ = engine_.passes(); // read after the call: passes from now on are a return
        return State::duty;
    }
    return engine_.passes() == seen_ ? State::duty : State::watch;
}

Housekeeper::State Housekeeper::serve() {
    const bool summoned = summoned_.exchange(false);
    if (summoned) seen_ = engine_.passes();
    if (!automatic_ && engine_.passes() != seen_) return State::watch;
    // Somebody else at it is the program being there.
    if (!engine_.ownership().try_take()) {
        if (!automatic_ && !summoned) return State::watch;
        engine_.ownership().take();
    }
    Instant wake;
    const bool moved = make_passes(wake);
    engine_.ownership().release();
    if (engine_.triggers().due()) {
        // Posted operations have deadlines of their own. What finds no room is tried again soon:
        // it may be the program that makes some.
        sleeps_on_duty_.store(false);
        engine_.triggers().run();
        if (!engine_.triggers().due()) return State::duty;
        wake = std::min(wake, Engine::now() + kUnspecificWait);
    }
    if (moved) return State::duty;
    sleep(descriptors_, wake);
    sleeps_on_duty_.store(false);
    return State::duty;
}

// Owned. True when there is more to do at once.
bool Housekeeper::make_passes(Instant& wake) {
    const Instant now = Engine::now();
    if (engine_.quiet_pass(now)) return true;
    wake = engine_.next_deadline();
    if (wake == kNever && engine_.module().outstanding()) wake = now + kUnspecificWait;
    descriptors_.clear();
    descriptors_.push_back({.fd = wake_.fd(), .events = POLLIN, .revents = 0});
    descriptors_.push_back({.fd = engine_.bell(), .events = POLLIN, .revents = 0});
    engine_.append_descriptors(descriptors_);
    wakes_at_ = wake;
    sleeps_on_duty_.store(true);
    return false;
}

void Housekeeper::sleep(std::span<pollfd> on, Instant wake) {
    sleep_on(on, wake);
    if (on[0].revents) wake_.clear();
    if (on.size() > 1 && on[1].revents) engine_.clear_bell();
}

} // namespace rill::fi
