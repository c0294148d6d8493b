// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// A process for tools.sh to look at: two endpoints that have exchanged messages, receives that are
// posted, a memory region.
//
//   observed idle|busy      prints "ready", then does nothing (sends on and on) until standard input
//                           ends
//   observed reset          prints "ready" and sends until its first device is reset, sees that all
//                           that was under way there has failed and that everything can be used
//                           again, prints "works", and waits until standard input ends
#include "harness.hpp"

#include <cstdio>
#include <cstring>
#include <set>

#include <poll.h>
#include <unistd.h>

using namespace functional;

namespace {

constexpr size_t kSize = 20000;
constexpr uint64_t kKey = 0x7171;

void exchange_one(Pair& pair, uint64_t tag) {
    Bytes out(kSize), in(kSize);
    Op ops[2];
    pair.post([&] {
        return receive(pair.b(), transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[0], tag));
    });
    pair.post(
        [&] { return send(pair.a(), transfer(Kind::tagged, out, pair.to_b(), &ops[1], tag)); });
    pair.received(1);
    pair.sent(0);
}

bool input_ended() {
    pollfd on = {STDIN_FILENO, POLLIN, 0};
    char byte;
    return poll(&on, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

void be_looked_at(bool busy) {
    Config config;
    config.caps |= FI_RMA;
    Pair pair(config);
    for (uint64_t tag = 0; tag < 10; ++tag)
        exchange_one(pair, tag);
    Bytes memory(4096), waiting(100);
    fid_mr* region = nullptr;
    check_ok(fi_mr_reg(pair.a().domain.get(), memory.data(), memory.size(),
                       FI_REMOTE_READ | FI_REMOTE_WRITE, 0, kKey, 0, &region, nullptr),
             "fi_mr_reg");
    Mr owned(region);
    Op ops[3];
    for (Op& op : ops)
        pair.post([&] {
            return receive(pair.a(), transfer(Kind::tagged, waiting, FI_ADDR_UNSPEC, &op, 99));
        });
    printf("ready\n");
    fflush(stdout);
    char byte;
    if (!busy)
        while (read(STDIN_FILENO, &byte, 1) > 0)
            ;
    for (uint64_t tag = 100; busy && !input_ended(); ++tag)
        exchange_one(pair, tag);
}

// What was posted, until it has ended in one way or the other.
struct Posted {
    std::set<void*> open, failed;

    void collect(Cq& queue) {
        while (!queue.empty()) {
            const Completion c = queue.take();
            check(open.erase(c.context) == 1, "a completion of what was posted");
            if (c.err) failed.insert(c.context);
        }
    }
    void collect(Pair& pair) {
        pair.poll();
        for (Cq* queue : {&pair.a().tx, &pair.a().rx, &pair.b().tx, &pair.b().rx})
            collect(*queue);
    }
};

void be_reset() {
    Pair pair;
    exchange_one(pair, 0);
    Bytes large(1 << 20), out(kSize), in(kSize), waiting[3];
    Op unmatched[3], unreceived, sent, received;
    Posted posted;
    for (int i = 0; i < 3; ++i) {
        waiting[i].resize(100);
        pair.post([&] {
            return receive(pair.a(),
                           transfer(Kind::tagged, waiting[i], FI_ADDR_UNSPEC, &unmatched[i], 99));
        });
        posted.open.insert(&unmatched[i]);
    }
    pair.post([&] {
        return send(pair.a(), transfer(Kind::tagged, large, pair.to_b(), &unreceived, 98));
    });
    posted.open.insert(&unreceived);
    printf("ready\n");
    fflush(stdout);
    while (posted.failed.empty() && !input_ended()) {
        posted.open.insert({&sent, &received});
        pair.post([&] {
            return receive(pair.b(), transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &received, 100));
        });
        pair.post(
            [&] { return send(pair.a(), transfer(Kind::tagged, out, pair.to_b(), &sent, 100)); });
        while (posted.failed.empty() &&
               (posted.open.count(&sent) || posted.open.count(&received)) && !input_ended())
            posted.collect(pair);
    }
    // Whose message was lost waits for another.
    if (posted.open.count(&received)) fi_cancel(&pair.b().ep.get()->fid, &received);
    while (!posted.open.empty() && !input_ended())
        posted.collect(pair);
    for (Op& op : unmatched)
        check(posted.failed.count(&op), "a posted receive fails");
    check(posted.failed.count(&unreceived), "a send under way fails");
    for (uint64_t tag = 200; tag < 210; ++tag)
        exchange_one(pair, tag);
    printf("works\n");
    fflush(stdout);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
}

} // namespace

int main(int argc, char** argv) {
    const std::set<std::string> modes = {"idle", "busy", "reset"};
    if (argc != 2 || !modes.count(argv[1])) {
        fprintf(stderr, "usage: observed idle|busy|reset\n");
        return 2;
    }
    try {
        if (strcmp(argv[1], "reset") == 0)
            be_reset();
        else
            be_looked_at(strcmp(argv[1], "busy") == 0);
    } catch (const std::exception& failure) {
        fprintf(stderr, "observed: %s\n", failure.what());
        return 1;
    }
    return 0;
}
