// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// rill_fault_busy: rank 0 computes and makes no MPI call, while the others send to it. Messages
// that its receives wait for must arrive meanwhile, and nobody may take it for dead.

#include "check.hpp"

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace rill_mpi {
namespace {

constexpr int matched_tag = 1, small_tag = 2, large_tag = 3, report_tag = 4;
constexpr size_t matched_bytes = 40'000'000;
constexpr size_t large_bytes = 2'000'000;
constexpr size_t small_bytes_max = 4000;
constexpr int large_messages = 8; // to nobody's receive, until rank 0 is back
constexpr std::chrono::milliseconds small_interval{100};

struct Options {
    double seconds = 60;
    bool meanwhile = true; // off for providers that make progress only in calls
};

// The same clock for all ranks: they are on one host.
double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

size_t small_bytes(const Check& check, int from, int number) {
    return stream_of(check.seed, from, number) % small_bytes_max;
}

struct Report {
    double matched_done; // when the matched send was complete
    int small_messages;
};

// What a program computes between two calls.
void compute(double seconds) {
    volatile double sum = 0;
    for (double end = now() + seconds; now() < end;)
        for (int i = 0; i < 100000; ++i)
            sum = sum + 1.0 / (1 + i);
}

void receive_rest(Check& check, int from, const Report& report) {
    Bytes data(large_bytes);
    for (int number = 0; number < report.small_messages; ++number) {
        size_t bytes = small_bytes(check, from, number);
        MPI_Status status;
        MPI_Recv(data.data(), small_bytes_max, MPI_BYTE, from, small_tag, check.comm, &status);
        check.expect_status(status, from, small_tag, bytes, "small message");
        check.expect_data({data.data(), bytes}, stream_of(check.seed, from, number, 1),
                          "small message");
    }
    for (int number = 0; number < large_messages; ++number) {
        MPI_Recv(data.data(), large_bytes, MPI_BYTE, from, large_tag, check.comm,
                 MPI_STATUS_IGNORE);
        check.expect_data(data, stream_of(check.seed, from, number, 2), "large message");
    }
}

void be_busy(Check& check, const Options& options) {
    auto others = static_cast<size_t>(check.size - 1);
    std::vector<Bytes> matched(others, Bytes(matched_bytes));
    std::vector<MPI_Request> requests(others);
    for (size_t i = 0; i < others; ++i)
        MPI_Irecv(matched[i].data(), matched_bytes, MPI_BYTE, static_cast<int>(i) + 1, matched_tag,
                  check.comm, &requests[i]);
    MPI_Barrier(check.comm);
    compute(options.seconds);
    double end = now();

    check.step("back from computing");
    for (size_t i = 0; i < others; ++i) {
        int from = static_cast<int>(i) + 1;
        Report report{};
        MPI_Wait(&requests[i], MPI_STATUS_IGNORE);
        check.expect_data(matched[i], stream_of(check.seed, from), "long matched message");
        MPI_Recv(&report, sizeof report, MPI_BYTE, from, report_tag, check.comm, MPI_STATUS_IGNORE);
        printf("rank %d's long matched send was complete %.2f s %s rank 0 had computed\n", from,
               report.matched_done < end ? end - report.matched_done : report.matched_done - end,
               report.matched_done < end ? "before" : "after");
        check.expect(report.matched_done < end || !options.meanwhile,
                     "rank %d's long matched send had to wait until rank 0 called again", from);
        receive_rest(check, from, report);
    }
}

void send_meanwhile(Check& check, const Options& options) {
    Bytes matched(matched_bytes), small(small_bytes_max);
    std::vector<Bytes> large(large_messages, Bytes(large_bytes));
    std::vector<MPI_Request> requests(large_messages);
    fill(matched, stream_of(check.seed, check.rank));
    MPI_Barrier(check.comm);
    double end = now() + options.seconds * 0.8;

    check.step("long matched send");
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Isend(matched.data(), matched_bytes, MPI_BYTE, 0, matched_tag, check.comm, &request);
    for (size_t i = 0; i < large_messages; ++i) {
        fill(large[i], stream_of(check.seed, check.rank, i, 2));
        MPI_Isend(large[i].data(), large_bytes, MPI_BYTE, 0, large_tag, check.comm, &requests[i]);
    }
    Report report{0, 0};
    auto look = [&] {
        int done = 0;
        if (report.matched_done == 0) MPI_Test(&request, &done, MPI_STATUS_IGNORE);
        if (done) report.matched_done = now();
    };
    for (double next = now(); now() < end; std::this_thread::yield()) {
        look();
        if (now() < next) continue;
        next = now() + std::chrono::duration<double>(small_interval).count();
        size_t bytes = small_bytes(check, check.rank, report.small_messages);
        fill({small.data(), bytes}, stream_of(check.seed, check.rank, report.small_messages, 1));
        check.step("small send %d", report.small_messages++);
        MPI_Send(small.data(), static_cast<int>(bytes), MPI_BYTE, 0, small_tag, check.comm);
    }
    check.step("long matched send");
    while (report.matched_done == 0)
        look();
    check.step("report and large sends");
    MPI_Send(&report, sizeof report, MPI_BYTE, 0, report_tag, check.comm);
    MPI_Waitall(large_messages, requests.data(), MPI_STATUSES_IGNORE);
}

bool parse(int argc, char** argv, Options& options) {
    for (int i = 1; i < argc; ++i) {
        if (strcmp(argv[i], "--no-meanwhile") == 0) {
            options.meanwhile = false;
        } else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) {
            const char* end = argv[i + 1] + strlen(argv[i + 1]);
            auto [stop, error] = std::from_chars(argv[++i], end, options.seconds);
            if (error != std::errc() || stop != end) return false;
        } else {
            return false;
        }
    }
    return options.seconds > 0;
}

} // namespace
} // namespace rill_mpi

int main(int argc, char** argv) {
    using namespace rill_mpi;
    Options options;
    if (!parse(argc, argv, options)) {
        fprintf(stderr, "usage: rill_fault_busy [--seconds SECONDS] [--no-meanwhile]\n");
        return 2;
    }
    constexpr int deadline_extra_seconds = 120;
    bool good = false;
    // Counted is what the busy rank draws from the others, not what it sends again to ranks that wait
    // for a processor.
    const char* rank = getenv("OMPI_COMM_WORLD_RANK");
    if (rank && strcmp(rank, "0") == 0) unsetenv("FI_RILL_STATS");
    MPI_Init(&argc, &argv);
    {
        Check check("busy", 1, static_cast<int>(options.seconds) + deadline_extra_seconds);
        double start = MPI_Wtime();
        if (check.rank == 0)
            be_busy(check, options);
        else
            send_meanwhile(check, options);
        good = check.report(MPI_Wtime() - start);
    }
    MPI_Finalize();
    return good ? 0 : 1;
}
