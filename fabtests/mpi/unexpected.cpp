// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// A great many messages that nobody has asked for yet, before the one that is wanted first. All
// ranks send to rank 0; the number of messages is the same for every number of ranks.

#include "check.hpp"

#include <algorithm>

namespace rill_mpi {
namespace {

constexpr int early_tag = 1, wanted_tag = 2;
constexpr int small_messages = 100'000;
constexpr int large_messages = 2'000;
constexpr size_t large_bytes = 1'000'000;

int share(const Check& check, int messages) {
    return messages / (check.size - 1);
}

// Counts the messages of each rank. They are received from any source: by rank, a transport that
// keeps one list of them would be asked for time that grows with the square of their number.
class Arrivals {
public:
    explicit Arrivals(const Check& check) : counts(static_cast<size_t>(check.size), 0) {}
    int next_of(int rank) { return counts[static_cast<size_t>(rank)]++; }

private:
    std::vector<int> counts;
};

uint64_t small_value(const Check& check, int from, int number) {
    return stream_of(check.seed, from, number);
}

void send_small(Check& check, bool blocking) {
    int messages = share(check, small_messages);
    std::vector<uint64_t> values(static_cast<size_t>(messages));
    std::vector<MPI_Request> requests;
    for (int number = 0; number < messages; ++number) {
        uint64_t& value = values[static_cast<size_t>(number)];
        value = small_value(check, check.rank, number);
        if (blocking)
            MPI_Send(&value, 8, MPI_BYTE, 0, early_tag, check.comm);
        else
            MPI_Isend(&value, 8, MPI_BYTE, 0, early_tag, check.comm,
                      &requests.emplace_back(MPI_REQUEST_NULL));
    }
    MPI_Send(&check.rank, 1, MPI_INT, 0, wanted_tag, check.comm);
    MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE);
}

void receive_wanted(Check& check) {
    check.step("the wanted message");
    for (int from = check.size - 1; from > 0; --from) {
        int value = -1;
        MPI_Recv(&value, 1, MPI_INT, from, wanted_tag, check.comm, MPI_STATUS_IGNORE);
        check.expect(value == from, "the wanted message of rank %d brought %d", from, value);
    }
}

void receive_small(Check& check) {
    receive_wanted(check);
    check.step("the small messages before it");
    Arrivals arrivals(check);
    for (int left = share(check, small_messages) * (check.size - 1); left > 0; --left) {
        uint64_t value = 0;
        MPI_Status status;
        MPI_Recv(&value, 8, MPI_BYTE, MPI_ANY_SOURCE, early_tag, check.comm, &status);
        int from = status.MPI_SOURCE, number = arrivals.next_of(from);
        check.expect(value == small_value(check, from, number), "message %d of rank %d is another",
                     number, from);
    }
}

void small(Check& check, bool blocking) {
    check.step("sending small messages");
    if (check.rank == 0)
        receive_small(check);
    else
        send_small(check, blocking);
    MPI_Barrier(check.comm);
}

// Messages overlap in one pool, each at its own offset: different content, little memory.
struct Pool {
    explicit Pool(const Check& check) : bytes(large_bytes + large_messages * 8) {
        fill(bytes, stream_of(check.seed, 9));
    }
    [[nodiscard]] std::span<std::byte> message(int number) {
        return {&bytes[static_cast<size_t>(number) * 8], large_bytes};
    }
    Bytes bytes;
};

void send_large(Check& check, Pool& pool) {
    std::vector<MPI_Request> requests;
    for (int number = 0; number < share(check, large_messages); ++number)
        MPI_Isend(pool.message(number).data(), large_bytes, MPI_BYTE, 0, early_tag, check.comm,
                  &requests.emplace_back(MPI_REQUEST_NULL));
    MPI_Send(&check.rank, 1, MPI_INT, 0, wanted_tag, check.comm);
    MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE);
}

void receive_large(Check& check, Pool& pool) {
    receive_wanted(check);
    check.step("the large messages before it");
    Arrivals arrivals(check);
    Bytes data(large_bytes);
    for (int left = share(check, large_messages) * (check.size - 1); left > 0; --left) {
        MPI_Status status;
        MPI_Recv(data.data(), large_bytes, MPI_BYTE, MPI_ANY_SOURCE, early_tag, check.comm,
                 &status);
        int from = status.MPI_SOURCE, number = arrivals.next_of(from);
        bool equal = std::ranges::equal(data, pool.message(number));
        check.expect(equal, "message %d of rank %d is another", number, from);
    }
}

} // namespace

void check_unexpected_small(Check& check) {
    small(check, false);
}

void check_unexpected_blocking(Check& check) {
    small(check, true);
}

void check_unexpected_large(Check& check) {
    check.step("sending large messages");
    Pool pool(check);
    if (check.rank == 0)
        receive_large(check, pool);
    else
        send_large(check, pool);
    MPI_Barrier(check.comm);
}

} // namespace rill_mpi
