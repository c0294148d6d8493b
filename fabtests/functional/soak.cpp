// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
//   soak SECONDS        random checked traffic between four endpoints under FI_RILL_IMPAIR (if that is not set, a
//                       value of its own), over UDP; messages of all sizes, expected and not, RMA writes and
//                       reads, peers that come and go. Memory must be flat: from the first quarter of the time to
//                       its end, what the process has in memory may grow by 2 MiB.
//
// Prints a line every ten seconds. Status 1: something was wrong.
#include "attacker.hpp"
#include "remote_cases.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>

using namespace functional;

namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t kSides = 4;
constexpr size_t kGrowthMax_kb = 2048;

struct Exchange {
    size_t from, to;
    uint64_t tag;
    uint32_t seed;
    Bytes out, in;
    Op ops[2];
};

size_t any_size(std::mt19937_64& random) {
    const size_t top = size_t{1} << random() % 19;
    return random() % 5 == 0 ? random() % 3 : random() % top;
}

// Several at once, posted in any order: some of them arrive before they are expected.
void messages(Group& group, std::mt19937_64& random) {
    static uint64_t tags = 0;
    std::vector<Exchange> list(1 + random() % 12);
    std::vector<std::pair<size_t, bool>> steps;
    for (size_t i = 0; i < list.size(); ++i) {
        Exchange& e = list[i];
        e.from = random() % kSides;
        e.to = (e.from + 1 + random() % (kSides - 1)) % kSides;
        e.tag = ++tags;
        e.seed = static_cast<uint32_t>(random());
        e.out.resize(any_size(random));
        e.in.resize(e.out.size());
        fill(e.out, e.seed);
        steps.insert(steps.end(), {{i, true}, {i, false}});
    }
    std::shuffle(steps.begin(), steps.end(), random);
    for (const auto& [i, sends] : steps) {
        Exchange& e = list[i];
        const fi_addr_t to = group.address(e.from, e.to);
        group.post([&, sends = sends] {
            return sends ? send(group[e.from], transfer(Kind::tagged, e.out, to, &e.ops[0], e.tag))
                         : receive(group[e.to],
                                   transfer(Kind::tagged, e.in, FI_ADDR_UNSPEC, &e.ops[1], e.tag));
        });
    }
    for (const Exchange& e : list) {
        group.sent(e.from);
        group.received(e.to);
    }
    for (const Exchange& e : list) {
        check_filled(e.in.data(), e.in.size(), e.seed);
    }
}

void remote(Group& group, const Target& target, Bytes& memory, std::mt19937_64& random) {
    const size_t bytes = 1 + random() % memory.size();
    Bytes local(bytes);
    Op op;
    const auto seed = static_cast<uint32_t>(random());
    fill(local, seed);
    group.post([&] {
        return fi_write(group[0].ep.get(), local.data(), bytes, nullptr, group.address(0, 1),
                        target.address, target.key, &op);
    });
    group.sent(0);
    Bytes back(bytes);
    group.post([&] {
        return fi_read(group[0].ep.get(), back.data(), bytes, nullptr, group.address(0, 1),
                       target.address, target.key, &op);
    });
    group.sent(0);
    check_filled(back.data(), bytes, seed);
}

// One who is there for a message, and takes leave.
void visitor(Group& group, const Config& config) {
    Side guest(config);
    const fi_addr_t host = guest.insert(group[0].name());
    Bytes out(5000), in(5000);
    Op ops[2];
    fill(out, 1);
    group.post([&] {
        return receive(group[0], transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[0], 1 << 30));
    });
    guest.post([&] { return send(guest, transfer(Kind::tagged, out, host, &ops[1], 1 << 30)); });
    group.until("a visitor's message", [&] {
        guest.poll();
        return !guest.tx.empty() && !group[0].rx.empty();
    });
    check_eq(guest.tx.take().err, 0, "the visitor's send");
    group.received(0);
    check_filled(in.data(), in.size(), 1);
}

void soak(double seconds) {
    setenv("FI_RILL_SHM", "0", 1);
    setenv("FI_RILL_IMPAIR", "loss=0.01,dup=0.01,reorder=0.05,corrupt=0.005,seed=5", 0);
    Config config;
    config.caps = FI_MSG | FI_TAGGED | FI_RMA;
    Group group(kSides, config);
    Bytes memory(100000);
    const Target target(group[1], memory.data(), memory.size());
    std::mt19937_64 random(5);
    const auto begun = Clock::now();
    const auto elapsed = [&] {
        return std::chrono::duration<double>(Clock::now() - begun).count();
    };
    size_t settled_kb = 0;
    double said = 0;
    uint64_t rounds = 0;
    for (; elapsed() < seconds; ++rounds) {
        messages(group, random);
        if (rounds % 16 == 0) {
            remote(group, target, memory, random);
        }
        if (rounds % 256 == 0) {
            visitor(group, config);
        }
        if (!settled_kb && elapsed() > seconds / 4) {
            settled_kb = resident_kb();
        }
        if (elapsed() - said >= 10) {
            said = elapsed();
            printf("%6.0f s  %8lu rounds  %10lu packets  %7lu lost  %7zu KiB\n", said, rounds,
                   counter(group[0], "tx_packets"), counter(group[0], "impair_lost"),
                   resident_kb());
            fflush(stdout);
        }
    }
    const size_t end_kb = resident_kb();
    printf("%lu rounds; %zu KiB after a quarter of the time, %zu KiB at its end\n", rounds,
           settled_kb, end_kb);
    check(rounds > 0 && settled_kb > 0, "it was long enough");
    check(end_kb <= settled_kb + kGrowthMax_kb, "memory is flat");
}

} // namespace

int main(int argc, char** argv) {
    const double seconds = argc == 2 ? atof(argv[1]) : 0;
    if (seconds <= 0) {
        fprintf(stderr, "usage: soak SECONDS\n");
        return 2;
    }
    try {
        soak(seconds);
    } catch (const std::exception& e) {
        printf("failed: %s\n", e.what());
        return 1;
    }
    return 0;
}
