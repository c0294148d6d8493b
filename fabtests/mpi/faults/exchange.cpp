// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// rill_fault_exchange: start two processes, exchange messages, exit; many times over. Normal exits
// must never look like failures, whatever packets are lost: the sides do not wait for each other,
// each leaves as soon as its own operations are complete.

#include "processes.hpp"

#include <rdma/fi_errno.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <list>

namespace faults {
namespace {

constexpr size_t sizes[] = {0, 8, 64, 700, 5000, 40000, 300000};
constexpr size_t several = std::size(sizes);
constexpr std::chrono::seconds run_time_max{60}; // beyond, a run hangs

struct Transfer {
    Operation operation{};
    std::vector<std::byte> data;
};

uint64_t content(int run, int from, size_t number) {
    return static_cast<uint64_t>(run) * 1000 + static_cast<uint64_t>(from) * 100 + number;
}

void demand(int code, const std::string& what) {
    if (code != 0) die("%s: %s", what.c_str(), fi_strerror(-code));
}

// Each run leaves in one of several ways.
enum class Leaving { after_all, injected_last, first_silent, ways };

int side(int run, int me, const Wire& wire) {
    auto leaving = static_cast<Leaving>(run % static_cast<int>(Leaving::ways));
    // In `first_silent` one side only receives, so that its acknowledgements are all it sends.
    bool sends = leaving != Leaving::first_silent || me == 1;
    bool receives = leaving != Leaving::first_silent || me == 0;
    auto deadline = Clock::now() + run_time_max;

    Endpoint endpoint;
    wire.send(endpoint.address());
    fi_addr_t peer = endpoint.add(wire.receive());

    std::list<Transfer> in, out;
    for (size_t number = 0; receives && number < several; ++number) {
        Transfer& one = in.emplace_back();
        one.operation.name = "receive of " + std::to_string(sizes[number]) + " B";
        one.data.resize(sizes[number]);
        demand(endpoint.receive(one.operation, one.data, peer, number), one.operation.name);
    }
    for (size_t number = 0; sends && number < several; ++number) {
        Transfer& one = out.emplace_back();
        one.operation.name = "send of " + std::to_string(sizes[number]) + " B";
        one.data.resize(sizes[number]);
        fill(one.data, content(run, me, number));
        demand(endpoint.send(one.operation, one.data, peer, number), one.operation.name);
    }
    Transfer last; // sent by inject, which closing must flush
    uint64_t word = content(run, me, 99);
    if (leaving == Leaving::injected_last) {
        last.operation.name = "receive of what was injected last";
        last.data.resize(sizeof word);
        demand(endpoint.receive(last.operation, last.data, peer, 99), last.operation.name);
    }

    auto expect = [&](Transfer& one) {
        if (!endpoint.wait(one.operation, deadline))
            die("run %d, side %d: %s is not complete", run, me, one.operation.name.c_str());
        const Completion* completion = endpoint.done(one.operation);
        if (completion->error)
            die("run %d, side %d: %s failed: %s (%d)", run, me, one.operation.name.c_str(),
                fi_strerror(completion->error), completion->provider_error);
    };
    for (Transfer& one : out)
        expect(one);
    size_t number = 0;
    for (Transfer& one : in) {
        expect(one);
        if (!holds(one.data, content(run, 1 - me, number++)))
            die("run %d, side %d: %s brought wrong data", run, me, one.operation.name.c_str());
    }
    if (leaving == Leaving::injected_last) {
        // One side after the other, or a side that has left could not take the other's last word.
        if (me == 1) {
            expect(last);
        } else {
            demand(endpoint.cancel(last.operation), "cancel");
            if (!endpoint.wait(last.operation, deadline))
                die("run %d, side %d: a cancelled receive is not complete", run, me);
            demand(endpoint.inject({reinterpret_cast<std::byte*>(&word), sizeof word}, peer, 99),
                   "inject");
        }
    }
    endpoint.close();
    return 0;
}

bool one_run(int run) {
    Processes processes({[run](const std::vector<Wire>& wires) { return side(run, 0, wires[1]); },
                         [run](const std::vector<Wire>& wires) { return side(run, 1, wires[0]); }});
    auto deadline = Clock::now() + run_time_max + std::chrono::seconds(10);
    bool good = true;
    for (size_t index : {size_t{0}, size_t{1}}) {
        std::string end = describe_end(processes.wait(index, deadline));
        if (end.empty()) continue;
        fprintf(stderr, "run %d, side %zu: %s\n", run, index, end.c_str());
        good = false;
    }
    return good;
}

} // namespace
} // namespace faults

int main(int argc, char** argv) {
    int count = 1000, first = 0;
    for (int i = 1; i < argc; i += 2) {
        int* number = strcmp(argv[i], "--count") == 0   ? &count
                      : strcmp(argv[i], "--first") == 0 ? &first
                                                        : nullptr;
        const char* text = number && i + 1 < argc ? argv[i + 1] : "";
        auto [stop, error] =
            std::from_chars(text, text + strlen(text), *(number ? number : &count));
        if (!number || error != std::errc() || *stop != '\0') {
            fprintf(stderr,
                    "rill_fault_exchange: not understood: %s %s\n"
                    "usage: rill_fault_exchange [--count RUNS] [--first RUN]\n",
                    argv[i], text);
            return 2;
        }
    }
    int failed = 0;
    auto start = faults::Clock::now();
    for (int run = first; run < first + count; ++run) {
        failed += !faults::one_run(run);
        if ((run - first + 1) % 100 == 0) {
            printf("%d runs, %d failed\n", run - first + 1, failed);
            fflush(stdout);
        }
    }
    std::chrono::duration<double> taken = faults::Clock::now() - start;
    if (failed)
        printf("FAIL exits: %d of %d runs failed (replay one with --first RUN --count 1)\n", failed,
               count);
    else
        printf("ok exits (%d runs, %.1f s)\n", count, taken.count());
    return failed ? 1 : 0;
}
