// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "completion_cases.hpp"

#include <atomic>
#include <thread>

#include <poll.h>
#include <sched.h>

namespace functional {

namespace {

Config waiting(fi_wait_obj wait_obj, fi_progress progress = FI_PROGRESS_MANUAL) {
    Config config;
    config.wait_obj = wait_obj;
    config.progress = progress;
    return config;
}

void refused_without_wait_object() {
    Side side;
    fi_cq_tagged_entry entry;
    fi_addr_t source;
    check_refused(fi_cq_sread(side.rx.get(), &entry, 1, nullptr, 0), "fi_cq_sread");
    check_refused(fi_cq_sreadfrom(side.rx.get(), &entry, 1, &source, nullptr, 0),
                  "fi_cq_sreadfrom");
    check_refused(fi_cq_signal(side.rx.get()), "fi_cq_signal");
    int fd = -1;
    check_refused(fi_control(&side.rx.get()->fid, FI_GETWAIT, &fd), "FI_GETWAIT");
}

void times_out(fi_wait_obj wait_obj) {
    Side side(waiting(wait_obj));
    fi_cq_tagged_entry entry;
    fi_addr_t source;
    for (const int timeout_ms : {0, 1, 30}) {
        check_ret(fi_cq_sread(side.rx.get(), &entry, 1, nullptr, timeout_ms), -FI_EAGAIN,
                  "fi_cq_sread with nothing to come");
        check_ret(fi_cq_sreadfrom(side.rx.get(), &entry, 1, &source, nullptr, timeout_ms),
                  -FI_EAGAIN, "fi_cq_sreadfrom with nothing to come");
    }
}

// A thread asleep without a limit is woken; the signal may come before it sleeps as well.
void signalled(fi_wait_obj wait_obj) {
    Config config = waiting(wait_obj);
    config.threading = FI_THREAD_SAFE;
    Side side(config);
    std::atomic<bool> back = false;
    std::atomic<ssize_t> got = 0;
    std::thread sleeper([&] {
        fi_cq_tagged_entry entry;
        got = fi_cq_sread(side.rx.get(), &entry, 1, nullptr, -1);
        back = true;
    });
    now_waiting_for("a signalled thread to come back");
    while (!back) {
        fi_cq_signal(side.rx.get());
        sched_yield();
    }
    sleeper.join();
    check(got <= 0 && got != -FI_EAVAIL, "no completion and no error entry");
}

using Sleeper = std::function<ssize_t(Side&, Cq&, fi_cq_tagged_entry*, fi_addr_t*)>;

ssize_t by_sread(Side&, Cq& cq, fi_cq_tagged_entry* entry, fi_addr_t* source) {
    return fi_cq_sreadfrom(cq.get(), entry, 1, source, nullptr, -1);
}

ssize_t by_fd(Side& side, Cq& cq, fi_cq_tagged_entry* entry, fi_addr_t* source) {
    int fd = -1;
    check_ok(fi_control(&cq.get()->fid, FI_GETWAIT, &fd), "FI_GETWAIT");
    check(fd >= 0, "a descriptor");
    fid* waits[] = {&cq.get()->fid};
    for (;;) {
        const ssize_t got = fi_cq_readfrom(cq.get(), entry, 1, source);
        if (got != -FI_EAGAIN) {
            return got;
        }
        const int may_wait = fi_trywait(side.fabric.get(), waits, 1);
        check(may_wait == 0 || may_wait == -FI_EAGAIN, "fi_trywait");
        if (may_wait == 0) {
            pollfd slot{fd, POLLIN, 0};
            poll(&slot, 1, -1);
        }
    }
}

Completion sleep_for(Side& side, Cq& cq, const Sleeper& sleeper) {
    fi_cq_tagged_entry entry{};
    Completion one;
    ssize_t got = -FI_EAGAIN;
    // An early return without an entry is allowed: anything may signal a wait.
    while (got == -FI_EAGAIN) {
        got = sleeper(side, cq, &entry, &one.source);
    }
    check_ret(got, 1, "waiting for a completion");
    one.context = entry.op_context;
    one.len = entry.len;
    return one;
}

// Both processes only ever sleep: on the send queue, then on the receive queue.
void sleep_ping_pong(const Config& config, const Sleeper& sleeper) {
    const auto play = [&](Channel& channel, bool serves) {
        Side side(config);
        const fi_addr_t peer = exchange(side, channel);
        for (uint32_t round = 0; round < 60; ++round) {
            const size_t size = round % 10 == 9 ? 500000 : round;
            Bytes buffer(size);
            Op op;
            now_waiting_for("a completion, asleep");
            if ((round % 2 == 0) == serves) {
                fill(buffer, round);
                side.post(
                    [&] { return send(side, transfer(Kind::tagged, buffer, peer, &op, round)); });
                // Room to post may have been made by a read that took the completion.
                const Completion one =
                    side.tx.empty() ? sleep_for(side, side.tx, sleeper) : side.tx.take();
                check_same(one.context, &op, "the send");
            } else {
                side.post([&] {
                    return receive(side, transfer(Kind::tagged, buffer, peer, &op, round));
                });
                const Completion one =
                    side.rx.empty() ? sleep_for(side, side.rx, sleeper) : side.rx.take();
                check_same(one.context, &op, "the receive");
                check_eq(one.len, size, "length");
                check_filled(buffer.data(), size, round);
            }
        }
        channel.sync([&] { side.poll(); });
    };
    two_processes([&](Channel& one) { play(one, true); }, [&](Channel& two) { play(two, false); });
}

// With something to read, waiting is not safe, and fi_trywait says so.
void trywait_with_entries() {
    Pair pair(waiting(FI_WAIT_FD));
    Bytes in(8);
    Bytes out(8);
    Op ops[2];
    pair.post(
        [&] { return receive(pair.b(), transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[0])); });
    pair.post([&] { return send(pair.a(), transfer(Kind::tagged, out, pair.to_b(), &ops[1])); });
    fid* waits[] = {&pair.b().rx.get()->fid};
    now_waiting_for("fi_trywait to refuse");
    int ret = 0;
    while ((ret = fi_trywait(pair.b().fabric.get(), waits, 1)) == 0) {
        pair.a().poll();
        fi_cq_read(pair.b().rx.get(), nullptr, 0);
    }
    check_ret(ret, -FI_EAGAIN, "fi_trywait with a completion there");
    pair.received(1);
    pair.sent(0);
}

void fd_is_readable() {
    Pair pair(waiting(FI_WAIT_FD, FI_PROGRESS_AUTO));
    int fd = -1;
    check_ok(fi_control(&pair.b().rx.get()->fid, FI_GETWAIT, &fd), "FI_GETWAIT");
    Bytes in(8);
    Bytes out(8);
    Op ops[2];
    pair.post(
        [&] { return receive(pair.b(), transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[0])); });
    fid* waits[] = {&pair.b().rx.get()->fid};
    while (fi_trywait(pair.b().fabric.get(), waits, 1) != 0) {
        pair.b().poll();
    }
    pair.post([&] { return send(pair.a(), transfer(Kind::tagged, out, pair.to_b(), &ops[1])); });
    // Under automatic progress nobody needs to read for the descriptor to tell.
    now_waiting_for("the descriptor to become readable");
    pollfd slot{fd, POLLIN, 0};
    check(poll(&slot, 1, -1) == 1 && slot.revents != 0, "the descriptor is signalled");
    pair.received(1);
    pair.sent(0);
}

void wait_object_query() {
    Side none;
    Side fd(waiting(FI_WAIT_FD));
    fi_wait_obj kind = FI_WAIT_SET;
    check_ok(fi_control(&fd.rx.get()->fid, FI_GETWAITOBJ, &kind), "FI_GETWAITOBJ");
    check_eq(kind, FI_WAIT_FD, "the wait object that was asked for");
    // Without a wait object the query may as well have nothing to answer.
    const int ret = fi_control(&none.rx.get()->fid, FI_GETWAITOBJ, &kind);
    check(ret < 0 || kind == FI_WAIT_NONE, "no wait object where none was asked for");
}

} // namespace

void add_wait_cases(std::vector<Case>& cases) {
    cases.push_back({"sread without a wait object", refused_without_wait_object});
    cases.push_back({"wait object query", wait_object_query});
    const std::pair<const char*, fi_wait_obj> kinds[] = {{"unspec", FI_WAIT_UNSPEC},
                                                         {"fd", FI_WAIT_FD}};
    const std::pair<const char*, fi_progress> modes[] = {{"manual", FI_PROGRESS_MANUAL},
                                                         {"auto", FI_PROGRESS_AUTO}};
    for (const auto& [name, kind] : kinds) {
        cases.push_back(
            {std::string("sread times out, ") + name, [kind = kind] { times_out(kind); }});
        cases.push_back({std::string("signal, ") + name, [kind = kind] { signalled(kind); }});
        for (const auto& [mode_name, mode] : modes) {
            cases.push_back(
                {std::string("sread, ") + name + ", " + mode_name,
                 [kind = kind, mode = mode] { sleep_ping_pong(waiting(kind, mode), by_sread); }});
        }
    }
    for (const auto& [mode_name, mode] : modes) {
        cases.push_back({std::string("trywait and poll, ") + mode_name,
                         [mode = mode] { sleep_ping_pong(waiting(FI_WAIT_FD, mode), by_fd); }});
    }
    cases.push_back({"trywait with entries", trywait_with_entries});
    cases.push_back({"descriptor tells under auto progress", fd_is_readable});
}

} // namespace functional
