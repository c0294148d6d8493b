// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

#include "processes.hpp"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace faults {
namespace {

void read_all(int socket, void* data, size_t bytes) {
    for (auto* at = static_cast<char*>(data); bytes > 0;) {
        ssize_t count = read(socket, at, bytes);
        if (count <= 0) die("the peer process closed its wire early");
        at += count;
        bytes -= static_cast<size_t>(count);
    }
}

void write_all(int socket, const void* data, size_t bytes) {
    if (::send(socket, data, bytes, MSG_NOSIGNAL) != static_cast<ssize_t>(bytes))
        die("the peer process no longer reads its wire");
}

} // namespace

void Wire::send(const Address& address) const {
    uint32_t length = static_cast<uint32_t>(address.size());
    write_all(socket, &length, sizeof length);
    write_all(socket, address.data(), length);
}

Address Wire::receive() const {
    uint32_t length = 0;
    read_all(socket, &length, sizeof length);
    Address address(length);
    read_all(socket, address.data(), length);
    return address;
}

void Wire::signal() const {
    write_all(socket, "!", 1);
}

void Wire::await() const {
    char byte = 0;
    read_all(socket, &byte, 1);
}

bool Wire::ready() const {
    pollfd poller{socket, POLLIN, 0};
    return poll(&poller, 1, 0) == 1;
}

Processes::Processes(const std::vector<Body>& bodies) {
    size_t count = bodies.size();
    // ends[i][j] is what process i holds towards process j.
    std::vector<std::vector<int>> ends(count, std::vector<int>(count, -1));
    for (size_t i = 0; i < count; ++i)
        for (size_t j = i + 1; j < count; ++j) {
            int pair[2];
            if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
                die("socketpair: %s", strerror(errno));
            ends[i][j] = pair[0];
            ends[j][i] = pair[1];
        }
    pid_t parent = getpid();
    for (size_t i = 0; i < count; ++i) {
        pid_t pid = fork();
        if (pid < 0) die("fork: %s", strerror(errno));
        if (pid > 0) {
            pids.push_back(pid);
            continue;
        }
        prctl(PR_SET_PDEATHSIG, SIGKILL); // nobody is left when the test itself is ended
        if (getppid() != parent) _exit(1);
        std::vector<Wire> wires;
        for (size_t j = 0; j < count; ++j) {
            wires.emplace_back(ends[i][j]);
            for (size_t k = 0; k < count; ++k)
                if (j != i && ends[j][k] >= 0) ::close(ends[j][k]);
        }
        exit(bodies[i](wires));
    }
    for (auto& row : ends)
        for (int end : row)
            if (end >= 0) ::close(end);
}

Processes::~Processes() {
    for (pid_t pid : pids)
        if (pid > 0) {
            kill(pid, SIGKILL);
            waitpid(pid, nullptr, 0);
        }
}

int Processes::wait(size_t index, Clock::time_point deadline) {
    for (;;) {
        int status = 0;
        pid_t pid = waitpid(pids[index], &status, WNOHANG);
        if (pid == pids[index]) {
            pids[index] = 0;
            return status;
        }
        if (Clock::now() > deadline) return -1;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

std::string describe_end(int status) {
    if (status == -1) return "did not end in time";
    if (WIFSIGNALED(status)) return std::string("ended by signal ") + strsignal(WTERMSIG(status));
    if (WEXITSTATUS(status) != 0) return "exit code " + std::to_string(WEXITSTATUS(status));
    return "";
}

} // namespace faults
