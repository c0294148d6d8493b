// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>

#include "load.hpp"

namespace bench {

// write, read: a stream of RMA; fetch_add: one atomic operation after another, counted_add: the same
// without a completion queue, by a counter (rill_bench only).
enum class Mode { pingpong, stream, write, read, fetch_add, counted_add };

constexpr bool is_round_trip(Mode mode) {
    return mode == Mode::fetch_add || mode == Mode::counted_add;
}

// The command line of both programs. What only one of them has, the other refuses.
struct Options {
    Mode mode = Mode::pingpong;
    std::size_t size_bytes = 64;
    std::size_t window = 0; // messages under way; 0: window_for(size)
    Load load;
    unsigned watchdog_s = 20;
    std::optional<std::array<int, 2>> cpus;

    std::string provider;        // rill_bench
    std::string node;            // rill_bench: source address; empty: the provider's choice
    std::string listen, connect; // rill_bench: ADDRESS:PORT, for processes started apart
    bool gaps = false;           // rill_bench: clock every arrival of a stream
    std::size_t segment = 8900;  // udp_bare: jumbo frames less the headers
    bool rill_options = false;   // udp_bare
};

enum class Program { rill_bench, udp_bare };

// Ends the process with a usage text on stderr if the line is wrong.
[[nodiscard]] Options parse_options(Program program, int argc, char** argv);

// 64 messages keep a pipe full; for large ones 16 do, and keep the memory touched within 16 MiB.
[[nodiscard]] constexpr std::size_t window_for(std::size_t size_bytes) {
    return size_bytes >= (std::size_t{1} << 20) ? 16 : 64;
}

// The one line of result on stdout, JSON for the compare script.
void print_result(const Options& options, const Sample& sample);

} // namespace bench
