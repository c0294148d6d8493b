// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <atomic>
#include <cstdint>

namespace rill::nic {

// The doorbell of a queue that the device writes and the host reads: one 64-bit store carries the
// consumer index and the arm bit (unmask), so that both take effect together. Host and device may run
// on different processors.
//
//   masked --host stores with arm--> armed --an entry beyond the index, or one is there already-->
//   raised once, masked
//
// Each side writes its own word and then reads the other's, in an order that all agree on: one of
// the two sees an entry that is beyond the index while armed. Whoever wins the exchange raises.
class EventDoorbell {
public:
    static constexpr uint64_t kArm = uint64_t{1} << 63;

    // Device: `produced` entries have been written, in all. True: raise the interrupt.
    bool produce(uint32_t produced) {
        publish(produced);
        return claim(read_doorbell(), produced);
    }
    // The doorbell's store, and what the device makes of it. True: raise the interrupt at once.
    bool store(uint64_t value) {
        write_doorbell(value);
        return claim(value, read_produced());
    }
    void reset() {
        produced_.store(0);
        doorbell_.store(0);
    }
    bool armed() const { return doorbell_.load() & kArm; }
    uint32_t produced() const { return produced_.load(std::memory_order_acquire); }

    // The steps, each one access to memory: a test puts them in every order.
    void publish(uint32_t produced) { produced_.store(produced); }
    uint64_t read_doorbell() const { return doorbell_.load(); }
    void write_doorbell(uint64_t value) { doorbell_.store(value); }
    uint32_t read_produced() const { return produced_.load(); }
    bool claim(uint64_t seen, uint32_t produced) {
        const bool beyond = static_cast<uint32_t>(seen) != produced;
        return (seen & kArm) && beyond && doorbell_.compare_exchange_strong(seen, seen & ~kArm);
    }

private:
    std::atomic<uint32_t> produced_{0}; // written by the device
    std::atomic<uint64_t> doorbell_{0}; // written by the host; the device clears the arm bit
};

} // namespace rill::nic
