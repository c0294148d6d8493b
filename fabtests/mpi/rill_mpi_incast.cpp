// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// rill_mpi_incast [SECONDS [BYTES]]: all ranks send to rank 0, that is to one endpoint, for so long;
// it prints the sum of the rates and what the slowest and the fastest sender got.

#include <mpi.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

constexpr int window = 4; // messages of each sender under way

constexpr int data_tag = 1, end_tag = 2;

std::byte pattern(int rank, int number) {
    return static_cast<std::byte>(rank * 31 + number * 7);
}

// Until the time is over; then says how many messages there were.
void send(int rank, double seconds, size_t bytes) {
    std::vector<std::vector<std::byte>> buffers(window, std::vector<std::byte>(bytes));
    std::vector<MPI_Request> requests(window, MPI_REQUEST_NULL);
    int sent = 0;
    for (const double end = MPI_Wtime() + seconds; MPI_Wtime() < end; ++sent) {
        int free = sent;
        if (sent >= window) MPI_Waitany(window, requests.data(), &free, MPI_STATUS_IGNORE);
        std::vector<std::byte>& buffer = buffers[static_cast<size_t>(free)];
        buffer.front() = buffer.back() = pattern(rank, sent);
        std::memcpy(buffer.data() + 1, &sent, sizeof sent);
        MPI_Isend(buffer.data(), static_cast<int>(bytes), MPI_BYTE, 0, data_tag, MPI_COMM_WORLD,
                  &requests[static_cast<size_t>(free)]);
    }
    MPI_Waitall(window, requests.data(), MPI_STATUSES_IGNORE);
    MPI_Send(&sent, 1, MPI_INT, 0, end_tag, MPI_COMM_WORLD);
}

// What came of whom; false when a message is missing, doubled or wrong.
bool receive(int senders, size_t bytes) {
    std::vector<std::byte> buffer(bytes);
    std::vector<int> received(static_cast<size_t>(senders)), told(received.size(), -1);
    const double start = MPI_Wtime();
    int open = senders;
    bool good = true;
    while (open > 0) {
        MPI_Status status;
        MPI_Probe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
        const auto from = static_cast<size_t>(status.MPI_SOURCE - 1);
        if (status.MPI_TAG == end_tag) {
            MPI_Recv(&told[from], 1, MPI_INT, status.MPI_SOURCE, end_tag, MPI_COMM_WORLD,
                     MPI_STATUS_IGNORE);
            --open;
            continue;
        }
        MPI_Recv(buffer.data(), static_cast<int>(bytes), MPI_BYTE, status.MPI_SOURCE, data_tag,
                 MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        int number = 0;
        std::memcpy(&number, buffer.data() + 1, sizeof number);
        good &= number == received[from]++ &&
                buffer.front() == pattern(status.MPI_SOURCE, number) &&
                buffer.back() == buffer.front();
    }
    const double mb = static_cast<double>(bytes) / 1e6 / (MPI_Wtime() - start);
    double sum = 0;
    for (int count : received)
        sum += count * mb;
    const auto [least, most] = std::minmax_element(received.begin(), received.end());
    printf("incast: %.1f MB/s, senders from %.1f to %.1f\n", sum, *least * mb, *most * mb);
    return good && received == told;
}

} // namespace

int main(int argc, char** argv) {
    MPI_Init(&argc, &argv);
    int rank = 0, size = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    const double seconds = argc > 1 ? std::atof(argv[1]) : 1;
    const size_t bytes = argc > 2 ? std::max(std::atol(argv[2]), 16L) : 1 << 20;
    MPI_Barrier(MPI_COMM_WORLD);
    bool good = true;
    if (rank == 0)
        good = receive(size - 1, bytes);
    else
        send(rank, seconds, bytes);
    if (!good) fprintf(stderr, "rill_mpi_incast: messages are missing, doubled or wrong\n");
    MPI_Finalize();
    return good ? 0 : 1;
}
