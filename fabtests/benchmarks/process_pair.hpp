// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace bench {

// Exit codes, read by the compare script. 77 is automake's "skipped": what was to be measured
// is not there, which is no failure of it.
inline constexpr int exit_usage = 2;
inline constexpr int exit_failed = 3;
inline constexpr int exit_watchdog = 4;
inline constexpr int exit_missing = 77;

// Ends the process with one line on stderr: program, what is measured, process, call, reason.
[[noreturn]] void fail(const char* call, const std::string& reason, int code = exit_failed);
[[noreturn]] void fail_errno(const char* call);

// What the watchdog names when the time is over. Only string literals: a signal handler reads it.
void set_phase(const char* phase);

// What the client asks the server to do next.
struct Command {
    std::uint64_t count = 0;
    bool verify = false;
    bool quit = false;
};

// Two processes with a channel between them that is independent of what is measured: made by one
// fork on one host, each on its own processor, or started apart, on two hosts. Neither outlives the
// other or the watchdog.
class ProcessPair {
public:
    struct Settings {
        std::string program;
        std::string subject; // what error texts name: the provider
        std::optional<std::array<int, 2>> cpus;
        unsigned watchdog_s = 20;
        // ADDRESS:PORT of the channel, for processes that are started apart: the server listens
        // there, the client connects. Both empty: this process forks the other.
        std::string listen, connect;
    };

    static ProcessPair start(const Settings& settings);

    ProcessPair(const ProcessPair&) = delete;
    ProcessPair& operator=(const ProcessPair&) = delete;
    ~ProcessPair();

    [[nodiscard]] bool is_client() const { return client_; }

    void write(const void* data, std::size_t size);
    void read(void* data, std::size_t size);
    [[nodiscard]] std::string exchange(const std::string& mine);

    // Commands are polled for, so that the server can drive its provider while it waits.
    void order(const Command& command) { write(&command, sizeof command); }
    [[nodiscard]] bool try_command(Command& command);

    // The server has done what must be done ahead of the clock.
    void signal_ready();
    void await_ready();

    // A client that forked its server waits for its end. Others: nothing.
    void join();

private:
    ProcessPair(int channel, bool client, pid_t child)
        : channel_(channel), client_(client), child_(child) {}

    static ProcessPair fork_peer(const Settings& settings);

    int channel_;
    bool client_;
    pid_t child_; // the server, if this process forked it; else 0
};

} // namespace bench
