// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Runs small cases and prints TAP. Each case has a process of its own, forked before any libfabric
// call: a crash or a hang costs one case, a case may set variables that a provider reads at load
// time, and one that needs a second process can fork again as cleanly.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace functional {

struct Failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Thrown where the provider under test rightly lacks what the case is about.
struct Skip : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Where {
    const char* file;
    int line;
};

// As a default argument this names the caller's line (clang 14 has no std::source_location).
constexpr Where here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
}

[[noreturn]] void fail(const std::string& what, Where where = here());
void check(bool holds, std::string_view what, Where where = here());

// `got` and `want` are libfabric return codes, shown by name.
void check_ret(ssize_t got, ssize_t want, std::string_view what, Where where = here());
void check_ok(ssize_t got, std::string_view what, Where where = here());
// Any error but -FI_EAGAIN, which would tell the caller to try the same thing again.
void check_refused(ssize_t got, std::string_view what, Where where = here());

template <class Got, class Want>
void check_eq(const Got& got, const Want& want, std::string_view what, Where where = here()) {
    if (got == static_cast<Got>(want)) {
        return;
    }
    std::ostringstream text;
    text << what << ": got " << got << ", want " << want;
    fail(text.str(), where);
}

inline void check_same(const void* got, const void* want, std::string_view what,
                       Where where = here()) {
    check_eq<uintptr_t>(reinterpret_cast<uintptr_t>(got), reinterpret_cast<uintptr_t>(want), what,
                        where);
}

void diag(const std::string& line);

// A refused close is a failure of the case, but a destructor can only note it.
void note_close(int ret);

// What a hang is reported as, besides the name of the case.
void now_waiting_for(const char* what);

// The provider under test, and whether cases that hold rill to promises of its own apply.
const std::string& provider();
bool is_rill();
void only_rill(const char* why);

struct Case {
    std::string name;
    std::function<void()> run;
};

int run_cases(int argc, char** argv, std::span<const Case> cases);

// One end of a socket pair, for addresses and turn-taking between two processes.
class Channel {
public:
    explicit Channel(int fd) : fd_(fd) {}
    ~Channel();
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    void send(std::span<const uint8_t> bytes);
    std::vector<uint8_t> receive();
    // A send and a receive of nothing: both sides are at the same point.
    void sync();
    // The same, running `idle` meanwhile, for endpoints that still have work to do.
    void sync(const std::function<void()>& idle);
    bool readable() const;

private:
    int fd_;
};

// Runs both at once, `second` in a process of its own; fails if either does.
void two_processes(const std::function<void(Channel&)>& first,
                   const std::function<void(Channel&)>& second);

} // namespace functional
