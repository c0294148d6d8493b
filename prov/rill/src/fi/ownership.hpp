// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <atomic>
#include <cstdint>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace rill::fi {

// Who runs the device. One word, one atomic exchange in and one out when nobody else wants it
// (Drepper, "Futexes are tricky", mutex 2):
//
//     free --take--> owned --somebody waits--> contended --release--> free, and one is woken
//
// Nobody sleeps while owning, so a short spin nearly always gets it when the owner runs on another
// core; when it does not run at all (more threads than cores), spinning would only keep it off, so
// the wait soon turns into sleep.
class Ownership {
public:
    bool try_take() {
        uint32_t expected = kFree;
        return word_.compare_exchange_strong(expected, kOwned, std::memory_order_acquire,
                                             std::memory_order_relaxed);
    }
    void take() {
        if (!try_take()) wait();
    }
    void release() {
        if (word_.exchange(kFree, std::memory_order_release) == kContended)
            futex(FUTEX_WAKE_PRIVATE, 1);
    }
    bool is_free() const { return word_.load(std::memory_order_relaxed) == kFree; }

private:
    static constexpr uint32_t kFree = 0;
    static constexpr uint32_t kOwned = 1;
    static constexpr uint32_t kContended = 2;
    static constexpr int kSpins = 100; // a few microseconds: what a pass takes

    void wait() {
        for (int i = 0; i < kSpins; ++i) {
            if (try_take()) return;
            relax();
        }
        while (word_.exchange(kContended, std::memory_order_acquire) != kFree)
            futex(FUTEX_WAIT_PRIVATE, kContended);
    }
    static void relax() {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        asm volatile("yield");
#endif
    }
    void futex(int operation, uint32_t value) {
        syscall(SYS_futex, &word_, operation, value, nullptr, nullptr, 0);
    }

    std::atomic<uint32_t> word_{kFree};
};

} // namespace rill::fi
