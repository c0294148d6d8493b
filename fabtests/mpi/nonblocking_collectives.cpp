// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Several collectives under way at once, on one communicator and on several, with point-to-point
// messages between them.

#include "communicators.hpp"
#include "elements.hpp"

namespace rill_mpi {
namespace {

constexpr int rounds = 20;
constexpr int count_max = 5000;

struct Flight {
    std::vector<int64_t> broadcast, sums, sums_in, gathered, gather_in, exchanged, exchange_out;
};

class Round {
public:
    Round(Check& check_, const Group& group_, int round)
        : check(check_), group(group_), base(stream_of(check_.seed, round)),
          count(1 + static_cast<int>(base % count_max)), root(round % group_.size) {}

    void start(std::vector<MPI_Request>& requests) {
        auto next = [&requests] { return &requests.emplace_back(MPI_REQUEST_NULL); };
        auto all = static_cast<size_t>(group.size) * static_cast<size_t>(count);
        flight.broadcast = group.rank == root ? elements<int64_t>(base, count)
                                              : std::vector<int64_t>(static_cast<size_t>(count));
        flight.sums_in = elements<int64_t>(stream_of(base, group.rank), count);
        flight.sums.resize(static_cast<size_t>(count));
        flight.gather_in = flight.sums_in;
        flight.gathered.resize(all);
        for (int to = 0; to < group.size; ++to)
            for (int64_t value : elements<int64_t>(stream_of(base, group.rank, to), count))
                flight.exchange_out.push_back(value);
        flight.exchanged.resize(all);

        check.step("start of non-blocking collectives");
        MPI_Ibcast(flight.broadcast.data(), count, MPI_INT64_T, root, group.comm, next());
        MPI_Iallreduce(flight.sums_in.data(), flight.sums.data(), count, MPI_INT64_T, MPI_SUM,
                       group.comm, next());
        MPI_Ibarrier(group.comm, next());
        MPI_Iallgather(flight.gather_in.data(), count, MPI_INT64_T, flight.gathered.data(), count,
                       MPI_INT64_T, group.comm, next());
        MPI_Ialltoall(flight.exchange_out.data(), count, MPI_INT64_T, flight.exchanged.data(),
                      count, MPI_INT64_T, group.comm, next());
    }

    void verify() {
        auto length = static_cast<size_t>(count);
        expect_elements(
            check, flight.broadcast, [&](size_t i) { return element<int64_t>(base, i); },
            "ibcast on " + group.name);
        expect_elements(
            check, flight.sums,
            [&](size_t i) {
                int64_t sum = 0;
                for (int rank = 0; rank < group.size; ++rank)
                    sum += element<int64_t>(stream_of(base, rank), i);
                return sum;
            },
            "iallreduce on " + group.name);
        expect_elements(
            check, flight.gathered,
            [&](size_t i) { return element<int64_t>(stream_of(base, i / length), i % length); },
            "iallgather on " + group.name);
        expect_elements(
            check, flight.exchanged,
            [&](size_t i) {
                return element<int64_t>(stream_of(base, i / length, group.rank), i % length);
            },
            "ialltoall on " + group.name);
    }

private:
    Check& check;
    const Group& group;
    uint64_t base;
    int count;
    int root;
    Flight flight;
};

} // namespace

void check_nonblocking_collectives(Check& check) {
    Communicators communicators(check);
    for (int round = 0; round < rounds; ++round) {
        std::vector<MPI_Request> requests;
        std::vector<Round> flights;
        flights.reserve(communicators.groups.size());
        for (const Group& group : communicators.groups)
            flights.emplace_back(check, group, round).start(requests);

        check.step("message between non-blocking collectives");
        int out = check.rank * 100 + round, in = -1;
        int right = (check.rank + 1) % check.size;
        int left = (check.rank + check.size - 1) % check.size;
        MPI_Sendrecv(&out, 1, MPI_INT, right, 3, &in, 1, MPI_INT, left, 3, check.comm,
                     MPI_STATUS_IGNORE);
        check.expect(in == left * 100 + round, "message of round %d", round);

        check.step("end of non-blocking collectives");
        MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE);
        for (Round& flight : flights)
            flight.verify();
    }
}

} // namespace rill_mpi
