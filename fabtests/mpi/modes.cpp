// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Synchronous, buffered and ready sends.

#include "check.hpp"

namespace rill_mpi {
namespace {

constexpr int data_tag = 1, go_tag = 2, ready_tag = 3;
constexpr size_t sizes[] = {0, 8, 3000, 70000, 1500000};

// Round the ring. A rank receives only after its left neighbour has looked many times whether its
// synchronous send was complete: order by messages, not by time.
void synchronous(Check& check, size_t bytes) {
    check.step("synchronous send of %zu B", bytes);
    int right = (check.rank + 1) % check.size, left = (check.rank + check.size - 1) % check.size;
    Bytes out(bytes), in(bytes);
    fill(out, stream_of(check.seed, check.rank, bytes));
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Issend(out.data(), static_cast<int>(bytes), MPI_BYTE, right, data_tag, check.comm,
               &request);
    for (int look = 0; look < 1000; ++look) {
        int done = 0;
        MPI_Test(&request, &done, MPI_STATUS_IGNORE);
        check.expect(!done, "%zu B: complete before it was received", bytes);
    }
    MPI_Request go = MPI_REQUEST_NULL;
    MPI_Isend(nullptr, 0, MPI_BYTE, right, go_tag, check.comm, &go);
    MPI_Recv(nullptr, 0, MPI_BYTE, left, go_tag, check.comm, MPI_STATUS_IGNORE);
    MPI_Recv(in.data(), static_cast<int>(bytes), MPI_BYTE, left, data_tag, check.comm,
             MPI_STATUS_IGNORE);
    check.expect_data(in, stream_of(check.seed, left, bytes), "synchronous send");
    MPI_Wait(&go, MPI_STATUS_IGNORE);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
}

void many_synchronous(Check& check) {
    check.step("many blocking synchronous sends");
    constexpr int several = 300;
    for (int i = 0; i < several; ++i) {
        int value = i;
        int peer = check.rank ^ 1;
        if (peer >= check.size) break;
        if ((check.rank + i) % 2 == 0) {
            MPI_Ssend(&value, 1, MPI_INT, peer, data_tag, check.comm);
        } else {
            value = -1;
            MPI_Recv(&value, 1, MPI_INT, peer, data_tag, check.comm, MPI_STATUS_IGNORE);
            check.expect(value == i, "synchronous send %d brought %d", i, value);
        }
    }
    MPI_Barrier(check.comm);
}

// All the sends return before any receive is posted.
void buffered(Check& check) {
    check.step("buffered send");
    constexpr int several = 50;
    constexpr int bytes = 20000;
    int right = (check.rank + 1) % check.size, left = (check.rank + check.size - 1) % check.size;
    Bytes space(several * (bytes + MPI_BSEND_OVERHEAD + 64));
    MPI_Buffer_attach(space.data(), static_cast<int>(space.size()));
    Bytes out(bytes), in(bytes);
    for (int i = 0; i < several; ++i) {
        fill(out, stream_of(check.seed, check.rank, i));
        MPI_Bsend(out.data(), bytes, MPI_BYTE, right, data_tag, check.comm);
    }
    MPI_Barrier(check.comm);
    for (int i = 0; i < several; ++i) {
        MPI_Recv(in.data(), bytes, MPI_BYTE, left, data_tag, check.comm, MPI_STATUS_IGNORE);
        check.expect_data(in, stream_of(check.seed, left, i), "buffered send");
    }
    void* detached = nullptr;
    int detached_bytes = 0;
    MPI_Buffer_detach(static_cast<void*>(&detached), &detached_bytes);
    MPI_Barrier(check.comm);
}

void ready(Check& check, size_t bytes) {
    check.step("ready send");
    int right = (check.rank + 1) % check.size, left = (check.rank + check.size - 1) % check.size;
    Bytes out(bytes), in(bytes);
    fill(out, stream_of(check.seed, check.rank, bytes, 1));
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Irecv(in.data(), static_cast<int>(bytes), MPI_BYTE, left, ready_tag, check.comm, &request);
    MPI_Barrier(check.comm);
    MPI_Rsend(out.data(), static_cast<int>(bytes), MPI_BYTE, right, ready_tag, check.comm);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    check.expect_data(in, stream_of(check.seed, left, bytes, 1), "ready send");
}

} // namespace

void check_modes(Check& check) {
    for (size_t bytes : sizes) {
        synchronous(check, bytes);
        ready(check, bytes);
    }
    many_synchronous(check);
    buffered(check);
}

} // namespace rill_mpi
