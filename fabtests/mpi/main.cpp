// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// rill_mpi_check: verifies what an MPI library does with the provider under it. Every rank checks
// the data that it receives; rank 0 prints one line for each part.

#include "check.hpp"

#include <charconv>
#include <cstdio>
#include <cstring>
#include <string_view>

namespace rill_mpi {
namespace {

constexpr Part parts[] = {
    {"collectives", "broadcast, gather, scatter, all-to-all; types and communicators",
     check_collectives},
    {"reductions", "reduce, allreduce, scan, reduce-scatter; user's operations", check_reductions},
    {"nonblocking_collectives", "several collectives at once", check_nonblocking_collectives},
    {"wildcards", "any source, any tag, communicators kept apart", check_wildcards},
    {"probes", "probe, iprobe, mprobe, improbe", check_probes},
    {"truncation", "MPI_ERR_TRUNCATE, and nothing else harmed", check_truncation},
    {"outstanding", "thousands of operations, completed in random order", check_outstanding},
    {"ordering", "one envelope, sizes across every protocol limit", check_ordering},
    {"self", "a rank's messages to itself", check_self},
    {"sizes", "0 B to 64 MiB, at and around powers of two", check_sizes},
    {"huge", "one message of more than 2 GiB", check_huge},
    {"modes", "synchronous, buffered and ready sends", check_modes},
    {"cancel", "receives withdrawn", check_cancel},
    {"persistent", "requests started again and again", check_persistent},
    {"fence", "windows: put, get, accumulate between fences", check_fence},
    {"locks", "windows: lock, flush, unlock", check_locks},
    {"window_atomics", "windows: fetch-and-op, compare-and-swap, get-accumulate",
     check_window_atomics},
    {"post_start", "windows: post, start, complete, wait", check_post_start},
    {"unexpected_small", "100,000 non-blocking sends of 8 B before the one that is wanted",
     check_unexpected_small},
    {"unexpected_blocking", "the same with blocking sends", check_unexpected_blocking},
    {"unexpected_large", "2,000 sends of 1 MB before the one that is wanted",
     check_unexpected_large},
};

const char* const usage =
    "usage: rill_mpi_check [--list] [--seed N] [--deadline SECONDS] [--skip PART]... [PART]...\n";

struct Options {
    bool list = false;
    uint64_t seed = 1;
    int deadline_seconds = 300; // for one part
    std::vector<const Part*> chosen;
};

const Part* find_part(std::string_view name) {
    for (const Part& part : parts)
        if (name == part.name) return &part;
    return nullptr;
}

template <class Number>
bool parse_number(const char* text, Number& number) {
    const char* end = text + strlen(text);
    auto [stop, error] = std::from_chars(text, end, number);
    return error == std::errc() && stop == end;
}

// The first word that is not understood goes to `bad`.
bool parse(int argc, char** argv, Options& options, std::string& bad) {
    std::vector<const Part*> wanted, unwanted;
    for (int i = 1; i < argc; ++i) {
        std::string_view word = argv[i];
        bad = word;
        if (word == "--list") {
            options.list = true;
        } else if (word == "--seed" && i + 1 < argc) {
            bad = argv[++i];
            if (!parse_number(argv[i], options.seed)) return false;
        } else if (word == "--deadline" && i + 1 < argc) {
            bad = argv[++i];
            if (!parse_number(argv[i], options.deadline_seconds) || options.deadline_seconds < 1)
                return false;
        } else if (word == "--skip" && i + 1 < argc) {
            bad = argv[++i];
            unwanted.push_back(find_part(bad));
            if (!unwanted.back()) return false;
        } else {
            wanted.push_back(find_part(word));
            if (!wanted.back()) return false;
        }
    }
    if (wanted.empty())
        for (const Part& part : parts)
            wanted.push_back(&part);
    for (const Part* part : wanted) {
        bool skipped = false;
        for (const Part* other : unwanted)
            skipped = skipped || part == other;
        if (!skipped) options.chosen.push_back(part);
    }
    return true;
}

bool run(const Options& options) {
    int rank = 0, size = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (rank == 0)
        printf("%d ranks, seed %llu, pml %s, mtl %s, osc %s\n", size,
               static_cast<unsigned long long>(options.seed), component_of("pml").c_str(),
               component_of("mtl").c_str(), component_of("osc").c_str());
    bool good = true;
    for (const Part* part : options.chosen) {
        Check check(part->name, options.seed, options.deadline_seconds);
        double start = MPI_Wtime();
        part->run(check);
        good = check.report(MPI_Wtime() - start) && good;
    }
    Crossings crossings = all_crossings();
    if (rank == 0 && crossings.puts + crossings.gets + crossings.atomics > 0)
        printf("on other ranks: %lld puts, %lld gets, %lld atomic operations\n",
               static_cast<long long>(crossings.puts), static_cast<long long>(crossings.gets),
               static_cast<long long>(crossings.atomics));
    return good;
}

} // namespace
} // namespace rill_mpi

int main(int argc, char** argv) {
    using namespace rill_mpi;
    Options options;
    std::string bad;
    if (!parse(argc, argv, options, bad)) {
        fprintf(stderr, "rill_mpi_check: not understood: %s\n%s", bad.c_str(), usage);
        return 2;
    }
    if (options.list) {
        for (const Part& part : parts)
            printf("%-24s %s\n", part.name, part.what);
        return 0;
    }
    int threads = 0;
    MPI_Init(&argc, &argv);
    MPI_T_init_thread(MPI_THREAD_SINGLE, &threads);
    int size = 0;
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    bool good = size >= 2;
    if (good)
        good = run(options);
    else
        fprintf(stderr, "rill_mpi_check: %d rank: at least 2 are needed\n", size);
    MPI_T_finalize();
    MPI_Finalize();
    return good ? 0 : 1;
}
