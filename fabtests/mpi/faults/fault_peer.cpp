// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// rill_fault_peer: a process is killed, or stopped for good, while others have operations with it
// under way. Every one of them must complete with an error within the time allowed; operations
// between the survivors, and a receive that any of them could satisfy, must not.

#include "processes.hpp"

#include <rdma/fi_errno.h>

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <list>

namespace faults {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

enum Role : size_t { survivor, victim, bystander, roles };

constexpr uint64_t hello_tag = 1, unwanted_tag = 2, never_tag = 3, ping_tag = 4, any_tag = 5;
constexpr size_t small_bytes = 8;
constexpr size_t large_bytes = 8'000'000; // beyond what any transport takes without a receive
constexpr seconds exchange_time_max{20};

struct Options {
    int death_signal = SIGKILL;
    milliseconds allowed{0}; // from the death to the last error
};

struct Transfer {
    Operation operation{};
    std::vector<std::byte> data;
};

class Party {
public:
    Party(Role me_, const std::vector<Wire>& wires_) : me(me_), wires(wires_) {
        for (size_t role = 0; role < roles; ++role)
            if (role != me) wires[role].send(endpoint.address());
        for (size_t role = 0; role < roles; ++role)
            if (role != me) peers[role] = endpoint.add(wires[role].receive());
    }

    Transfer& receive(const char* name, size_t bytes, fi_addr_t from, uint64_t tag) {
        Transfer& one = all.emplace_back();
        one.operation.name = name;
        one.data.resize(bytes);
        require(endpoint.receive(one.operation, one.data, from, tag), name);
        return one;
    }

    // Refused at once, or accepted: both are answers, so the code goes back.
    int try_send(const char* name, size_t bytes, fi_addr_t to, uint64_t tag, Transfer*& sent) {
        Transfer& one = all.emplace_back();
        one.operation.name = name;
        one.data.resize(bytes);
        fill(one.data, tag);
        int code = endpoint.send(one.operation, one.data, to, tag);
        sent = code == 0 ? &one : nullptr;
        return code;
    }

    Transfer& send(const char* name, size_t bytes, fi_addr_t to, uint64_t tag) {
        Transfer* sent = nullptr;
        require(try_send(name, bytes, to, tag, sent), name);
        return *sent;
    }

    void expect_good(Transfer& one, seconds patience) {
        if (!endpoint.wait(one.operation, Clock::now() + patience))
            die("%s is not complete after %d s", one.operation.name.c_str(),
                static_cast<int>(patience.count()));
        const Completion* completion = endpoint.done(one.operation);
        if (completion->error)
            die("%s failed: %s", one.operation.name.c_str(), fi_strerror(completion->error));
    }

    // Small and large, both ways, with everybody.
    void exchange() {
        std::list<Transfer*> mine;
        for (size_t role = 0; role < roles; ++role)
            for (size_t bytes : {small_bytes, large_bytes})
                if (role != me) {
                    mine.push_back(&receive("receive of the first exchange", bytes, peers[role],
                                            hello_tag + (bytes << 8)));
                    mine.push_back(&send("send of the first exchange", bytes, peers[role],
                                         hello_tag + (bytes << 8)));
                }
        for (Transfer* one : mine)
            expect_good(*one, exchange_time_max);
    }

    // The survivors' own traffic, which nothing may disturb.
    void ping(Role with) {
        Transfer& in = receive("survivors' receive", 1000, peers[with], ping_tag);
        Transfer& out = send("survivors' send", 1000, peers[with], ping_tag);
        expect_good(out, exchange_time_max);
        expect_good(in, exchange_time_max);
        all.pop_back();
        all.pop_back();
    }

    Role me;
    const std::vector<Wire>& wires;
    Endpoint endpoint;
    fi_addr_t peers[roles] = {};
    std::list<Transfer> all; // stable addresses

private:
    static void require(int code, const char* name) {
        if (code != 0) die("%s: %s", name, fi_strerror(-code));
    }
};

int play_victim(const Options& options, const std::vector<Wire>& wires) {
    Party party(victim, wires);
    party.exchange();
    wires[survivor].signal();
    // It reads its queue to the last, as a program does; what it was sent it never asks for.
    while (!wires[survivor].ready())
        party.endpoint.progress();
    raise(options.death_signal);
    return 1;
}

int play_bystander(const std::vector<Wire>& wires) {
    Party party(bystander, wires);
    party.exchange();
    wires[survivor].signal();
    // Ping for as long as the survivor wants; a signal on the wire says when to stop.
    for (;;) {
        wires[survivor].await();
        Transfer& in = party.receive("word of the survivor", 1, party.peers[survivor], any_tag);
        party.expect_good(in, seconds(60));
        bool more = in.data[0] != std::byte{0};
        party.all.pop_back();
        if (!more) return 0;
        party.ping(survivor);
    }
}

void word_to_bystander(Party& party, bool more) {
    party.wires[bystander].signal();
    Transfer& out = party.all.emplace_back();
    out.operation.name = "word to the bystander";
    out.data = {std::byte{more}};
    if (party.endpoint.send(out.operation, out.data, party.peers[bystander], any_tag) != 0)
        die("the word to the bystander was refused");
    party.expect_good(out, exchange_time_max);
    party.all.pop_back();
}

// Operations that the death must end, in the order of their posting.
struct Doomed {
    Party& party;
    std::list<Transfer*> pending = {};
    bool dead =
        false; // from then on a send may be refused, but not as one that could succeed later

    void post(const char* when) {
        pending.push_back(&party.receive(when, 100, party.peers[victim], never_tag));
        pending.back()->operation.name = std::string("directed receive posted ") + when;
        send("large send posted ", when, large_bytes);
    }

    void send(const char* what, const char* when, size_t bytes) {
        Transfer* sent = nullptr;
        std::string name = std::string(what) + when;
        int code = party.try_send(name.c_str(), bytes, party.peers[victim], unwanted_tag, sent);
        if (sent) {
            pending.push_back(sent);
        } else {
            if (!dead || code == -FI_EAGAIN)
                die("%s: refused: %s", name.c_str(), fi_strerror(-code));
            printf("  %-45s refused: %s\n", name.c_str(), fi_strerror(-code));
        }
    }

    void expect_errors(Clock::time_point death, milliseconds allowed) {
        for (Transfer* one : pending) {
            const char* name = one->operation.name.c_str();
            if (!party.endpoint.wait(one->operation, death + allowed))
                die("%s: nothing after %lld ms", name, static_cast<long long>(allowed.count()));
            const Completion* completion = party.endpoint.done(one->operation);
            auto after = std::chrono::duration_cast<milliseconds>(completion->when - death);
            if (completion->error == 0)
                die("%s: completed without an error, to a dead process", name);
            printf("  %-45s failed after %6lld ms: %s (provider's code %d)\n", name,
                   static_cast<long long>(after.count()), fi_strerror(completion->error),
                   completion->provider_error);
        }
        pending.clear();
    }
};

int play_survivor(const Options& options, const std::vector<Wire>& wires, const Wire& parent) {
    Party party(survivor, wires);
    party.exchange();
    wires[victim].await();
    wires[bystander].await();

    Doomed doomed{party};
    doomed.post("before the death");
    Transfer& open =
        party.receive("receive from anybody", small_bytes, FI_ADDR_UNSPEC, any_tag + 1);
    for (int i = 0; i < 100; ++i)
        party.endpoint.progress();

    wires[victim].signal();
    parent.await(); // it has seen the death
    auto death = Clock::now();
    doomed.dead = true;
    doomed.post("after the death");
    // A small one may have no answer to wait for but the acknowledgement, which cannot come.
    doomed.send("small send posted ", "after the death", small_bytes);
    word_to_bystander(party, true);
    party.ping(bystander);
    doomed.expect_errors(death, options.allowed);

    // From now on the answer is at hand.
    auto again = Clock::now();
    doomed.send("small send posted ", "when it is known", small_bytes);
    doomed.expect_errors(again, options.allowed);
    word_to_bystander(party, true);
    party.ping(bystander);
    if (party.endpoint.done(open.operation))
        die("a receive from anybody was ended by one peer's death");
    word_to_bystander(party, false);
    fflush(stdout);
    return 0;
}

bool seen_dead(Processes& processes, const Options& options) {
    if (options.death_signal == SIGKILL) {
        int status = processes.wait(victim, Clock::now() + 3 * exchange_time_max);
        return status != -1 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    }
    int status = 0;
    return waitpid(processes.pid(victim), &status, WUNTRACED) == processes.pid(victim) &&
           WIFSTOPPED(status);
}

int run(const Options& options) {
    // The parent is the fourth party: it alone can see that the victim is gone.
    int ends[2];
    if (pipe(ends) != 0) die("pipe: %s", strerror(errno));
    Wire from_parent(ends[0]);
    Processes processes({
        [&](const std::vector<Wire>& wires) { return play_survivor(options, wires, from_parent); },
        [&](const std::vector<Wire>& wires) { return play_victim(options, wires); },
        [&](const std::vector<Wire>& wires) { return play_bystander(wires); },
    });
    if (!seen_dead(processes, options)) {
        printf("FAIL: the process that was to die did not\n");
        return 1;
    }
    if (write(ends[1], "!", 1) != 1) die("pipe: %s", strerror(errno));
    auto deadline = Clock::now() + 2 * options.allowed + 3 * exchange_time_max;
    bool good = true;
    for (Role role : {survivor, bystander}) {
        std::string end = describe_end(processes.wait(role, deadline));
        if (end.empty()) continue;
        printf("FAIL: %s: %s\n", role == survivor ? "survivor" : "bystander", end.c_str());
        good = false;
    }
    return good ? 0 : 1;
}

} // namespace
} // namespace faults

int main(int argc, char** argv) {
    faults::Options options;
    bool good = argc == 3;
    if (good && strcmp(argv[1], "stop") == 0)
        options.death_signal = SIGSTOP;
    else
        good = good && strcmp(argv[1], "kill") == 0;
    int allowed_ms = 0;
    const char* text = argc == 3 ? argv[2] : "";
    auto [stop, error] = std::from_chars(text, text + strlen(text), allowed_ms);
    if (!good || error != std::errc() || *stop != '\0' || allowed_ms < 1) {
        fprintf(stderr, "usage: rill_fault_peer kill|stop MILLISECONDS-ALLOWED\n");
        return 2;
    }
    options.allowed = faults::milliseconds(allowed_ms);
    return faults::run(options);
}
