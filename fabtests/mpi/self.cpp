// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// A rank's messages to itself.

#include "check.hpp"

namespace rill_mpi {
namespace {

constexpr size_t sizes[] = {0, 1, 64, 4000, 70000, 2000000};

void posted_first(Check& check, MPI_Comm comm, int me, size_t bytes) {
    check.step("receive, then send to self");
    Bytes out(bytes), in(bytes);
    fill(out, stream_of(check.seed, check.rank, bytes));
    MPI_Request requests[2];
    MPI_Irecv(in.data(), static_cast<int>(bytes), MPI_BYTE, me, 2, comm, &requests[0]);
    MPI_Isend(out.data(), static_cast<int>(bytes), MPI_BYTE, me, 2, comm, &requests[1]);
    MPI_Status statuses[2];
    MPI_Waitall(2, requests, statuses);
    check.expect_status(statuses[0], me, 2, bytes, "receive, then send to self");
    check.expect_data(in, stream_of(check.seed, check.rank, bytes), "receive, then send to self");
}

void sent_first(Check& check, MPI_Comm comm, int me, size_t bytes) {
    check.step("send to self, then probe and receive");
    Bytes out(bytes), in(bytes);
    fill(out, stream_of(check.seed, check.rank, bytes, 1));
    MPI_Request send = MPI_REQUEST_NULL;
    MPI_Issend(out.data(), static_cast<int>(bytes), MPI_BYTE, me, 3, comm, &send);
    int done = 1;
    MPI_Test(&send, &done, MPI_STATUS_IGNORE);
    check.expect(!done, "a synchronous send to self completed before its receive");
    MPI_Status status;
    MPI_Probe(MPI_ANY_SOURCE, MPI_ANY_TAG, comm, &status);
    check.expect_status(status, me, 3, bytes, "probe of self");
    MPI_Recv(in.data(), static_cast<int>(bytes), MPI_BYTE, me, 3, comm, &status);
    MPI_Wait(&send, MPI_STATUS_IGNORE);
    check.expect_data(in, stream_of(check.seed, check.rank, bytes, 1), "send to self");
}

void many(Check& check, MPI_Comm comm, int me) {
    check.step("many sends to self");
    constexpr size_t several = 500;
    std::vector<uint64_t> out(several), in(several);
    std::vector<MPI_Request> requests(2 * several);
    for (size_t i = 0; i < several; ++i) {
        out[i] = stream_of(check.seed, check.rank, i, 2);
        MPI_Isend(&out[i], 8, MPI_BYTE, me, 4, comm, &requests[i]);
    }
    for (size_t i = 0; i < several; ++i)
        MPI_Irecv(&in[i], 8, MPI_BYTE, me, 4, comm, &requests[several + i]);
    MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE);
    check.expect(in == out, "many sends to self out of order");
}

} // namespace

void check_self(Check& check) {
    MPI_Comm alone = MPI_COMM_NULL;
    MPI_Comm_split(check.comm, check.rank, 0, &alone);
    for (int i = 0; i < 5; ++i)
        for (size_t bytes : sizes) {
            posted_first(check, check.comm, check.rank, bytes);
            sent_first(check, check.comm, check.rank, bytes);
            posted_first(check, alone, 0, bytes);
            sent_first(check, alone, 0, bytes);
        }
    many(check, check.comm, check.rank);
    many(check, alone, 0);
    MPI_Comm_free(&alone);
}

} // namespace rill_mpi
