// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Event and completion doorbells of a function, and the interrupts that they arm.
#include "function_host.hpp"

#include <criterion/criterion.h>

using namespace rill;
using namespace rill::test;

Test(function_interrupts, M1_M4_events_interrupt_once_and_masked_vectors_stay_pending) {
    Bench b;
    Host h(b.adapter, 0, b.now);
    h.bring_up();
    const uint16_t msix = find_capability(b.adapter.config_spaces(), 0, 0x11, false, b.now);
    uint32_t v = 0;
    cr_assert(is_ok(b.adapter.access(
        {0, static_cast<uint16_t>(msix + pci::kMsixControl), 2, true, 0x8000}, b.now, v)));
    h.f.write(kMsixTable + 12, 0, h.now); // unmask vector 0
    h.f.write64(kEventDoorbell, EventDoorbell::kArm, h.now);
    const auto provoke = [&] { h.set(Register::status, 1); };
    provoke();
    provoke();
    cr_assert_eq(b.interrupts.raised, 1);
    h.f.write64(kEventDoorbell, 1 | EventDoorbell::kArm, h.now);
    cr_assert_eq(b.interrupts.raised, 2, "one is beyond the index");
    h.f.write(kMsixTable + 12, 1, h.now);
    h.f.write64(kEventDoorbell, 2 | EventDoorbell::kArm, h.now);
    provoke();
    cr_assert_eq(b.interrupts.raised, 2);
    cr_assert_eq(h.f.read(kMsixPending), 1u);
    h.f.write(kMsixTable + 12, 0, h.now);
    cr_assert_eq(b.interrupts.raised, 3, "delivered when it is unmasked");
    cr_assert_eq(h.f.read(kMsixPending), 0u);
}

Test(function_interrupts, M1_completions_interrupt_once_and_mask) {
    CompletionHost c;
    c.store(true);
    c.arrive(1);
    cr_assert_eq(c.raised(), 1);
    c.arrive(3);
    cr_assert_eq(c.raised(), 1, "it has masked itself");
    cr_assert_eq(c.take(), 4u);
}

Test(function_interrupts, M2_M3_M4_M5_one_store_carries_index_and_arm) {
    CompletionHost c;
    c.arrive(2);
    c.take();
    c.store(false);
    c.arrive(1);
    cr_assert_eq(c.raised(), 0, "an index without the bit leaves it masked");
    c.store(true);
    cr_assert_eq(c.raised(), 1, "one is beyond the index already");
    c.take();
    c.store(true);
    cr_assert_eq(c.raised(), 1);
    c.arrive(1);
    cr_assert_eq(c.raised(), 2, "index and arm took effect together");
    c.h.f.write64(kCompletionDoorbell, CompletionDoorbell{.consumer = c.read + 2}.value(), c.h.now);
    cr_assert(c.h.reg(Register::status) & kStatusFatal, "what was not written cannot be read");
}

Test(function_interrupts, M2_an_old_arming_store_that_comes_late_does_not_arm) {
    CompletionHost c;
    c.store(true);
    const uint64_t old = CompletionDoorbell{c.read, 0, 0, 0, true}.value();
    c.arrive(1);
    cr_assert_eq(c.raised(), 1);
    c.h.f.write64(kCompletionDoorbell, old, c.h.now);
    cr_assert_eq(c.raised(), 1, "its sequence number is past");
    c.store(true);
    cr_assert_eq(c.raised(), 2);
}

Test(function_interrupts, M1_moderation_waits_for_the_count_or_the_time) {
    CompletionHost c;
    c.store(true, 4, 100);
    c.arrive(3);
    cr_assert_eq(c.raised(), 0);
    cr_assert_eq(c.h.f.read64(kDeadline),
                 static_cast<uint64_t>(
                     (c.h.now + std::chrono::microseconds(100)).time_since_epoch().count()),
                 "the host knows when the device needs time");
    c.arrive(1);
    cr_assert_eq(c.raised(), 1, "the count");
    c.take();
    c.store(true, 4, 100);
    c.arrive(1);
    c.h.now += std::chrono::microseconds(99);
    c.run();
    cr_assert_eq(c.raised(), 1);
    c.h.now += std::chrono::microseconds(1);
    c.run();
    cr_assert_eq(c.raised(), 2, "the time: no wake-up is lost for want of company");
    cr_assert_eq(c.h.f.read64(kDeadline), UINT64_MAX);
    CompletionHost plain(0); // not negotiated
    plain.store(true, 4, 100);
    cr_assert(plain.h.events[0].kind == AsyncEventKind::warning &&
              plain.h.events[0].value == kCompletionDoorbell);
}

// The host reads, stores and sleeps; the device completes; in every order, with and without moderation.
// A host that sleeps on an armed queue is woken.
Test(function_interrupts, M4_no_order_of_arming_and_completing_loses_a_wake_up) {
    constexpr uint32_t kSteps = 9;
    for (const bool moderated : {false, true}) {
        CompletionHost c;
        for (uint32_t order = 0; order < 1u << 2 * kSteps; ++order) {
            c.take();
            c.store(false);
            bool armed = false;
            int before = c.raised();
            for (uint32_t i = 0; i < kSteps && (order >> 2 * i) != 0; ++i) {
                switch (order >> 2 * i & 3) {
                case 0: c.arrive(1); break;
                case 1: c.take(); break;
                case 2:
                    c.store(false);
                    armed = false;
                    break;
                case 3:
                    before = c.raised();
                    c.store(true, moderated ? 3 : 0, moderated ? 5 : 0);
                    armed = true;
                    break;
                }
            }
            c.h.now += std::chrono::microseconds(10); // asleep until the device's deadline
            c.run();
            const bool beyond = c.b.backend.moved() != c.stored();
            if (armed)
                cr_assert_eq(c.raised() - before, beyond, "order %x", order);
            else
                cr_assert_leq(c.raised() - before, 1, "order %x", order);
        }
    }
}
