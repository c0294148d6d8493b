// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "process_pair.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace bench {
namespace {

// Signal handlers need these, and have no argument to get them by.
char label[160] = "bench";
std::atomic<const char*> current_phase{"start"};
pid_t watched_child = 0;

void write_text(const char* text) {
    [[maybe_unused]] auto written = ::write(STDERR_FILENO, text, std::strlen(text));
}

void on_alarm(int) {
    write_text(label);
    write_text(": watchdog: time is over in: ");
    write_text(current_phase.load());
    write_text("\n");
    ::_exit(exit_watchdog);
}

// The server has said on stderr why it failed; the client must not wait for it any longer.
// WNOWAIT leaves an orderly end to join().
void on_child(int) {
    const int saved_errno = errno;
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(watched_child), &info, WEXITED | WNOHANG | WNOWAIT) ==
            0 &&
        info.si_pid == watched_child) {
        if (info.si_code != CLD_EXITED) {
            write_text(label);
            write_text(": process 1 was killed by a signal\n");
            ::_exit(exit_failed);
        }
        if (info.si_status != 0) ::_exit(info.si_status);
    }
    errno = saved_errno;
}

void handle(int signal_number, void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    if (::sigaction(signal_number, &action, nullptr) != 0) fail_errno("sigaction");
}

void pin_to(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<unsigned>(cpu), &set);
    if (::sched_setaffinity(0, sizeof set, &set) != 0) fail_errno("sched_setaffinity");
}

struct AddressesFreer {
    void operator()(addrinfo* all) const { ::freeaddrinfo(all); }
};
using Addresses = std::unique_ptr<addrinfo, AddressesFreer>;

Addresses resolve(const std::string& address) {
    const auto colon = address.rfind(':');
    if (colon == std::string::npos) fail("address of the channel", "not ADDRESS:PORT: " + address);
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* all = nullptr;
    const int error = ::getaddrinfo(address.substr(0, colon).c_str(),
                                    address.substr(colon + 1).c_str(), &hints, &all);
    if (error != 0) fail("getaddrinfo", address + ": " + ::gai_strerror(error));
    return Addresses(all);
}

int open_socket(const addrinfo& where) {
    const int fd = ::socket(where.ai_family, where.ai_socktype | SOCK_CLOEXEC, 0);
    if (fd < 0) fail_errno("socket");
    return fd;
}

int accept_client(const std::string& address) {
    set_phase("waiting for the client");
    const Addresses where = resolve(address);
    const int listener = open_socket(*where);
    const int on = 1;
    ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(listener, where->ai_addr, where->ai_addrlen) != 0) fail_errno("bind");
    if (::listen(listener, 1) != 0) fail_errno("listen");
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) fail_errno("accept");
    ::close(listener);
    return fd;
}

// The two are started in any order: a server that is not there yet is waited for.
int connect_to_server(const std::string& address) {
    constexpr useconds_t pause_us = 10'000;
    set_phase("connecting to the server");
    const Addresses where = resolve(address);
    for (;;) {
        const int fd = open_socket(*where);
        if (::connect(fd, where->ai_addr, where->ai_addrlen) == 0) return fd;
        if (errno != ECONNREFUSED) fail_errno("connect");
        ::close(fd);
        ::usleep(pause_us);
    }
}

// What both processes do first: 0 is the client, 1 the server.
void begin(const ProcessPair::Settings& settings, int index) {
    std::snprintf(label, sizeof label, "%s: %s: process %d", settings.program.c_str(),
                  settings.subject.c_str(), index);
    handle(SIGALRM, on_alarm);
    ::alarm(settings.watchdog_s);
    if (settings.cpus) pin_to((*settings.cpus)[static_cast<std::size_t>(index)]);
}

} // namespace

void fail(const char* call, const std::string& reason, int code) {
    std::fprintf(stderr, "%s: %s: %s\n", label, call, reason.c_str());
    std::fflush(stderr);
    // No destructors: closing an object that has just failed may hang, and the process ends anyway.
    ::_exit(code);
}

void fail_errno(const char* call) {
    fail(call, std::strerror(errno));
}

void set_phase(const char* phase) {
    current_phase.store(phase, std::memory_order_relaxed);
}

ProcessPair ProcessPair::start(const Settings& settings) {
    std::snprintf(label, sizeof label, "%s: %s", settings.program.c_str(),
                  settings.subject.c_str());
    const bool apart = !settings.listen.empty() || !settings.connect.empty();
    if (!apart) return fork_peer(settings);
    const bool client = settings.listen.empty();
    begin(settings, client ? 0 : 1);
    const int channel =
        client ? connect_to_server(settings.connect) : accept_client(settings.listen);
    const int on = 1;
    ::setsockopt(channel, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return ProcessPair(channel, client, 0);
}

ProcessPair ProcessPair::fork_peer(const Settings& settings) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) fail_errno("socketpair");

    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) fail_errno("fork");
    const int index = child == 0 ? 1 : 0;
    ::close(ends[1 - index]);

    begin(settings, index);
    if (index == 1) {
        // Providers install handlers for SIGTERM that may not return from within their own start.
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(exit_failed);
    } else {
        watched_child = child;
        handle(SIGCHLD, on_child);
        on_child(SIGCHLD); // it may have ended before the handler was there
    }
    return ProcessPair(ends[index], index == 0, child);
}

ProcessPair::~ProcessPair() {
    ::close(channel_);
}

void ProcessPair::write(const void* data, std::size_t size) {
    if (::send(channel_, data, size, MSG_NOSIGNAL) != static_cast<ssize_t>(size))
        fail("send to the other process", "it has ended");
}

void ProcessPair::read(void* data, std::size_t size) {
    if (::recv(channel_, data, size, MSG_WAITALL) == static_cast<ssize_t>(size)) return;
    // The other process has said why it ended. The client's SIGCHLD handler takes its exit code
    // over, so that "missing" is not turned into "failed".
    if (child_ != 0) ::pause();
    ::_exit(exit_failed);
}

std::string ProcessPair::exchange(const std::string& mine) {
    std::uint64_t size = mine.size();
    write(&size, sizeof size);
    write(mine.data(), mine.size());
    read(&size, sizeof size);
    std::string theirs(size, '\0');
    read(theirs.data(), theirs.size());
    return theirs;
}

bool ProcessPair::try_command(Command& command) {
    const ssize_t got = ::recv(channel_, &command, sizeof command, MSG_DONTWAIT | MSG_PEEK);
    if (got == static_cast<ssize_t>(sizeof command)) {
        read(&command, sizeof command);
        return true;
    }
    if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR))) return false;
    fail("recv from the other process", "it has ended");
}

void ProcessPair::signal_ready() {
    const char ready = 1;
    write(&ready, sizeof ready);
}

void ProcessPair::await_ready() {
    char ready = 0;
    read(&ready, sizeof ready);
}

void ProcessPair::join() {
    if (child_ == 0) return;
    set_phase("waiting for process 1 to end");
    int status = 0;
    if (::waitpid(child_, &status, 0) != child_) fail_errno("waitpid");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) ::_exit(exit_failed);
}

} // namespace bench
