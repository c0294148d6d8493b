// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Receives that leave source or tag open.

#include "check.hpp"

#include <algorithm>
#include <array>

namespace rill_mpi {
namespace {

constexpr int messages = 200; // from each rank
constexpr size_t bytes_max = 40000;

size_t bytes_of(const Check& check, int from, int number) {
    return stream_of(check.seed, from, number) % (number % 10 == 0 ? bytes_max : 100);
}

uint64_t content_of(const Check& check, int from, int number) {
    return stream_of(check.seed, from, number, 17);
}

int tag_of(int number) {
    return 1000 + number;
}

// Each rank sends all its messages to rank 0, which takes them in whatever way `receive` does.
template <class Receive>
void all_to_first(Check& check, Receive receive) {
    std::vector<Bytes> data(messages);
    std::vector<MPI_Request> requests(messages, MPI_REQUEST_NULL);
    for (int number = 0; number < messages; ++number) {
        auto i = static_cast<size_t>(number);
        data[i].resize(bytes_of(check, check.rank, number));
        fill(data[i], content_of(check, check.rank, number));
        MPI_Isend(data[i].data(), static_cast<int>(data[i].size()), MPI_BYTE, 0, tag_of(number),
                  check.comm, &requests[i]);
    }
    if (check.rank == 0) receive();
    MPI_Waitall(messages, requests.data(), MPI_STATUSES_IGNORE);
    MPI_Barrier(check.comm);
}

void verify(Check& check, const Bytes& data, const MPI_Status& status, const char* what) {
    int from = status.MPI_SOURCE, number = status.MPI_TAG - tag_of(0);
    check.expect(from >= 0 && from < check.size && number >= 0 && number < messages,
                 "%s: source %d, tag %d", what, from, status.MPI_TAG);
    size_t bytes = bytes_of(check, from, number);
    check.expect_status(status, from, tag_of(number), bytes, what);
    check.expect_data({data.data(), std::min(bytes, data.size())}, content_of(check, from, number),
                      what);
}

void any_source_any_tag(Check& check) {
    check.step("any source, any tag");
    all_to_first(check, [&] {
        std::vector<int> next(static_cast<size_t>(check.size), 0);
        for (int i = 0; i < messages * check.size; ++i) {
            Bytes data(bytes_max);
            MPI_Status status;
            MPI_Recv(data.data(), bytes_max, MPI_BYTE, MPI_ANY_SOURCE, MPI_ANY_TAG, check.comm,
                     &status);
            verify(check, data, status, "any source, any tag");
            int wanted = next[static_cast<size_t>(status.MPI_SOURCE)]++;
            check.expect(status.MPI_TAG == tag_of(wanted), "messages of rank %d out of order",
                         status.MPI_SOURCE);
        }
    });
}

void any_source(Check& check) {
    check.step("any source, tags backwards");
    all_to_first(check, [&] {
        for (int number = messages - 1; number >= 0; --number) {
            std::vector<bool> seen(static_cast<size_t>(check.size), false);
            for (int i = 0; i < check.size; ++i) {
                Bytes data(bytes_max);
                MPI_Status status;
                MPI_Recv(data.data(), bytes_max, MPI_BYTE, MPI_ANY_SOURCE, tag_of(number),
                         check.comm, &status);
                verify(check, data, status, "any source");
                check.expect(!seen[static_cast<size_t>(status.MPI_SOURCE)],
                             "rank %d came twice with one tag", status.MPI_SOURCE);
                seen[static_cast<size_t>(status.MPI_SOURCE)] = true;
            }
        }
    });
}

void any_tag(Check& check) {
    check.step("any tag, ranks backwards");
    all_to_first(check, [&] {
        for (int from = check.size - 1; from >= 0; --from)
            for (int number = 0; number < messages; ++number) {
                Bytes data(bytes_max);
                MPI_Status status;
                MPI_Recv(data.data(), bytes_max, MPI_BYTE, from, MPI_ANY_TAG, check.comm, &status);
                verify(check, data, status, "any tag");
                check.expect(status.MPI_TAG == tag_of(number), "messages of rank %d out of order",
                             from);
            }
    });
}

// Posted before anything is sent, with wildcards of every kind between exact ones.
void posted_first(Check& check) {
    check.step("wildcards posted before the sends");
    struct Posted {
        int source, tag;
        std::array<std::byte, 64> data;
    };
    std::vector<Posted> posted;
    std::vector<MPI_Request> requests;
    constexpr size_t bytes = 48;
    if (check.rank == 0) {
        // For each sender in this order: exact, any tag, exact. MPI gives the earliest that fits.
        for (int from = 1; from < check.size; ++from) {
            posted.push_back({from, 1, {}});
            posted.push_back({from, MPI_ANY_TAG, {}});
            posted.push_back({from, 1, {}});
        }
        for (int i = 1; i < check.size; ++i)
            posted.push_back({MPI_ANY_SOURCE, 9, {}});
        requests.resize(posted.size());
        for (size_t i = 0; i < posted.size(); ++i)
            MPI_Irecv(posted[i].data.data(), 64, MPI_BYTE, posted[i].source, posted[i].tag,
                      check.comm, &requests[i]);
    }
    MPI_Barrier(check.comm);
    if (check.rank == 0) {
        std::vector<MPI_Status> statuses(posted.size());
        MPI_Waitall(static_cast<int>(requests.size()), requests.data(), statuses.data());
        for (size_t i = 0; i < posted.size(); ++i) {
            int from = statuses[i].MPI_SOURCE;
            bool last = posted[i].source == MPI_ANY_SOURCE;
            int place = last ? 3 : static_cast<int>(i % 3);
            check.expect_status(statuses[i], last ? from : posted[i].source, last ? 9 : 1, bytes,
                                "posted wildcard");
            check.expect_data({posted[i].data.data(), bytes}, stream_of(check.seed, from, place),
                              "posted wildcard");
        }
    } else {
        for (int place = 0; place < 4; ++place) {
            Bytes data(bytes);
            fill(data, stream_of(check.seed, check.rank, place));
            MPI_Send(data.data(), bytes, MPI_BYTE, 0, place == 3 ? 9 : 1, check.comm);
        }
    }
    MPI_Barrier(check.comm);
}

// The same envelope on several communicators, received in another order than sent.
void communicators_apart(Check& check) {
    check.step("the same envelope on several communicators");
    constexpr size_t several = 6;
    std::array<MPI_Comm, several> comms;
    for (MPI_Comm& comm : comms)
        MPI_Comm_dup(check.comm, &comm);
    std::array<int, several> out, in;
    std::array<MPI_Request, several> requests;
    int right = (check.rank + 1) % check.size, left = (check.rank + check.size - 1) % check.size;
    for (size_t i = 0; i < several; ++i) {
        out[i] = check.rank * 10 + static_cast<int>(i);
        MPI_Isend(&out[i], 1, MPI_INT, right, 5, comms[i], &requests[i]);
    }
    for (size_t i = several; i-- > 0;) {
        MPI_Recv(&in[i], 1, MPI_INT, i % 2 ? MPI_ANY_SOURCE : left, i % 3 ? 5 : MPI_ANY_TAG,
                 comms[i], MPI_STATUS_IGNORE);
        check.expect(in[i] == left * 10 + static_cast<int>(i), "communicator %zu got %d", i, in[i]);
    }
    MPI_Waitall(several, requests.data(), MPI_STATUSES_IGNORE);
    for (MPI_Comm& comm : comms)
        MPI_Comm_free(&comm);
}

void largest_tag(Check& check) {
    check.step("largest tag");
    int* bound = nullptr;
    int found = 0;
    MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_TAG_UB, static_cast<void*>(&bound), &found);
    int right = (check.rank + 1) % check.size, left = (check.rank + check.size - 1) % check.size;
    for (int tag : {0, 32767, found ? *bound : 32767}) {
        int out = check.rank, in = -1;
        MPI_Status status;
        MPI_Sendrecv(&out, 1, MPI_INT, right, tag, &in, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG,
                     check.comm, &status);
        check.expect(in == left, "tag %d", tag);
        check.expect_status(status, left, tag, sizeof in, "largest tag");
        MPI_Barrier(check.comm);
    }
}

} // namespace

void check_wildcards(Check& check) {
    any_source_any_tag(check);
    any_source(check);
    any_tag(check);
    posted_first(check);
    communicators_apart(check);
    largest_tag(check);
}

} // namespace rill_mpi
