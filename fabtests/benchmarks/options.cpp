// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "options.hpp"

#include <getopt.h>
#include <sched.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "process_pair.hpp"

namespace bench {
namespace {

constexpr char usage_common[] =
    "  --mode pingpong|stream   what to measure (pingpong); rill_bench also write|read (streams "
    "of\n"
    "                           RMA), fetch_add (round trips of 8 bytes) and counted_add (the "
    "same,\n"
    "                           seen by a counter)\n"
    "  --size BYTES             size of a message (64)\n"
    "  --window N               messages under way in a stream (64; 16 from 1 MiB on)\n"
    "  --seconds S              length of the timed run (0.5)\n"
    "  --count N                most messages in one run (20000000)\n"
    "  --watchdog S             give up after S seconds (20)\n"
    "  --pin CPU,CPU            processors of the two processes\n";
constexpr char usage_fabric[] =
    "usage: rill_bench --provider NAME [options]\n"
    "  --provider NAME          libfabric provider, such as rill or 'tcp;ofi_rxm'\n"
    "  --node ADDRESS           source address of both endpoints\n"
    "  --listen ADDRESS:PORT    be the server only, and await the client there\n"
    "  --connect ADDRESS:PORT   be the client only, of the server that listens there; both with\n"
    "                           the same options\n"
    "  --gaps                   with stream: also the longest time between two arrivals\n";
constexpr char usage_udp[] = "usage: udp_bare [options]\n"
                             "  --segment BYTES          payload of a datagram at most (8900)\n"
                             "  --rill-options           the socket options that rill uses\n";

enum Key {
    mode = 1,
    size,
    window,
    seconds,
    count,
    watchdog,
    pin,
    provider,
    node,
    segment,
    rill,
    listen,
    connect,
    gaps
};

constexpr option fabric_options[] = {{"provider", required_argument, nullptr, provider},
                                     {"gaps", no_argument, nullptr, gaps},
                                     {"node", required_argument, nullptr, node},
                                     {"listen", required_argument, nullptr, listen},
                                     {"connect", required_argument, nullptr, connect},
                                     {"mode", required_argument, nullptr, mode},
                                     {"size", required_argument, nullptr, size},
                                     {"window", required_argument, nullptr, window},
                                     {"count", required_argument, nullptr, count},
                                     {"seconds", required_argument, nullptr, seconds},
                                     {"pin", required_argument, nullptr, pin},
                                     {"watchdog", required_argument, nullptr, watchdog},
                                     {}};
constexpr option udp_options[] = {{"segment", required_argument, nullptr, segment},
                                  {"rill-options", no_argument, nullptr, rill},
                                  {"mode", required_argument, nullptr, mode},
                                  {"size", required_argument, nullptr, size},
                                  {"window", required_argument, nullptr, window},
                                  {"count", required_argument, nullptr, count},
                                  {"seconds", required_argument, nullptr, seconds},
                                  {"pin", required_argument, nullptr, pin},
                                  {"watchdog", required_argument, nullptr, watchdog},
                                  {}};

[[noreturn]] void usage(Program program, const std::string& complaint) {
    const bool fabric = program == Program::rill_bench;
    std::fprintf(stderr, "%s: %s\n%s%s", fabric ? "rill_bench" : "udp_bare", complaint.c_str(),
                 fabric ? usage_fabric : usage_udp, usage_common);
    std::exit(exit_usage);
}

// A whole number in [low, high], and nothing behind it.
std::size_t parse_number(Program program, const char* text, std::size_t low, std::size_t high) {
    char* end = nullptr;
    errno = 0;
    const unsigned long long value = std::strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' || value < low || value > high)
        usage(program, "not a number from " + std::to_string(low) + " to " + std::to_string(high) +
                           ": " + text);
    return value;
}

double parse_seconds(Program program, const char* text) {
    char* end = nullptr;
    const double value = std::strtod(text, &end);
    if (end == text || *end != '\0' || !(value > 0 && value <= 60))
        usage(program, std::string("not a time of up to 60 seconds: ") + text);
    return value;
}

std::array<int, 2> parse_cpus(Program program, const char* text) {
    const std::string both = text;
    const auto comma = both.find(',');
    if (comma == std::string::npos) usage(program, "not two processors, as in 0,1: " + both);
    const auto cpu = [&](const std::string& word) {
        return static_cast<int>(parse_number(program, word.c_str(), 0, CPU_SETSIZE - 1));
    };
    return {cpu(both.substr(0, comma)), cpu(both.substr(comma + 1))};
}

Mode parse_mode(Program program, const char* text) {
    if (std::strcmp(text, "pingpong") == 0) return Mode::pingpong;
    if (std::strcmp(text, "stream") == 0) return Mode::stream;
    if (program == Program::rill_bench) {
        if (std::strcmp(text, "write") == 0) return Mode::write;
        if (std::strcmp(text, "read") == 0) return Mode::read;
        if (std::strcmp(text, "fetch_add") == 0) return Mode::fetch_add;
        if (std::strcmp(text, "counted_add") == 0) return Mode::counted_add;
    }
    usage(program, std::string("not a mode: ") + text);
}

void apply(Program program, Options& options, int key, const char* text) {
    switch (key) {
    case mode: options.mode = parse_mode(program, text); break;
    case size: options.size_bytes = parse_number(program, text, 1, std::size_t{1} << 28); break;
    case window: options.window = parse_number(program, text, 1, 1024); break;
    case seconds: options.load.seconds = parse_seconds(program, text); break;
    case count: options.load.count_max = parse_number(program, text, 1, 1'000'000'000); break;
    case watchdog:
        options.watchdog_s = static_cast<unsigned>(parse_number(program, text, 1, 3600));
        break;
    case pin: options.cpus = parse_cpus(program, text); break;
    case provider: options.provider = text; break;
    case node: options.node = text; break;
    case segment: options.segment = parse_number(program, text, 1, 65507); break;
    case listen: options.listen = text; break;
    case connect: options.connect = text; break;
    case gaps: options.gaps = true; break;
    case rill: options.rill_options = true; break;
    default: usage(program, "unknown or incomplete option");
    }
}

} // namespace

Options parse_options(Program program, int argc, char** argv) {
    const bool fabric = program == Program::rill_bench;
    Options options;
    opterr = 0;
    int key = 0;
    while ((key = ::getopt_long(argc, argv, "", fabric ? fabric_options : udp_options, nullptr)) !=
           -1)
        apply(program, options, key, optarg);
    if (optind != argc) usage(program, std::string("not an option: ") + argv[optind]);
    if (fabric && options.provider.empty()) usage(program, "--provider is missing");
    if (!options.listen.empty() && !options.connect.empty())
        usage(program, "--listen and --connect: one process is either");
    if (options.gaps && options.mode != Mode::stream) usage(program, "--gaps: not a stream");
    if (is_round_trip(options.mode)) options.size_bytes = sizeof(std::uint64_t);
    if (options.window == 0) options.window = window_for(options.size_bytes);
    return options;
}

void print_result(const Options& options, const Sample& sample) {
    const auto messages = static_cast<double>(sample.count);
    if (is_round_trip(options.mode)) {
        std::printf("{\"us_round_trip\": %.4f, \"count\": %llu, \"seconds\": %.4f}\n",
                    sample.seconds / messages * 1e6, static_cast<unsigned long long>(sample.count),
                    sample.seconds);
    } else if (options.mode == Mode::pingpong) {
        std::printf("{\"us_one_way\": %.4f, \"count\": %llu, \"seconds\": %.4f}\n",
                    sample.seconds / messages / 2 * 1e6,
                    static_cast<unsigned long long>(sample.count), sample.seconds);
    } else {
        const double rate = messages / sample.seconds;
        if (options.gaps)
            std::printf("{\"longest_gap_ms\": %.3f, ", sample.longest_gap_s * 1e3);
        else
            std::printf("{");
        std::printf("\"mmsg_per_s\": %.6f, \"gb_per_s\": %.6f, \"count\": %llu, "
                    "\"seconds\": %.4f}\n",
                    rate / 1e6, rate * static_cast<double>(options.size_bytes) / 1e9,
                    static_cast<unsigned long long>(sample.count), sample.seconds);
    }
    std::fflush(stdout);
}

} // namespace bench
