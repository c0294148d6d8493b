// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// What the parts of rill_mpi_check share: where a part runs, how it reports, and data that says
// by itself where it belongs.

#pragma once

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace rill_mpi {

using Bytes = std::vector<std::byte>;

// Payload whose every eight bytes depend on the stream and on their offset: a byte that is lost,
// doubled, or put in the wrong place or the wrong message shows as a difference.
void fill(std::span<std::byte> data, uint64_t stream);

// The offset of the first byte that is not the stream's, or data.size() when there is none.
[[nodiscard]] size_t first_difference(std::span<const std::byte> data, uint64_t stream);

[[nodiscard]] uint64_t mix(uint64_t value);

// What is asked for in a framework of Open MPI, such as "pt2pt" for "osc".
[[nodiscard]] std::string component_of(const char* framework);

// One stream for a combination of seed, ranks, message numbers and the like.
template <class... Parts>
[[nodiscard]] uint64_t stream_of(Parts... parts) {
    uint64_t stream = 0;
    ((stream = mix(stream ^ static_cast<uint64_t>(parts))), ...);
    return stream;
}

class Random {
public:
    explicit Random(uint64_t seed) : state(seed) {}

    uint64_t operator()() { return mix(state += 0x9e3779b97f4a7c15U); }
    [[nodiscard]] size_t below(size_t bound) { return (*this)() % bound; }

    // For std::shuffle.
    using result_type = uint64_t;
    static constexpr uint64_t min() { return 0; }
    static constexpr uint64_t max() { return UINT64_MAX; }

private:
    uint64_t state;
};

// One-sided operations on other ranks: what a provider that has windows accessed by RMA and atomic
// operations must have done at least. Accumulations go either way and are not counted.
struct Crossings {
    int64_t puts = 0;
    int64_t gets = 0;
    int64_t atomics = 0; // fetch-and-op, compare-and-swap
};

// Collective: of all ranks, so far.
[[nodiscard]] Crossings all_crossings();

// A part's view of the job. What is wrong with data is recorded and the part goes on, so that all
// ranks stay in step; an error of an MPI call ends the job at once, through the error handler.
class Check {
public:
    Check(const char* part, uint64_t seed, int deadline_seconds);
    ~Check();
    Check(const Check&) = delete;
    Check& operator=(const Check&) = delete;

    MPI_Comm comm = MPI_COMM_NULL; // this part's own duplicate of MPI_COMM_WORLD
    int rank = 0;
    int size = 0;
    uint64_t seed = 0;

    // Names what is being done, for the report of a hang or an MPI error.
    [[gnu::format(printf, 2, 3)]] void step(const char* format, ...);

    [[gnu::format(printf, 3, 4)]] void expect(bool holds, const char* format, ...);

    void expect_data(std::span<const std::byte> data, uint64_t stream, const std::string& what);

    // Bytes received, as the status tells.
    void expect_status(const MPI_Status& status, int source, int tag, size_t bytes,
                       const char* what);

    // The part does not apply here; it is reported as skipped unless it failed as well.
    void skip(std::string why);

    // Collective: agrees on the outcome and lets rank 0 print it. True when no rank failed.
    [[nodiscard]] bool report(double seconds);

private:
    std::string reason;      // of the first failure on this rank
    std::string skip_reason; // on this rank
};

struct Part {
    const char* name;
    const char* what;
    void (*run)(Check&);
};

// The parts, each in the file of its name.
void check_collectives(Check& check);
void check_reductions(Check& check);
void check_nonblocking_collectives(Check& check);
void check_wildcards(Check& check);
void check_probes(Check& check);
void check_truncation(Check& check);
void check_outstanding(Check& check);
void check_ordering(Check& check);
void check_self(Check& check);
void check_sizes(Check& check);
void check_huge(Check& check);
void check_modes(Check& check);
void check_cancel(Check& check);
void check_persistent(Check& check);
void check_fence(Check& check);
void check_locks(Check& check);
void check_window_atomics(Check& check);
void check_post_start(Check& check);
void check_unexpected_small(Check& check);
void check_unexpected_blocking(Check& check);
void check_unexpected_large(Check& check);

} // namespace rill_mpi
