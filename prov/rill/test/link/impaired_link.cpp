// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "link/impaired_link.hpp"

#include <algorithm>
#include <criterion/criterion.h>
#include <cstring>
#include <deque>
#include <map>
#include <vector>

using namespace rill;
using namespace rill::link;
using obs::Counter;
using wire::RxTrain;
using namespace std::chrono_literals;

namespace {

Instant fake_now{1s};
Instant fake_clock() {
    return fake_now;
}

constexpr size_t kPacket = 100;

// Brings trains of numbered packets, and overwrites its one buffer with each, as a real link does.
class FakeLink final : public wire::Link {
public:
    // `count` packets; the last is short by one byte.
    void arrive(size_t count, wire::PortId port = wire::kDataPort) {
        waiting_.push_back({count, next_, port});
        next_ += static_cast<uint32_t>(count);
    }
    uint32_t arrived() const { return next_; }

    Status send(const wire::TxTrain&) override { return Status::ok; }
    size_t receive(std::span<RxTrain> out, bool) override {
        if (waiting_.empty() || out.empty()) return 0;
        const Waiting w = waiting_.front();
        waiting_.pop_front();
        buffer_.assign(w.count * kPacket - 1, std::byte(0xaa));
        for (uint32_t i = 0; i < w.count; ++i) {
            const uint32_t number = w.first + i;
            std::memcpy(&buffer_[i * kPacket], &number, sizeof number);
        }
        out[0] = {};
        out[0].data = buffer_.data();
        out[0].total_bytes = buffer_.size();
        out[0].segment_bytes = std::min(kPacket, buffer_.size());
        out[0].port = w.port;
        return 1;
    }
    bool next_refusal(wire::Address&) override { return false; }
    Status open_port(wire::Address&, wire::PortId&) override { return Status::ok; }
    void close_port(wire::PortId) override {}
    wire::Address data_address() const override { return {}; }
    size_t max_packet_bytes(const wire::Address&) const override { return kPacket; }
    uint16_t paths() const override { return 1; }
    size_t receive_buffer_bytes() const override { return 1 << 20; }
    size_t charge_bytes(size_t n) const override { return n; }
    uint64_t receive_drops() const override { return 0; }

private:
    struct Waiting {
        size_t count;
        uint32_t first;
        wire::PortId port;
    };
    std::deque<Waiting> waiting_;
    std::vector<std::byte> buffer_;
    uint32_t next_ = 0;
};

struct Got {
    std::vector<uint32_t> numbers;
    size_t trains = 0;

    std::map<uint32_t, int> tally() const {
        std::map<uint32_t, int> out;
        for (uint32_t n : numbers)
            ++out[n];
        return out;
    }
    size_t out_of_order() const {
        size_t n = 0;
        for (size_t i = 1; i < numbers.size(); ++i)
            n += numbers[i] < numbers[i - 1];
        return n;
    }
};

// Everything that comes out now; every packet must be whole.
void drain(ImpairedLink& link, Got& got, size_t slots = 3) {
    std::vector<RxTrain> out(slots);
    while (size_t n = link.receive(out, false)) {
        for (size_t i = 0; i < n; ++i) {
            const RxTrain& t = out[i];
            ++got.trains;
            for (size_t at = 0; at < t.total_bytes; at += t.segment_bytes) {
                const size_t bytes = std::min(t.segment_bytes, t.total_bytes - at);
                cr_assert(bytes == kPacket || bytes == kPacket - 1);
                uint32_t number;
                std::memcpy(&number, t.data + at, sizeof number);
                got.numbers.push_back(number);
                for (size_t b = sizeof number; b < bytes; ++b)
                    cr_assert(t.data[at + b] == std::byte(0xaa));
            }
        }
    }
}

// Runs the clock from release to release until nothing is held.
void drain_to_the_end(ImpairedLink& link, Got& got) {
    drain(link, got);
    while (link.next_release() != kNever) {
        fake_now = std::max(fake_now, link.next_release());
        cr_assert(link.wait_hint() == Duration(0));
        const size_t before = got.numbers.size();
        drain(link, got);
        cr_assert_gt(got.numbers.size(), before, "what is due must come out");
    }
}

struct Rig {
    explicit Rig(const char* text) : link(inner, parsed(text), counters, fake_clock) {}
    static Impairment parsed(const char* text) {
        Impairment i;
        std::string error;
        cr_assert(parse_impairment(text, i, error));
        return i;
    }
    uint64_t count(Counter c) const { return counters.get(c); }

    FakeLink inner;
    obs::Counters counters;
    ImpairedLink link;
};

} // namespace

Test(impaired_link, without_impairment_trains_stay_whole) {
    Rig rig("");
    Got got;
    for (int i = 0; i < 50; ++i)
        rig.inner.arrive(7);
    drain(rig.link, got);
    cr_assert_eq(got.trains, 50u);
    cr_assert_eq(got.numbers.size(), 350u);
    cr_assert_eq(got.out_of_order(), 0u);
    cr_assert(rig.link.next_release() == kNever && rig.link.wait_hint() == Duration::max());
}

Test(impaired_link, loses_single_packets_and_keeps_runs_together) {
    Rig rig("loss=0.01,seed=3");
    Got got;
    for (int i = 0; i < 1000; ++i) {
        rig.inner.arrive(40);
        drain(rig.link, got);
    }
    const uint64_t lost = rig.count(Counter::impair_lost);
    cr_assert(lost > 300 && lost < 500, "%lu of 40000", static_cast<unsigned long>(lost));
    cr_assert_eq(got.numbers.size() + lost, 40000u);
    cr_assert_eq(got.out_of_order(), 0u);
    cr_assert_leq(got.trains, 1000 + lost, "a loss cuts a train in two, no more");
}

Test(impaired_link, total_loss_ends) {
    Rig rig("loss=1");
    Got got;
    for (int i = 0; i < 100; ++i)
        rig.inner.arrive(10);
    while (rig.count(Counter::impair_lost) < 1000)
        drain(rig.link, got);
    cr_assert(got.numbers.empty());
}

Test(impaired_link, held_packets_come_out_later_and_once) {
    Rig rig("reorder=0.05,seed=11");
    Got got;
    for (int i = 0; i < 200; ++i) {
        rig.inner.arrive(20);
        drain(rig.link, got);
        fake_now += 10us;
    }
    drain_to_the_end(rig.link, got);
    cr_assert_eq(got.numbers.size(), 4000u);
    cr_assert_eq(got.tally().size(), 4000u);
    const uint64_t held = rig.count(Counter::impair_reordered);
    cr_assert(held > 100 && held < 300);
    cr_assert_gt(got.out_of_order(), held / 2, "most of them arrive after later ones");
}

Test(impaired_link, a_last_packet_comes_out_within_a_millisecond) {
    Rig rig("reorder=1");
    Got got;
    rig.inner.arrive(1);
    drain(rig.link, got);
    cr_assert(got.numbers.empty());
    cr_assert(rig.link.next_release() > fake_now && rig.link.wait_hint() <= 1ms);
    drain_to_the_end(rig.link, got);
    cr_assert_eq(got.numbers.size(), 1u);
}

Test(impaired_link, duplicates_come_twice) {
    Rig rig("dup=0.02,seed=5");
    Got got;
    for (int i = 0; i < 500; ++i) {
        rig.inner.arrive(10);
        drain(rig.link, got, 1);
        fake_now += 100us;
    }
    drain_to_the_end(rig.link, got);
    const auto tally = got.tally();
    cr_assert_eq(tally.size(), 5000u);
    const auto twice = static_cast<uint64_t>(
        std::count_if(tally.begin(), tally.end(), [](auto& t) { return t.second == 2; }));
    cr_assert_eq(twice, rig.count(Counter::impair_duplicated));
    cr_assert(twice > 50 && twice < 160);
}

Test(impaired_link, corruption_is_found_and_counted) {
    Rig rig("corrupt=0.1,seed=9");
    Got got;
    for (int i = 0; i < 100; ++i) {
        rig.inner.arrive(10);
        drain(rig.link, got);
    }
    const uint64_t found = rig.count(Counter::impair_corrupted);
    cr_assert(found > 50 && found < 160);
    cr_assert_eq(got.numbers.size() + found, 1000u);
}

Test(impaired_link, delay_keeps_order_and_trains) {
    Rig rig("delay_us=50");
    Got got;
    rig.inner.arrive(5);
    drain(rig.link, got);
    cr_assert(got.numbers.empty() && rig.link.wait_hint() == 50us);
    fake_now += 20us;
    rig.inner.arrive(5);
    drain(rig.link, got);
    fake_now += 29us;
    drain(rig.link, got);
    cr_assert(got.numbers.empty());
    fake_now += 1us;
    drain(rig.link, got);
    cr_assert_eq(got.numbers.size(), 5u);
    cr_assert_eq(got.trains, 1u);
    cr_assert(rig.link.wait_hint() == 20us);
    drain_to_the_end(rig.link, got);
    cr_assert_eq(got.numbers.size(), 10u);
    cr_assert_eq(got.out_of_order(), 0u);
}

Test(impaired_link, the_same_seed_does_the_same) {
    std::vector<uint32_t> first;
    for (int round = 0; round < 2; ++round) {
        fake_now = Instant(1s);
        Rig rig("loss=0.05,dup=0.05,reorder=0.05,corrupt=0.05,delay_us=30,seed=42");
        Got got;
        for (int i = 0; i < 100; ++i) {
            rig.inner.arrive(10);
            drain(rig.link, got);
            fake_now += 7us;
        }
        drain_to_the_end(rig.link, got);
        if (round == 0) first = got.numbers;
        cr_assert(got.numbers == first);
        cr_assert_gt(got.numbers.size(), 500u);
    }
}

Test(impaired_link, a_closed_port_takes_its_packets_with_it) {
    for (const char* text : {"reorder=1", "delay_us=50"}) {
        Rig rig(text);
        Got got;
        rig.inner.arrive(3, 1);
        rig.inner.arrive(2, 2);
        drain(rig.link, got);
        cr_assert(got.numbers.empty());
        rig.link.close_port(1);
        // An empty place may still have its time; nothing comes of it.
        fake_now += 10ms;
        drain(rig.link, got);
        cr_assert_eq(got.numbers.size(), 2u);
        cr_assert(rig.link.next_release() == kNever);
    }
}

Test(impaired_link, what_is_held_is_bounded) {
    Rig rig("delay_us=1000000");
    Got got;
    for (int i = 0; i < 6000; ++i) {
        rig.inner.arrive(2);
        drain(rig.link, got);
    }
    cr_assert_eq(rig.count(Counter::impair_lost), 2u * (6000 - 4096));
    drain_to_the_end(rig.link, got);
    cr_assert_eq(got.numbers.size(), 2u * 4096);
}
