// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// rill_mpi_pingpong: a short table of latency and bandwidth by message size, between two ranks.

#include <mpi.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <vector>

namespace {

constexpr size_t sizes[] = {0,    1,     8,     64,     256,     1024,   4096,
                            8192, 16384, 65536, 262144, 1048576, 4194304};
constexpr size_t bytes_max = sizes[std::size(sizes) - 1];
constexpr double seconds_each = 0.15; // short enough to wait for, long enough to be steady
constexpr int window = 32;            // messages under way in a stream

struct Pair {
    int rank;
    int peer() const { return 1 - rank; }
    std::vector<std::byte> out = std::vector<std::byte>(bytes_max, std::byte{1});
    std::vector<std::byte> in = std::vector<std::byte>(bytes_max);
};

// Rank 0 decides for both.
int agree(int count) {
    MPI_Bcast(&count, 1, MPI_INT, 0, MPI_COMM_WORLD);
    return count;
}

double round_trips(Pair& pair, int bytes, int count) {
    MPI_Barrier(MPI_COMM_WORLD);
    double start = MPI_Wtime();
    for (int i = 0; i < count; ++i) {
        if (pair.rank == 0)
            MPI_Send(pair.out.data(), bytes, MPI_BYTE, pair.peer(), 1, MPI_COMM_WORLD);
        MPI_Recv(pair.in.data(), bytes, MPI_BYTE, pair.peer(), 1, MPI_COMM_WORLD,
                 MPI_STATUS_IGNORE);
        if (pair.rank == 1)
            MPI_Send(pair.out.data(), bytes, MPI_BYTE, pair.peer(), 1, MPI_COMM_WORLD);
    }
    return MPI_Wtime() - start;
}

// Rank 0 sends windows of messages to rank 1, which says when it has a whole window.
double windows(Pair& pair, int bytes, int count) {
    MPI_Request requests[window];
    MPI_Barrier(MPI_COMM_WORLD);
    double start = MPI_Wtime();
    for (int i = 0; i < count; ++i) {
        for (MPI_Request& request : requests) {
            if (pair.rank == 0)
                MPI_Isend(pair.out.data(), bytes, MPI_BYTE, 1, 2, MPI_COMM_WORLD, &request);
            else
                MPI_Irecv(pair.in.data(), bytes, MPI_BYTE, 0, 2, MPI_COMM_WORLD, &request);
        }
        MPI_Waitall(window, requests, MPI_STATUSES_IGNORE);
        if (pair.rank == 0)
            MPI_Recv(nullptr, 0, MPI_BYTE, 1, 3, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        else
            MPI_Send(nullptr, 0, MPI_BYTE, 0, 3, MPI_COMM_WORLD);
    }
    return MPI_Wtime() - start;
}

// Seconds for one, from as many as fit the time. The first few warm up and say how long one takes.
template <class Run>
double seconds_per(Run run) {
    constexpr int few = 3;
    double rough = run(few) / few;
    int count = agree(std::clamp(static_cast<int>(seconds_each / rough), few, 20000));
    return run(count) / count;
}

void print_table(Pair& pair) {
    if (pair.rank == 0) printf("%12s %18s %18s\n", "size (B)", "latency (us)", "bandwidth (MB/s)");
    for (size_t size : sizes) {
        int bytes = static_cast<int>(size);
        double round_trip = seconds_per([&](int count) { return round_trips(pair, bytes, count); });
        double one_window = seconds_per([&](int count) { return windows(pair, bytes, count); });
        if (pair.rank == 0) {
            printf("%12zu %18.2f %18.1f\n", size, round_trip / 2 * 1e6,
                   static_cast<double>(size) * window / one_window / 1e6);
            fflush(stdout);
        }
    }
}

} // namespace

int main(int argc, char** argv) {
    MPI_Init(&argc, &argv);
    Pair pair{};
    int size = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &pair.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    bool two = size == 2;
    if (two)
        print_table(pair);
    else if (pair.rank == 0)
        fprintf(stderr, "rill_mpi_pingpong: runs on 2 ranks, not on %d\n", size);
    MPI_Finalize();
    return two ? 0 : 1;
}
