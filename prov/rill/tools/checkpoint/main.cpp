// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// rill-checkpoint: the command line.
#include "checkpoint/commands.hpp"

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <getopt.h>
#include <string_view>
#include <unistd.h>

namespace {

constexpr const char* kUsage =
    "rill-checkpoint receive STORE [--host ADDRESS] [--port PORT] [--chunk BYTES] [--sessions N]\n"
    "rill-checkpoint send HOST PORT SNAPSHOT PATH... [--progress]\n"
    "rill-checkpoint restore STORE SNAPSHOT DIRECTORY\n"
    "rill-checkpoint list STORE\n";

int usage() {
    std::fputs(kUsage, stderr);
    return 2;
}

constexpr option kOptions[] = {{"host", required_argument, nullptr, 'h'},
                               {"port", required_argument, nullptr, 'p'},
                               {"chunk", required_argument, nullptr, 'c'},
                               {"sessions", required_argument, nullptr, 'n'},
                               {"progress", no_argument, nullptr, 'P'},
                               {"help", no_argument, nullptr, '?'},
                               {nullptr, 0, nullptr, 0}};

// What borders a chunk of 512 KiB on average may have is what a device takes at most.
constexpr unsigned long kChunkMin = 512, kChunkMax = 512 << 10;

int run(int argc, char** argv) {
    checkpoint::ReceiveOptions receiving;
    bool progress = isatty(STDERR_FILENO);
    for (int c; (c = getopt_long(argc, argv, "", kOptions, nullptr)) != -1;)
        switch (c) {
        case 'h': receiving.host = optarg; break;
        case 'p': receiving.port = optarg; break;
        case 'c':
            receiving.average = static_cast<uint32_t>(std::strtoul(optarg, nullptr, 10));
            break;
        case 'n': receiving.sessions = std::strtoull(optarg, nullptr, 10); break;
        case 'P': progress = true; break;
        default: return usage();
        }
    const std::vector<std::string> words(argv + optind, argv + argc);
    if (words.empty()) return usage();
    if (words[0] == "receive" && words.size() == 2) {
        if (!std::has_single_bit(receiving.average) || receiving.average < kChunkMin ||
            receiving.average > kChunkMax)
            return usage();
        receiving.store = words[1];
        return checkpoint::receive(receiving);
    }
    if (words[0] == "send" && words.size() >= 5)
        return checkpoint::send(
            {words[1], words[2], words[3], {words.begin() + 4, words.end()}, progress});
    if (words[0] == "restore" && words.size() == 4)
        return checkpoint::restore(words[1], words[2], words[3]);
    if (words[0] == "list" && words.size() == 2) return checkpoint::list(words[1]);
    return usage();
}

} // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "rill-checkpoint: %s\n", failure.what());
        return 1;
    }
}
