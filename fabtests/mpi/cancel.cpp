// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Receives that are withdrawn.

#include "check.hpp"

#include <algorithm>

namespace rill_mpi {
namespace {

constexpr int receives = 200;
constexpr size_t bytes = 2000;
constexpr std::byte untouched{0x3c};

bool withdraw(MPI_Request& request) {
    int cancelled = 0;
    MPI_Status status;
    MPI_Cancel(&request);
    MPI_Wait(&request, &status);
    MPI_Test_cancelled(&status, &cancelled);
    return cancelled != 0;
}

// Every third of many equal receives is withdrawn; the messages go to the others, in order.
void some_of_many(Check& check) {
    check.step("some of many equal receives");
    int right = (check.rank + 1) % check.size, left = (check.rank + check.size - 1) % check.size;
    std::vector<Bytes> in(receives, Bytes(bytes, untouched));
    std::vector<MPI_Request> requests(receives);
    for (size_t i = 0; i < receives; ++i)
        MPI_Irecv(in[i].data(), bytes, MPI_BYTE, i % 2 ? left : MPI_ANY_SOURCE, 1, check.comm,
                  &requests[i]);
    for (size_t i = 0; i < receives; i += 3)
        check.expect(withdraw(requests[i]), "receive %zu, never matched, was not cancelled", i);
    MPI_Barrier(check.comm);

    Bytes out(bytes);
    int sent = 0;
    for (int i = 0; i < receives; ++i) {
        if (i % 3 == 0) continue;
        fill(out, stream_of(check.seed, check.rank, sent++));
        MPI_Send(out.data(), bytes, MPI_BYTE, right, 1, check.comm);
    }
    MPI_Waitall(receives, requests.data(), MPI_STATUSES_IGNORE);
    int got = 0;
    for (size_t i = 0; i < receives; ++i) {
        if (i % 3 == 0)
            check.expect(std::ranges::all_of(in[i], [](std::byte b) { return b == untouched; }),
                         "a cancelled receive's buffer was written");
        else
            check.expect_data(in[i], stream_of(check.seed, left, got++), "receive that stayed");
    }
    MPI_Barrier(check.comm);
}

// The envelope of a cancelled receive is free for a later one.
void posted_again(Check& check) {
    check.step("receive posted again");
    int right = (check.rank + 1) % check.size, left = (check.rank + check.size - 1) % check.size;
    for (int i = 0; i < 50; ++i) {
        uint64_t in = 0, out = stream_of(check.seed, check.rank, i, 1);
        MPI_Request request = MPI_REQUEST_NULL;
        MPI_Irecv(&in, 8, MPI_BYTE, left, 2, check.comm, &request);
        check.expect(withdraw(request), "receive %d was not cancelled", i);
        MPI_Irecv(&in, 8, MPI_BYTE, left, 2, check.comm, &request);
        MPI_Barrier(check.comm);
        MPI_Send(&out, 8, MPI_BYTE, right, 2, check.comm);
        MPI_Wait(&request, MPI_STATUS_IGNORE);
        check.expect(in == stream_of(check.seed, left, i, 1), "message %d after a cancel", i);
    }
}

// Cancel while the message is on its way: either the receive has it, or it is still to be had.
void raced(Check& check) {
    check.step("cancel against an arriving message");
    int right = (check.rank + 1) % check.size, left = (check.rank + check.size - 1) % check.size;
    for (int i = 0; i < 200; ++i) {
        uint64_t in = 0, out = stream_of(check.seed, check.rank, i, 2);
        MPI_Request receive = MPI_REQUEST_NULL, send = MPI_REQUEST_NULL;
        MPI_Irecv(&in, 8, MPI_BYTE, left, 3, check.comm, &receive);
        MPI_Isend(&out, 8, MPI_BYTE, right, 3, check.comm, &send);
        if (withdraw(receive)) MPI_Recv(&in, 8, MPI_BYTE, left, 3, check.comm, MPI_STATUS_IGNORE);
        check.expect(in == stream_of(check.seed, left, i, 2), "message %d lost by a cancel", i);
        MPI_Wait(&send, MPI_STATUS_IGNORE);
    }
}

} // namespace

void check_cancel(Check& check) {
    some_of_many(check);
    posted_again(check);
    raced(check);
}

} // namespace rill_mpi
