// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "sim/events.hpp"
#include "util/log.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace rill::sim {

// What happened in one run: a hash over all of it (two runs of a seed must agree), the first few
// failures, and with `verbose` a line for each event on standard error.
class Journal {
public:
    Journal(const EventQueue& clock, bool verbose) : clock_(clock), verbose_(verbose) {}

    bool verbose() const { return verbose_; }
    void mix(uint64_t value) { hash_ = (hash_ ^ value) * 0x100000001b3ull ^ (hash_ >> 29); }
    uint64_t hash() const { return hash_; }

    [[gnu::format(printf, 2, 3)]] void note(const char* format, ...);
    [[gnu::format(printf, 2, 3)]] void fail(const char* format, ...);
    bool failed() const { return failed_ > 0; }
    const std::vector<std::string>& failures() const { return failures_; }

private:
    void write(const char* kind, const char* text);

    const EventQueue& clock_;
    bool verbose_;
    uint64_t hash_ = 0xcbf29ce484222325ull;
    uint64_t failed_ = 0;
    std::vector<std::string> failures_;
};

// The log of one host's stack.
class HostLog final : public Log {
public:
    HostLog(Journal& journal, uint32_t host) : journal_(journal), host_(host) {}
    bool enabled(LogLevel) const override { return journal_.verbose(); }
    void write(LogLevel, const char* text) override { journal_.note("host %u: %s", host_, text); }

private:
    Journal& journal_;
    uint32_t host_;
};

} // namespace rill::sim
