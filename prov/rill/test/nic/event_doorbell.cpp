// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The doorbell that moves the consumer index and unmasks in one store: statements M1 to M5.
#include "nic/event_doorbell.hpp"

#include <criterion/criterion.h>

#include <vector>

using rill::nic::EventDoorbell;
constexpr uint64_t kArm = EventDoorbell::kArm;

Test(event_doorbell, M1_an_entry_raises_once_and_masks) {
    EventDoorbell d;
    cr_assert_not(d.store(0 | kArm));
    cr_assert(d.produce(1));
    cr_assert_not(d.armed());
    cr_assert_not(d.produce(2));
    cr_assert_not(d.produce(3));
}

Test(event_doorbell, M2_M3_one_store_carries_index_and_unmask) {
    static_assert(sizeof(kArm) == 8);
    EventDoorbell d;
    for (uint32_t i = 1; i <= 5; ++i)
        cr_assert_not(d.produce(i));
    cr_assert_not(d.store(5 | kArm), "all are read: nothing to raise for");
    cr_assert(d.armed());
    cr_assert(d.produce(6));
}

Test(event_doorbell, M4_entries_beyond_the_index_raise_at_once) {
    EventDoorbell d;
    cr_assert_not(d.produce(1));
    cr_assert_not(d.produce(2));
    cr_assert(d.store(1 | kArm));
    cr_assert_not(d.armed());
}

Test(event_doorbell, M5_an_index_without_the_bit_leaves_it_masked) {
    EventDoorbell d;
    cr_assert_not(d.produce(1));
    cr_assert_not(d.store(1));
    cr_assert_not(d.produce(2));
    cr_assert_not(d.store(1));
}

namespace {

// The device writes entries; the host reads, arms and, when interrupted, reads and arms again. All
// orders of their single steps are tried.
struct Run {
    EventDoorbell d;
    static constexpr uint32_t kEntries = 3;
    // device
    uint32_t written = 0;
    int device_step = 0; // 0: publish, 1: read the doorbell, 2: claim
    uint64_t seen = 0;
    // host
    int host_step = 0; // 0: look, 1: store, 2: read produced, 3: claim, 4: asleep
    uint32_t read = 0;
    uint32_t produced = 0;
    int interrupts = 0; // not yet taken
    int total = 0;

    bool device_can() const { return written < kEntries || device_step != 0; }
    bool host_can() const { return host_step != 4 || interrupts > 0; }

    void device() {
        switch (device_step++) {
        case 0: d.publish(++written); return;
        case 1: seen = d.read_doorbell(); return;
        default:
            if (d.claim(seen, written)) ++interrupts, ++total;
            device_step = 0;
        }
    }
    void host() {
        switch (host_step++) {
        case 0: read = d.read_produced(); return;
        case 1: d.write_doorbell(read | kArm); return;
        case 2: produced = d.read_produced(); return;
        case 3:
            if (d.claim(read | kArm, produced)) ++interrupts, ++total;
            return;
        default: --interrupts; host_step = 0;
        }
    }
};

// Replays a path, so that nothing has to be copied.
void explore(std::vector<bool>& path, uint64_t& orders) {
    Run r;
    for (const bool host : path)
        host ? r.host() : r.device();
    const bool device_can = r.device_can(), host_can = r.host_can();
    if (!device_can && !host_can) {
        ++orders;
        // The host sleeps and nobody will wake it: it must have read everything.
        cr_assert_eq(r.read, Run::kEntries, "a lost wake-up");
        cr_assert_leq(r.total, 2 * static_cast<int>(Run::kEntries), "no interrupt storm");
        return;
    }
    for (const bool host : {false, true}) {
        if (!(host ? host_can : device_can)) continue;
        path.push_back(host);
        explore(path, orders);
        path.pop_back();
    }
}

} // namespace

Test(event_doorbell, M4_no_order_of_steps_loses_a_wake_up) {
    std::vector<bool> path;
    uint64_t orders = 0;
    explore(path, orders);
    cr_assert_gt(orders, 1000u, "%lu orders", orders);
}
