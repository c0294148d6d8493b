// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Child processes that know each other's addresses, with a socket to each other out of band.

#pragma once

#include "endpoint.hpp"

#include <sys/types.h>

#include <functional>
#include <vector>

namespace faults {

// One side of a stream socket between two processes; carries addresses and single bytes.
class Wire {
public:
    explicit Wire(int socket_) : socket(socket_) {}
    void send(const Address& address) const;
    [[nodiscard]] Address receive() const;
    void signal() const;
    void await() const;               // the other side's signal; its end ends this process too
    [[nodiscard]] bool ready() const; // there is a signal, or the other side is gone

private:
    int socket;
};

// Forks one process for each body, before anything of libfabric is open, and gives body i the
// wires to all the others, indexed by their number (its own is unused).
class Processes {
public:
    using Body = std::function<int(const std::vector<Wire>&)>;
    explicit Processes(const std::vector<Body>& bodies);
    ~Processes(); // kills and reaps who is left

    Processes(const Processes&) = delete;
    Processes& operator=(const Processes&) = delete;

    [[nodiscard]] pid_t pid(size_t index) const { return pids[index]; }

    // What waitpid says, or -1 when it has not ended by then.
    int wait(size_t index, Clock::time_point deadline);

private:
    std::vector<pid_t> pids; // 0 when reaped
};

// "" when the status is that of a normal end with exit code 0.
[[nodiscard]] std::string describe_end(int status);

} // namespace faults
