// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A host that follows no protocol.
#include "function_host.hpp"
#include "util/prng.hpp"

#include <criterion/criterion.h>

using namespace rill;
using namespace rill::test;

Test(function_hostile, whatever_a_host_writes_the_device_answers_and_stays_in_its_memory) {
    for (uint64_t seed = 1; seed <= 200; ++seed) {
        Prng random(seed);
        Bench b;
        (void)enable_virtual(b.adapter.config_spaces(), 2, b.now);
        struct Fenced { // a queue that is overrun shows in the fence
            uint64_t before[8];
            Host host;
            uint64_t after[8];
        };
        Fenced fenced{{}, Host(b.adapter, 1, b.now), {}};
        Host& h = fenced.host;
        h.bring_up();
        (void)h.ask(AdminOp::set_feature, {random.below(16)});
        const auto odd = [&]() -> uint64_t {
            switch (random.below(8)) {
            case 0: return UINT64_MAX;
            case 1: return uint64_t{1} << random.below(64);
            case 2: return h.queue_at + random.below(128);
            case 3: return h.command_at;
            case 4: return 0;
            case 5: return random.below(5);
            case 6: return 2;
            default: return random.next();
            }
        };
        for (int step = 0; step < 400; ++step) {
            switch (random.below(6)) {
            case 0:
                h.f.write(static_cast<uint32_t>(random.below(0x16) * 4),
                          static_cast<uint32_t>(odd()), h.now);
                break;
            case 1:
                h.f.write64(static_cast<uint32_t>(
                                random.chance(0.8) ? kEventDoorbell + 8 * random.below(6) : odd()),
                            odd(), h.now);
                (void)h.f.read64(static_cast<uint32_t>(kDeadline + 8 * random.below(2)));
                break;
            case 2:
                h.f.write(static_cast<uint32_t>(random.below(0x4000)), static_cast<uint32_t>(odd()),
                          h.now);
                (void)h.f.read(static_cast<uint32_t>(odd()));
                break;
            default: {
                const bool runs =
                    h.reg(Register::status) & kStatusReady &&
                    h.reg(Register::admin_size) == kEntries && h.f.commands() == h.written &&
                    h.reg(Register::admin_base_low) == static_cast<uint32_t>(h.command_at) &&
                    h.reg(Register::answer_base_low) == static_cast<uint32_t>(h.answer_at);
                if (!runs) {
                    h.bring_up();
                    continue;
                }
                AdminCommand& c = h.commands[h.written % kEntries];
                c = {};
                c.op = static_cast<AdminOp>(random.below(19));
                for (uint64_t& a : c.arguments)
                    a = random.chance(0.4) ? odd() : 0;
                if (random.chance(0.5)) {
                    const auto w = Host::words(static_cast<uint16_t>(random.below(9)));
                    std::copy(w.begin(), w.end(), c.arguments + (random.chance(0.5) ? 0 : 2));
                }
                if (random.chance(0.05)) c.reserved[random.below(5)] = 1;
                c.id_and_phase = (h.written / kEntries % 2 == 0 ? kPhaseBit : 0) | 7;
                h.set(Register::admin_doorbell, (h.written + 1) & 0xffff);
                const AdminAnswer& a = h.answers[h.written % kEntries];
                cr_assert_eq(h.f.commands(), ++h.written, "seed %lu step %d", seed, step);
                cr_assert_eq(a.consumed, h.written, "seed %lu", seed);
                cr_assert_leq(static_cast<int>(a.status), static_cast<int>(AdminStatus::busy));
            }
            }
        }
        for (int i = 0; i < 8; ++i)
            cr_assert(fenced.before[i] == 0 && fenced.after[i] == 0, "seed %lu", seed);
        cr_assert_eq(h.f.queue_pairs(), b.backend.queue_pairs.size(), "seed %lu", seed);
        h.handshake();
        cr_assert(b.backend.queue_pairs.empty() && b.backend.handles.empty(), "seed %lu", seed);
        cr_assert(b.backend.keys.empty() && !b.backend.completions.attached(), "seed %lu", seed);
        cr_assert_eq(b.adapter.memory().allocations(), 0u, "seed %lu", seed);
    }
}
