// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/entries.hpp"
#include "nic/event_doorbell.hpp"
#include "nic/registers.hpp"
#include "util/time.hpp"

#include <atomic>

namespace rill::nic {

// The device's end of a completion queue in the host's memory, with its doorbell.
//
// Entries are written by whoever owns the device, and the doorbell's store runs the device: no store
// can come between an entry and the look at the doorbell. So the word that the host's processor
// would have to see is written only while the queue is armed; a queue that nobody sleeps on costs
// no locked instruction.
class CompletionRing {
public:
    // Zeroed memory, of a power of two of entries.
    void attach(CompletionEntry* memory, uint32_t entries) {
        detach();
        memory_ = memory;
        entries_ = entries;
    }
    void detach() {
        memory_ = nullptr;
        entries_ = produced_ = consumer_ = 0;
        sequence_ = 0;
        fire_at_ = kNever;
        doorbell_.reset();
    }
    bool attached() const { return memory_; }

    uint32_t capacity() const { return entries_; }
    // Entries that the host has not given back.
    uint32_t size() const { return produced_ - consumer_; }
    bool empty() const { return produced_ == consumer_; }
    uint32_t produced() const { return produced_; } // entries, since it was attached
    uint32_t room() const { return entries_ - (produced_ - consumer_); }
    // The next entry, blank but for its phase; room() > 0. Visible with commit().
    CompletionEntry& blank(EntryKind kind) {
        CompletionEntry& e = memory_[produced_ & (entries_ - 1)];
        CompletionEntry clean;
        clean.kind = kind;
        clean.phase = e.phase;
        e = clean;
        return e;
    }
    void commit() {
        CompletionEntry& e = memory_[produced_ & (entries_ - 1)];
        const uint8_t phase = (produced_ & entries_) == 0;
        ++produced_;
        std::atomic_ref<uint8_t>(e.phase).store(phase, std::memory_order_release);
    }

    // False: an index beyond what was written.
    [[nodiscard]] bool store(const CompletionDoorbell& d) {
        if (d.consumer - consumer_ > produced_ - consumer_) return false;
        consumer_ = d.consumer;
        const bool arms = d.arm && d.sequence == sequence_;
        if (!arms && !armed()) return true; // masked, and stays so
        doorbell_.publish(produced_);
        doorbell_.write_doorbell(d.consumer | (arms ? EventDoorbell::kArm : 0));
        fire_at_ = kNever;
        if (!arms) return true;
        ++sequence_;
        count_ = d.count;
        time_ = std::chrono::microseconds(d.micros);
        return true;
    }
    // After entries, a store, and when fires_at() has come. True: raise the interrupt, it is masked
    // now.
    bool announce(Instant now) { return armed() && claim(now); }
    bool armed() const { return doorbell_.armed(); }
    // When an armed queue that has some entries raises its interrupt at the latest.
    Instant fires_at() const { return fire_at_; }

private:
    bool claim(Instant now) {
        const uint32_t beyond = produced_ - consumer_;
        if (beyond == 0) return false;
        if (time_ > Duration::zero() && beyond < count_) {
            if (fire_at_ == kNever) fire_at_ = now + time_;
            if (now < fire_at_) return false;
        }
        fire_at_ = kNever;
        return doorbell_.produce(produced_);
    }

    CompletionEntry* memory_ = nullptr;
    uint32_t entries_ = 0;
    uint32_t produced_ = 0;
    uint32_t consumer_ = 0; // as of the last store
    uint8_t sequence_ = 0;  // of the arming store that is due
    uint8_t count_ = 0;     // moderation, of the last arming store
    Duration time_{};
    Instant fire_at_ = kNever;
    EventDoorbell doorbell_;
};

} // namespace rill::nic
