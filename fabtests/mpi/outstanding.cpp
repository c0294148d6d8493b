// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Thousands of operations under way at once, of mixed sizes, completed in random order.

#include "check.hpp"

#include <algorithm>

namespace rill_mpi {
namespace {

constexpr int operations = 6000; // of each kind and rank
constexpr int rounds = 2;

// Mostly small, as programs do; now and then beyond any eager limit.
size_t bytes_of(uint64_t stream) {
    uint64_t kind = stream % 100;
    if (kind < 70) return stream / 100 % 257;
    if (kind < 95) return stream / 100 % 9000;
    return stream / 100 % (kind < 99 ? 80000 : 400000);
}

class Storm {
public:
    Storm(Check& check_, int round_)
        : check(check_), round(round_), random(stream_of(check_.seed, round_, check_.rank, 5)) {}

    void run() {
        layout();
        check.step("posting");
        post();
        check.step("completing");
        complete();
        check.step("verifying");
        for (const Operation& one : all)
            if (one.receives) check.expect_data(buffer(one), one.content, "outstanding receive");
        MPI_Barrier(check.comm);
    }

private:
    struct Operation {
        bool receives;
        int peer, tag;
        uint64_t content;
        size_t offset, bytes;
    };

    std::span<std::byte> buffer(const Operation& one) { return {&memory[one.offset], one.bytes}; }

    void add(bool receives, int from, int to, int tag) {
        uint64_t content = stream_of(check.seed, round, from, to, tag);
        all.push_back({receives, receives ? from : to, tag, content, total, bytes_of(content)});
        total += all.back().bytes;
    }

    void layout() {
        int each = operations / check.size;
        for (int peer = 0; peer < check.size; ++peer)
            for (int tag = 0; tag < each; ++tag) {
                add(true, peer, check.rank, tag);
                add(false, check.rank, peer, tag);
            }
        memory.resize(total + 1);
        // Sends and receives in no order at all: some arrive before their receive, some after.
        std::shuffle(all.begin(), all.end(), random);
    }

    void post() {
        requests.resize(all.size());
        for (size_t i = 0; i < all.size(); ++i) {
            Operation& one = all[i];
            int bytes = static_cast<int>(one.bytes);
            if (one.receives) {
                MPI_Irecv(buffer(one).data(), bytes, MPI_BYTE, one.peer, one.tag, check.comm,
                          &requests[i]);
            } else {
                fill(buffer(one), one.content);
                MPI_Isend(buffer(one).data(), bytes, MPI_BYTE, one.peer, one.tag, check.comm,
                          &requests[i]);
            }
        }
    }

    void complete() {
        std::vector<int> done(requests.size());
        size_t left = requests.size();
        while (left > 0) {
            int count = 0;
            size_t first = random.below(requests.size());
            size_t length = std::min(requests.size() - first, size_t{64});
            auto part = static_cast<int>(length);
            switch (random.below(4)) {
            case 0: // one chosen blindly
                count = requests[first] != MPI_REQUEST_NULL;
                MPI_Wait(&requests[first], MPI_STATUS_IGNORE);
                break;
            case 1:
                MPI_Testsome(part, &requests[first], &count, done.data(), MPI_STATUSES_IGNORE);
                break;
            case 2:
                MPI_Waitsome(part, &requests[first], &count, done.data(), MPI_STATUSES_IGNORE);
                break;
            default:
                MPI_Waitany(part, &requests[first], done.data(), MPI_STATUS_IGNORE);
                count = done[0] != MPI_UNDEFINED;
            }
            left -= count == MPI_UNDEFINED ? 0 : static_cast<size_t>(count);
        }
    }

    Check& check;
    int round;
    Random random;
    std::vector<Operation> all;
    std::vector<MPI_Request> requests;
    Bytes memory;
    size_t total = 0;
};

} // namespace

void check_outstanding(Check& check) {
    for (int round = 0; round < rounds; ++round)
        Storm(check, round).run();
}

} // namespace rill_mpi
