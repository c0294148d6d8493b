// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// A process for tools.sh to look at: two endpoints that have exchanged messages, receives that are
// posted, a memory region.
//
//   observed idle|busy      prints "ready", then does nothing (sends on and on) until standard input
//                           ends
#include "harness.hpp"

#include <cstdio>
#include <cstring>

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

} // namespace

int main(int argc, char** argv) {
    if (argc != 2 || (strcmp(argv[1], "idle") != 0 && strcmp(argv[1], "busy") != 0)) {
        fprintf(stderr, "usage: observed idle|busy\n");
        return 2;
    }
    try {
        be_looked_at(strcmp(argv[1], "busy") == 0);
    } catch (const std::exception& failure) {
        fprintf(stderr, "observed: %s\n", failure.what());
        return 1;
    }
    return 0;
}
