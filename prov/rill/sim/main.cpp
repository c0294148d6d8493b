// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// rill_sim: runs whole clusters in virtual time, one for each seed.
#include "sim/world.hpp"

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace rill::sim {
namespace {

struct Options {
    uint64_t seeds = 1000;
    uint64_t from = 1;
    uint64_t jobs = 1;
    bool verbose = false;
    bool hash = false;
};

constexpr const char* kUsage =
    "usage: rill_sim [--seeds N] [--from K] [--jobs J] [--seed S] [--verbose] [--hash]\n"
    "  --seeds N, --from K  run N seeds from K on (default: 1000 from 1)\n"
    "  --seed S             run this one only\n"
    "  --jobs J             in J processes\n"
    "  --verbose            tell all that happens\n"
    "  --hash               print a hash over each run\n";

// Longer than any run takes, also under a sanitizer: the code under test is in an endless loop.
constexpr unsigned kSecondsPerSeed = 120;

// What a signal handler may print: made before each run.
char replay[160];

void describe_replay(uint64_t seed) {
    std::snprintf(replay, sizeof replay, "rill_sim: replay with: make sim SEEDS=1 SEED_FROM=%llu\n",
                  static_cast<unsigned long long>(seed));
}

void on_signal(int number) {
    const char text[] = "rill_sim: a run has crashed or does not end\n";
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    (void)!write(STDERR_FILENO, replay, std::strlen(replay));
    std::signal(number, SIG_DFL);
    raise(number);
}

bool read_number(const char* word, uint64_t& out) {
    if (!word) return false;
    const char* end = word + std::strlen(word);
    const auto [rest, error] = std::from_chars(word, end, out);
    return error == std::errc() && rest == end && rest != word;
}

bool read_options(int argc, char** argv, Options& o) {
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        const char* next = i + 1 < argc ? argv[i + 1] : nullptr;
        uint64_t* number = word == "--seeds"  ? &o.seeds
                           : word == "--from" ? &o.from
                           : word == "--seed" ? &o.from
                           : word == "--jobs" ? &o.jobs
                                              : nullptr;
        if (number) {
            if (!read_number(next, *number)) {
                std::fprintf(stderr, "rill_sim: %s needs a number\n", word.c_str());
                return false;
            }
            if (word == "--seed") o.seeds = 1;
            ++i;
        } else if (word == "--verbose") {
            o.verbose = true;
        } else if (word == "--hash") {
            o.hash = true;
        } else {
            if (word != "--help") std::fprintf(stderr, "rill_sim: what is %s?\n", word.c_str());
            std::fputs(kUsage, stderr);
            return false;
        }
    }
    return o.jobs > 0;
}

void report_failure(uint64_t seed, const RunResult& r) {
    std::string text =
        "seed " + std::to_string(seed) + " FAILED: " + describe(draw_profile(seed)) + '\n';
    for (const std::string& failure : r.failures)
        text += "    " + failure + '\n';
    text += "    replay with: make sim SEEDS=1 SEED_FROM=" + std::to_string(seed) + '\n';
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
}

Totals run_seeds(const Options& o, uint64_t first, uint64_t step) {
    Totals totals;
    for (uint64_t i = first; i < o.seeds; i += step) {
        const uint64_t seed = o.from + i;
        describe_replay(seed);
        alarm(kSecondsPerSeed);
        const RunResult r = run_seed(seed, o.verbose);
        totals.add(r.totals);
        if (o.hash)
            std::printf("seed %llu hash %016llx\n", static_cast<unsigned long long>(seed),
                        static_cast<unsigned long long>(r.hash));
        if (!r.failures.empty()) report_failure(seed, r);
    }
    alarm(0);
    return totals;
}

// A share of the seeds in each of several processes; what they counted comes back through a pipe.
bool run_jobs(const Options& o, Totals& totals) {
    int ends[2];
    if (pipe(ends) != 0) return false;
    for (uint64_t job = 0; job < o.jobs; ++job) {
        const pid_t child = fork();
        if (child < 0) return false;
        if (child > 0) continue;
        const Totals mine = run_seeds(o, job, o.jobs);
        std::fflush(stdout);
        const bool told = write(ends[1], &mine, sizeof mine) == ssize_t{sizeof mine};
        std::_Exit(told ? 0 : 1);
    }
    close(ends[1]);
    Totals theirs;
    while (read(ends[0], &theirs, sizeof theirs) == ssize_t{sizeof theirs})
        totals.add(theirs);
    bool whole = true;
    int status = 0;
    while (wait(&status) > 0)
        whole &= status == 0;
    return whole;
}

void print_totals(const Totals& t) {
    const auto n = [](uint64_t v) { return static_cast<unsigned long long>(v); };
    std::printf("rill_sim: %llu seeds, %llu failed; %llu messages, %llu remote operations, %.1f "
                "MB, %llu s of "
                "virtual time\n",
                n(t.seeds), n(t.failed), n(t.messages), n(t.remote_operations),
                static_cast<double>(t.bytes) / 1e6, n(t.virtual_ms / 1000));
    std::printf("  packets: %llu sent\n", n(t.packets.sent));
    std::printf(
        "  recovery: %llu retransmissions (%llu needless), %llu tail probes, %llu time-outs; "
        "%llu bytes refused and granted later; %llu contexts evicted, %llu needed again\n",
        n(t.retransmits), n(t.spurious), n(t.probes), n(t.timeouts), n(t.refused_bytes),
        n(t.evicted), n(t.revived));
    std::printf("  faults, and the seeds that had them:\n");
    for (size_t i = 0; i < kFaultKinds; ++i)
        std::printf("  %12llu %8llu  %s\n", n(t.coverage.times[i]), n(t.coverage.seeds[i]),
                    kFaultKindHelp[i]);
}

int run(int argc, char** argv) {
    Options o;
    if (!read_options(argc, argv, o)) return 2;
    for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGALRM})
        if (std::signal(number, on_signal) == SIG_ERR) return 2;
    Totals totals;
    bool whole = true;
    if (o.jobs > 1)
        whole = run_jobs(o, totals);
    else
        totals = run_seeds(o, 0, 1);
    print_totals(totals);
    return whole && totals.failed == 0 && totals.seeds == o.seeds ? 0 : 1;
}

} // namespace
} // namespace rill::sim

int main(int argc, char** argv) {
    return rill::sim::run(argc, argv);
}
