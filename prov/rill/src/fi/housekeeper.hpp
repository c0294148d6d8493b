// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "fi/wake_fd.hpp"
#include "util/time.hpp"

#include <atomic>
#include <poll.h>
#include <pthread.h>
#include <span>
#include <vector>

namespace rill::fi {

class Engine;

// ppoll without a signal mask. Never called with the engine owned.
void sleep_on(std::span<pollfd> on, Instant until);

// The thread that runs a domain's device while the program does not:
//
//            a period without a pass of the program, or a wait was armed
//     watch -------------------------------------------------------------> duty
//           <-------------------------------------------------------------
//              woken by a packet or a deadline, and the program has passed
//
// On watch it sleeps on its own descriptor only and looks once a period whether the program passes:
// a thread that waits on the program's sockets would be woken by every packet and take a core from
// the program. On duty it makes passes, and sleeps on the link's descriptors in between, for as
// long as nothing is due; when nothing ever is, without limit. Under automatic progress it is
// always on duty.
class Housekeeper {
public:
    Housekeeper(Engine& engine, bool automatic) : engine_(engine), automatic_(automatic) {}
    ~Housekeeper() { stop(); }

    void set_period(Duration period) { period_ = period; }
    // Begins with the first enabled endpoint; further calls do nothing. False: no thread to be had.
    [[nodiscard]] bool start();
    void stop();
    bool automatic() const { return automatic_; }
    // In a forked child, where the thread does not exist.
    void forget() { running_ = false; }

    // A wait was armed: the program will be away, and wants to be woken by a completion.
    void summon();
    // The descriptors changed.
    void refresh() {
        if (running_) wake_.raise();
    }

    // For the owner of the engine. True while it sleeps with a deadline of its own.
    bool sleeps_on_duty() const { return sleeps_on_duty_.load(std::memory_order_relaxed); }
    // Wakes it if something is due earlier than it means to wake, or if packets would not wake it.
    void reconsider();

private:
    enum class State { watch, duty };

    static void* thread_main(void* self);
    void run();
    State watch();
    State serve();
    bool make_passes(Instant& wake);
    void sleep(std::span<pollfd> on, Instant wake); // on[0] is wake_, on[1] the bell

    Engine& engine_;
    const bool automatic_;
    bool running_ = false;
    Duration period_{std::chrono::milliseconds(5)};
    pthread_t thread_{};
    WakeFd wake_;
    std::vector<pollfd> descriptors_; // its own copy, while on duty
    uint64_t seen_ = 0;               // the program's passes when it last looked
    Instant wakes_at_{};              // under ownership: valid while sleeps_on_duty_
    std::atomic<bool> sleeps_on_duty_{false};
    std::atomic<bool> summoned_{false};
    std::atomic<bool> stopping_{false};
};

} // namespace rill::fi
