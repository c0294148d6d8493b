// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tap.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rdma/fabric.h>
#include <rdma/fi_errno.h>

namespace functional {

namespace {

constexpr int skipped_status = 77;
constexpr int hung_status = 78;

std::string provider_name = "rill";
const char* case_name = "";
// Of whichever thread said it last.
std::atomic<const char*> waiting_for = "";
std::atomic<int> first_refused_close = 0;
// Generous: sanitizers, impairment and a busy machine share it, and only a hang reaches it.
unsigned timeout_s = 180;

void say_safely(const char* text) {
    [[maybe_unused]] const ssize_t wrote = write(STDOUT_FILENO, text, strlen(text));
}

extern "C" void on_watchdog(int) {
    say_safely("# watchdog: case '");
    say_safely(case_name);
    say_safely("' hangs waiting for ");
    say_safely(waiting_for);
    say_safely("\n");
    _exit(hung_status);
}

void start_watchdog() {
    signal(SIGALRM, on_watchdog);
    alarm(timeout_s);
}

std::string code_name(ssize_t code) {
    if (code >= 0) {
        return std::to_string(code);
    }
    return std::to_string(code) + " (" + fi_strerror(static_cast<int>(-code)) + ")";
}

// The exit status of a case's process.
int run_guarded(const std::function<void()>& body) {
    try {
        body();
        check_ok(first_refused_close, "fi_close at the end of the case");
        return EXIT_SUCCESS;
    } catch (const Skip& skip) {
        diag(std::string("skip: ") + skip.what());
        return skipped_status;
    } catch (const std::exception& failure) {
        diag(failure.what());
        return EXIT_FAILURE;
    }
}

int wait_for(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return -1;
        }
    }
    return status;
}

std::string verdict(int status) {
    if (WIFSIGNALED(status)) {
        return std::string("killed by ") + strsignal(WTERMSIG(status));
    }
    return "status " + std::to_string(WEXITSTATUS(status));
}

bool run_case(size_t number, const Case& one) {
    fflush(stdout);
    case_name = one.name.c_str();
    const pid_t child = fork();
    if (child == 0) {
        start_watchdog();
        exit(run_guarded(one.run));
    }
    const int status = wait_for(child);
    const bool exited = child > 0 && WIFEXITED(status);
    if (exited && WEXITSTATUS(status) == EXIT_SUCCESS) {
        printf("ok %zu - %s\n", number, case_name);
        return true;
    }
    if (exited && WEXITSTATUS(status) == skipped_status) {
        printf("ok %zu - %s # SKIP\n", number, case_name);
        return true;
    }
    printf("# %s\nnot ok %zu - %s\n", verdict(status).c_str(), number, case_name);
    return false;
}

// Ends the second process if the first fails, so that nothing is left behind.
class Peer {
public:
    explicit Peer(pid_t pid) : pid_(pid) {}
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;
    ~Peer() {
        if (pid_ > 0) {
            kill(pid_, SIGKILL);
            wait_for(pid_);
        }
    }
    int join() {
        const pid_t pid = pid_;
        pid_ = -1;
        return wait_for(pid);
    }

private:
    pid_t pid_;
};

// Tests talk to nobody but themselves, unless their user says where.
void stay_on_loopback() {
    for (const char* name : {"FI_RILL_IFACE", "FI_TCP_IFACE", "FI_SOCKETS_IFACE"}) {
        setenv(name, "lo", 0);
    }
}

} // namespace

void fail(const std::string& what, Where where) {
    const char* base = strrchr(where.file, '/');
    std::ostringstream text;
    text << (base ? base + 1 : where.file) << ':' << where.line << ": " << what;
    throw Failure(text.str());
}

void check(bool holds, std::string_view what, Where where) {
    if (!holds) {
        fail(std::string(what), where);
    }
}

void check_ret(ssize_t got, ssize_t want, std::string_view what, Where where) {
    if (got != want) {
        fail(std::string(what) + ": got " + code_name(got) + ", want " + code_name(want), where);
    }
}

void check_ok(ssize_t got, std::string_view what, Where where) {
    check_ret(got, 0, what, where);
}

void check_refused(ssize_t got, std::string_view what, Where where) {
    if (got >= 0 || got == -FI_EAGAIN) {
        fail(std::string(what) + ": got " + code_name(got) + ", want an error", where);
    }
}

void diag(const std::string& line) {
    // One write, so that lines of two processes do not mix.
    std::string text = "# " + line + "\n";
    fflush(stdout);
    say_safely(text.c_str());
}

void now_waiting_for(const char* what) {
    waiting_for.store(what, std::memory_order_relaxed);
}

void note_close(int ret) {
    int none = 0;
    first_refused_close.compare_exchange_strong(none, ret);
}

const std::string& provider() {
    return provider_name;
}

bool is_rill() {
    return provider_name == "rill";
}

void only_rill(const char* why) {
    if (!is_rill()) {
        throw Skip(std::string("rill only: ") + why);
    }
}

int run_cases(int argc, char** argv, std::span<const Case> cases) {
    stay_on_loopback();
    if (const char* name = getenv("FUNCTIONAL_PROVIDER")) {
        provider_name = name;
    }
    if (const char* limit = getenv("FUNCTIONAL_TIMEOUT_S")) {
        timeout_s = static_cast<unsigned>(strtoul(limit, nullptr, 10));
    }
    std::string filter;
    for (int at = 1; at < argc; ++at) {
        const std::string_view word = argv[at];
        if (word == "--provider" && at + 1 < argc) {
            provider_name = argv[++at];
        } else if (word == "--case" && at + 1 < argc) {
            filter = argv[++at];
        } else {
            fprintf(stderr, "usage: %s [--provider NAME] [--case PART-OF-NAME]\n", argv[0]);
            return EXIT_FAILURE;
        }
    }
    std::vector<Case> chosen;
    for (const Case& one : cases) {
        if (one.name.find(filter) != std::string::npos) {
            chosen.push_back(one);
        }
    }
    printf("1..%zu\n", chosen.size());
    size_t failed = 0;
    for (size_t at = 0; at < chosen.size(); ++at) {
        failed += run_case(at + 1, chosen[at]) ? 0 : 1;
    }
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

Channel::~Channel() {
    close(fd_);
}

void Channel::send(std::span<const uint8_t> bytes) {
    const uint32_t size = static_cast<uint32_t>(bytes.size());
    std::vector<uint8_t> framed(sizeof size + bytes.size());
    memcpy(framed.data(), &size, sizeof size);
    if (!bytes.empty()) {
        memcpy(framed.data() + sizeof size, bytes.data(), bytes.size());
    }
    const ssize_t sent = ::send(fd_, framed.data(), framed.size(), MSG_NOSIGNAL);
    check(sent == static_cast<ssize_t>(framed.size()), "the other process has gone");
}

std::vector<uint8_t> Channel::receive() {
    now_waiting_for("the other process");
    uint32_t size = 0;
    ssize_t got = recv(fd_, &size, sizeof size, MSG_WAITALL);
    check(got == static_cast<ssize_t>(sizeof size), "the other process has gone");
    std::vector<uint8_t> bytes(size);
    if (size > 0) {
        got = recv(fd_, bytes.data(), size, MSG_WAITALL);
        check(got == static_cast<ssize_t>(size), "the other process has gone");
    }
    return bytes;
}

void Channel::sync() {
    send({});
    receive();
}

void Channel::sync(const std::function<void()>& idle) {
    send({});
    while (!readable()) {
        idle();
    }
    receive();
}

bool Channel::readable() const {
    pollfd entry{fd_, POLLIN, 0};
    return poll(&entry, 1, 0) > 0;
}

void two_processes(const std::function<void(Channel&)>& first,
                   const std::function<void(Channel&)>& second) {
    int ends[2];
    check_ok(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
    fflush(stdout);
    const pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) {
        close(ends[0]);
        start_watchdog();
        exit(run_guarded([&] {
            Channel channel(ends[1]);
            second(channel);
        }));
    }
    close(ends[1]);
    Peer peer(pid);
    {
        Channel channel(ends[0]);
        first(channel);
    }
    now_waiting_for("the other process to exit");
    const int status = peer.join();
    if (WIFEXITED(status) && WEXITSTATUS(status) == skipped_status) {
        throw Skip("the other process skipped");
    }
    check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "other process: " + verdict(status));
}

} // namespace functional
