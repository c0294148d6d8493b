// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Requests that are made once and started again and again.

#include "check.hpp"

namespace rill_mpi {
namespace {

constexpr int rounds = 100;
constexpr size_t sizes[] = {0, 8, 1000, 30000, 500000};
constexpr size_t several = std::size(sizes);

struct Exchange {
    explicit Exchange(Check& check) {
        int right = (check.rank + 1) % check.size;
        int left = (check.rank + check.size - 1) % check.size;
        for (size_t i = 0; i < several; ++i) {
            out[i].resize(sizes[i]);
            in[i].resize(sizes[i]);
            auto bytes = static_cast<int>(sizes[i]);
            auto tag = static_cast<int>(i);
            auto* make_send = i % 2 ? MPI_Ssend_init : MPI_Send_init;
            MPI_Recv_init(in[i].data(), bytes, MPI_BYTE, i % 2 ? left : MPI_ANY_SOURCE, tag,
                          check.comm, &requests[i]);
            make_send(out[i].data(), bytes, MPI_BYTE, right, tag, check.comm,
                      &requests[several + i]);
        }
    }
    ~Exchange() {
        for (MPI_Request& request : requests)
            MPI_Request_free(&request);
    }
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;

    Bytes out[several], in[several];
    MPI_Request requests[2 * several];
};

} // namespace

void check_persistent(Check& check) {
    check.step("persistent requests");
    int left = (check.rank + check.size - 1) % check.size;
    Exchange exchange(check);
    for (int round = 0; round < rounds; ++round) {
        for (size_t i = 0; i < several; ++i) {
            fill(exchange.out[i], stream_of(check.seed, check.rank, round, i));
            exchange.in[i].assign(sizes[i], std::byte{0});
        }
        if (round % 2) {
            MPI_Startall(2 * several, exchange.requests);
        } else {
            for (size_t i = 2 * several; i-- > 0;) // sends before receives
                MPI_Start(&exchange.requests[i]);
        }
        MPI_Waitall(2 * several, exchange.requests, MPI_STATUSES_IGNORE);
        for (size_t i = 0; i < several; ++i)
            check.expect_data(exchange.in[i], stream_of(check.seed, left, round, i),
                              "round " + std::to_string(round));
    }
    // Inactive: complete at once, with nothing received.
    MPI_Status status;
    MPI_Wait(&exchange.requests[1], &status);
    int count = -1;
    MPI_Get_count(&status, MPI_BYTE, &count);
    check.expect(count == 0 && status.MPI_SOURCE == MPI_ANY_SOURCE, "inactive request");

    check.step("persistent receive withdrawn");
    MPI_Barrier(check.comm);
    MPI_Start(&exchange.requests[1]);
    MPI_Cancel(&exchange.requests[1]);
    MPI_Wait(&exchange.requests[1], &status);
    int cancelled = 0;
    MPI_Test_cancelled(&status, &cancelled);
    check.expect(cancelled, "persistent receive was not cancelled");
    MPI_Barrier(check.comm);
}

} // namespace rill_mpi
