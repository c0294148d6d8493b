// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// rill_fault_endure: exchanges and verifies messages until a file appears. Each rank first prints
// its process id, and rank 0 every second how far it is, for those who disturb the job.

#include "check.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

namespace rill_mpi {
namespace {

constexpr int tag = 1;
constexpr int messages = 4; // in each round, to each neighbour
constexpr size_t bytes_max = 150'000;

// Many small, some beyond any eager limit.
size_t bytes_of(const Check& check, int from, int64_t round, int number) {
    uint64_t stream = stream_of(check.seed, from, round, number);
    return stream / 4 % (stream % 4 ? 500 : bytes_max);
}

void exchange(Check& check, int64_t round) {
    int right = (check.rank + 1) % check.size, left = (check.rank + check.size - 1) % check.size;
    Bytes out[messages], in[messages];
    MPI_Request requests[2 * messages];
    for (int i = 0; i < messages; ++i) {
        in[i].resize(bytes_max);
        MPI_Irecv(in[i].data(), bytes_max, MPI_BYTE, left, tag, check.comm, &requests[i]);
    }
    for (int i = 0; i < messages; ++i) {
        out[i].resize(bytes_of(check, check.rank, round, i));
        fill(out[i], stream_of(check.seed, check.rank, round, i, 1));
        MPI_Isend(out[i].data(), static_cast<int>(out[i].size()), MPI_BYTE, right, tag, check.comm,
                  &requests[messages + i]);
    }
    MPI_Status statuses[2 * messages];
    MPI_Waitall(2 * messages, requests, statuses);
    for (int i = 0; i < messages; ++i) {
        size_t bytes = bytes_of(check, left, round, i);
        check.expect_status(statuses[i], left, tag, bytes, "message of a round");
        check.expect_data({in[i].data(), bytes}, stream_of(check.seed, left, round, i, 1),
                          "message of a round");
    }
}

void endure(Check& check, const char* until) {
    printf("pid %d %d\n", check.rank, static_cast<int>(getpid()));
    fflush(stdout);
    double told = MPI_Wtime();
    int more = 1;
    for (int64_t round = 0; more; ++round) {
        check.step("round %lld", static_cast<long long>(round));
        exchange(check, round);
        struct stat found;
        int rounds = 1, sum = 0;
        MPI_Allreduce(&rounds, &sum, 1, MPI_INT, MPI_SUM, check.comm);
        check.expect(sum == check.size, "sum over the ranks is %d", sum);
        more = stat(until, &found) != 0;
        MPI_Bcast(&more, 1, MPI_INT, 0, check.comm);
        if (check.rank == 0 && MPI_Wtime() > told + 1) {
            printf("round %lld\n", static_cast<long long>(round));
            fflush(stdout);
            told = MPI_Wtime();
        }
    }
}

} // namespace
} // namespace rill_mpi

int main(int argc, char** argv) {
    using namespace rill_mpi;
    if (argc != 2) {
        fprintf(stderr, "usage: rill_fault_endure FILE-THAT-ENDS-IT\n");
        return 2;
    }
    constexpr int deadline_seconds = 600;
    bool good = false;
    MPI_Init(&argc, &argv);
    {
        Check check("endure", 1, deadline_seconds);
        double start = MPI_Wtime();
        endure(check, argv[1]);
        good = check.report(MPI_Wtime() - start);
    }
    MPI_Finalize();
    return good ? 0 : 1;
}
