// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Looking before receiving.

#include "check.hpp"

namespace rill_mpi {
namespace {

constexpr size_t sizes[] = {0, 1, 64, 5000, 100000, 3000000};
constexpr int sizes_count = static_cast<int>(std::size(sizes));

enum class Way { probe, iprobe, mprobe, improbe };

uint64_t content_of(const Check& check, int from, int number) {
    return stream_of(check.seed, from, number, 23);
}

// Receives one message that is seen first; the message found tells how much room it needs.
void take(Check& check, Way way, int source, int tag, int from, int number) {
    MPI_Status status;
    MPI_Message message = MPI_MESSAGE_NULL;
    int found = 0;
    switch (way) {
    case Way::probe:
        check.step("MPI_Probe");
        MPI_Probe(source, tag, check.comm, &status);
        break;
    case Way::iprobe:
        check.step("MPI_Iprobe");
        while (!found)
            MPI_Iprobe(source, tag, check.comm, &found, &status);
        break;
    case Way::mprobe:
        check.step("MPI_Mprobe");
        MPI_Mprobe(source, tag, check.comm, &message, &status);
        break;
    case Way::improbe:
        check.step("MPI_Improbe");
        while (!found)
            MPI_Improbe(source, tag, check.comm, &found, &message, &status);
        break;
    }
    size_t bytes = sizes[number % sizes_count];
    check.expect_status(status, from, number, bytes, "probe");
    Bytes data(bytes);
    MPI_Status received;
    if (message != MPI_MESSAGE_NULL)
        MPI_Mrecv(data.data(), static_cast<int>(bytes), MPI_BYTE, &message, &received);
    else
        MPI_Recv(data.data(), static_cast<int>(bytes), MPI_BYTE, status.MPI_SOURCE, status.MPI_TAG,
                 check.comm, &received);
    check.expect_status(received, from, number, bytes, "receive after probe");
    check.expect_data(data, content_of(check, from, number), "receive after probe");
}

void one_way(Check& check, Way way, bool wild) {
    int right = (check.rank + 1) % check.size, left = (check.rank + check.size - 1) % check.size;
    std::vector<Bytes> data(sizes_count);
    std::vector<MPI_Request> requests(sizes_count);
    for (int number = 0; number < sizes_count; ++number) {
        auto i = static_cast<size_t>(number);
        data[i].resize(sizes[number]);
        fill(data[i], content_of(check, check.rank, number));
        MPI_Isend(data[i].data(), static_cast<int>(data[i].size()), MPI_BYTE, right, number,
                  check.comm, &requests[i]);
    }
    // Exact ones backwards, which leaves messages waiting behind.
    for (int i = 0; i < sizes_count; ++i) {
        int number = wild ? i : sizes_count - 1 - i;
        take(check, way, wild ? MPI_ANY_SOURCE : left, wild ? MPI_ANY_TAG : number, left, number);
    }
    MPI_Waitall(sizes_count, requests.data(), MPI_STATUSES_IGNORE);
    MPI_Barrier(check.comm);
}

void nothing_there(Check& check) {
    check.step("probe for what nobody sent");
    for (int i = 0; i < 100; ++i) {
        int found = 1;
        MPI_Iprobe(MPI_ANY_SOURCE, 77, check.comm, &found, MPI_STATUS_IGNORE);
        check.expect(!found, "iprobe found a message that nobody sent");
        MPI_Message message = MPI_MESSAGE_NULL;
        MPI_Improbe((check.rank + 1) % check.size, MPI_ANY_TAG, check.comm, &found, &message,
                    MPI_STATUS_IGNORE);
        check.expect(!found, "improbe found a message that nobody sent");
    }
    MPI_Barrier(check.comm);
}

// A message taken by mprobe is no longer there for others, and its data can wait.
void claimed(Check& check) {
    check.step("claimed message is out of the way");
    constexpr int tag = 4;
    constexpr size_t bytes[] = {200000, 16};
    int right = (check.rank + 1) % check.size, left = (check.rank + check.size - 1) % check.size;
    Bytes first(bytes[0]), second(bytes[1]);
    fill(first, content_of(check, check.rank, 0));
    fill(second, content_of(check, check.rank, 1));
    MPI_Request requests[2];
    MPI_Isend(first.data(), static_cast<int>(bytes[0]), MPI_BYTE, right, tag, check.comm,
              &requests[0]);
    MPI_Isend(second.data(), static_cast<int>(bytes[1]), MPI_BYTE, right, tag, check.comm,
              &requests[1]);

    MPI_Message message = MPI_MESSAGE_NULL;
    MPI_Status status;
    MPI_Mprobe(left, tag, check.comm, &message, &status);
    check.expect_status(status, left, tag, bytes[0], "first by mprobe");
    Bytes got_second(bytes[1]), got_first(bytes[0]);
    MPI_Recv(got_second.data(), static_cast<int>(bytes[1]), MPI_BYTE, left, tag, check.comm,
             &status);
    check.expect_status(status, left, tag, bytes[1], "second before the first");
    check.expect_data(got_second, content_of(check, left, 1), "second before the first");
    MPI_Request late = MPI_REQUEST_NULL;
    MPI_Imrecv(got_first.data(), static_cast<int>(bytes[0]), MPI_BYTE, &message, &late);
    MPI_Wait(&late, &status);
    check.expect_data(got_first, content_of(check, left, 0), "first, claimed");
    MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
    MPI_Barrier(check.comm);
}

} // namespace

void check_probes(Check& check) {
    for (Way way : {Way::probe, Way::iprobe, Way::mprobe, Way::improbe})
        for (bool wild : {false, true})
            for (int i = 0; i < 5; ++i)
                one_way(check, way, wild);
    nothing_there(check);
    claimed(check);
}

} // namespace rill_mpi
