// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Waiting for, and looking at, several queues and counters at once: poll sets, wait sets and
// fi_trywait.
#include "harness.hpp"

#include <algorithm>
#include <atomic>
#include <thread>

#include <poll.h>
#include <sched.h>

using namespace functional;

namespace {

using PollSet = Handle<fid_poll>;

PollSet open_poll_set(const Domain& domain) {
    fi_poll_attr attr{};
    fid_poll* set = nullptr;
    check_ok(fi_poll_open(domain.get(), &attr, &set), "fi_poll_open");
    return PollSet(set);
}

WaitSet open_wait_set(const Fabric& fabric, fi_wait_obj kind) {
    fi_wait_attr attr{};
    attr.wait_obj = kind;
    fid_wait* set = nullptr;
    check_ok(fi_wait_open(fabric.get(), &attr, &set), "fi_wait_open");
    return WaitSet(set);
}

// What the set reports at once, by context, in any order.
std::vector<void*> polled(const PollSet& set, int room = 8) {
    std::vector<void*> contexts(static_cast<size_t>(room));
    const int got = fi_poll(set.get(), contexts.data(), room);
    check(got >= 0 && got <= room, "fi_poll gave " + std::to_string(got));
    contexts.resize(static_cast<size_t>(got));
    return contexts;
}

bool holds(const std::vector<void*>& contexts, const fid* one) {
    return std::find(contexts.begin(), contexts.end(), one->context) != contexts.end();
}

void poll_set_members() {
    Side side;
    Side other;
    const Counter counter = open_counter(side.domain);
    const Counter strange = open_counter(other.domain);
    PollSet set = open_poll_set(side.domain);
    check_refused(fi_poll_add(set.get(), side.av.id(), 0), "what is no queue or counter");
    check_refused(fi_poll_add(set.get(), counter.id(), 1), "flags are reserved");
    check_refused(fi_poll_add(set.get(), strange.id(), 0), "of another domain");
    check_refused(fi_poll_del(set.get(), counter.id(), 0), "what is not in it");
    check_ok(fi_poll_add(set.get(), counter.id(), 0), "adding a counter");
    check_refused(fi_poll_add(set.get(), counter.id(), 0), "adding it again");
    check_ok(fi_poll_del(set.get(), counter.id(), 0), "taking it out");
    check_ok(fi_poll_add(set.get(), counter.id(), 0), "and in again");
    check_ret(fi_close(counter.id()), -FI_EBUSY, "closing a member");
    check_refused(fi_close(side.domain.id()), "closing the domain");
    check_ok(set.close(), "closing the set");
    fi_poll_attr attr{};
    attr.flags = 1;
    fid_poll* refused = nullptr;
    check_refused(fi_poll_open(side.domain.get(), &attr, &refused), "flags are reserved");
}

// Queues are reported while they hold something, counters when they have changed.
void poll_set_reports() {
    int marks[2];
    Pair pair;
    fi_cntr_attr attr{};
    fid_cntr* opened = nullptr;
    check_ok(fi_cntr_open(pair.b().domain.get(), &attr, &opened, &marks[0]), "fi_cntr_open");
    const Counter counter(opened);
    pair.b().rx.get()->fid.context = &marks[1];
    const PollSet set = open_poll_set(pair.b().domain);
    check_ok(fi_poll_add(set.get(), &pair.b().rx.get()->fid, 0), "adding the queue");
    check_ok(fi_poll_add(set.get(), counter.id(), 0), "adding the counter");
    check_eq(polled(set).size(), 0u, "nothing has happened");
    check_ok(fi_cntr_add(opened, 1), "fi_cntr_add");
    check_eq(polled(set).size(), 0u, "a change by hand is known to who made it");
    check_ok(fi_cntr_adderr(opened, 1), "fi_cntr_adderr");
    check(holds(polled(set), counter.id()), "an error");
    check_eq(polled(set).size(), 0u, "reported once");

    Bytes out(10);
    Bytes in(10);
    Op ops[2];
    pair.post(
        [&] { return receive(pair.b(), transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[0])); });
    pair.post([&] { return send(pair.a(), transfer(Kind::tagged, out, pair.to_b(), &ops[1])); });
    now_waiting_for("the poll set to report the queue");
    while (polled(set).empty()) {
        pair.a().poll(); // the receiver is run by fi_poll alone
    }
    check(holds(polled(set), &pair.b().rx.get()->fid), "again, while it is not read");
    check_eq(polled(set, 0).size(), 0u, "no room for an answer");
    pair.received(1);
    check_eq(polled(set).size(), 0u, "not when it was read");
}

// An endpoint with a counter for receives: messages make the counter appear.
void poll_set_counts() {
    Counter receives;
    Config config;
    config.prepare = [&](Side& side) {
        if (!receives.get()) {
            receives = open_counter(side.domain);
            check_ok(fi_ep_bind(side.ep.get(), receives.id(), FI_RECV), "bind");
        }
    };
    auto counted = std::make_unique<Side>(config);
    Side sender;
    const fi_addr_t to = sender.insert(counted->name());
    {
        const PollSet set = open_poll_set(counted->domain);
        check_ok(fi_poll_add(set.get(), receives.id(), 0), "adding the counter");
        Bytes buffer(10);
        Op ops[2];
        for (uint64_t at = 1; at <= 3; ++at) {
            check_ok(receive(*counted, transfer(Kind::msg, buffer, FI_ADDR_UNSPEC, &ops[0])),
                     "receive");
            sender.post([&] { return send(sender, transfer(Kind::msg, buffer, to, &ops[1])); });
            now_waiting_for("the poll set to report the counter");
            while (polled(set).empty()) {
                sender.poll();
            }
            check_eq(fi_cntr_read(receives.get()), at, "its value");
        }
    }
    check_ok(counted->ep.close(), "closing the endpoint");
    check_ok(receives.close(), "closing the counter");
}

void wait_set_kinds() {
    Side side;
    fi_wait_attr attr{};
    fid_wait* opened = nullptr;
    for (const fi_wait_obj kind : {FI_WAIT_NONE, FI_WAIT_SET, FI_WAIT_MUTEX_COND, FI_WAIT_POLLFD,
                                   static_cast<fi_wait_obj>(FI_WAIT_POLLFD + 1)}) {
        attr.wait_obj = kind;
        check_refused(fi_wait_open(side.fabric.get(), &attr, &opened), "a kind of wait set");
    }
    attr.wait_obj = FI_WAIT_FD;
    attr.flags = 1;
    check_refused(fi_wait_open(side.fabric.get(), &attr, &opened), "flags are reserved");
    const WaitSet set = open_wait_set(side.fabric, FI_WAIT_UNSPEC);
    fi_wait_obj kind = FI_WAIT_NONE;
    check_ok(fi_control(set.id(), FI_GETWAITOBJ, &kind), "FI_GETWAITOBJ");
    check_eq(static_cast<int>(kind), static_cast<int>(FI_WAIT_FD), "its kind");

    fi_cq_attr queue{};
    queue.wait_obj = FI_WAIT_SET;
    fid_cq* cq = nullptr;
    check_refused(fi_cq_open(side.domain.get(), &queue, &cq, nullptr), "FI_WAIT_SET without one");
    queue.wait_set = set.get();
    check_ok(fi_cq_open(side.domain.get(), &queue, &cq, nullptr), "a queue in the set");
    Handle<fid_cq> member(cq);
    check_ret(fi_close(set.id()), -FI_EBUSY, "closing a set with a member");
    fi_cq_tagged_entry entry;
    check_refused(fi_cq_sread(cq, &entry, 1, nullptr, 0), "a blocking read of a member");
    int fd = -1;
    check_refused(fi_control(member.id(), FI_GETWAIT, &fd), "a member has no descriptor");
    check_ok(fi_control(member.id(), FI_GETWAITOBJ, &kind), "FI_GETWAITOBJ");
    check_eq(static_cast<int>(kind), static_cast<int>(FI_WAIT_SET), "the kind of a member");
    check_ok(member.close(), "closing the member");
    for (const int timeout_ms : {0, 1, 30}) {
        check_ret(fi_wait(set.get(), timeout_ms), -FI_ETIMEDOUT, "nothing in the set");
    }
}

// A side whose two queues, and a counter and an event queue beside them, wait in one set.
struct Gathered {
    explicit Gathered(fi_wait_obj kind, fi_progress progress = FI_PROGRESS_MANUAL) {
        Config config;
        config.progress = progress;
        config.threading = FI_THREAD_SAFE;
        info = get_info(make_hints(config).get());
        fabric = open_fabric(*info);
        domain = open_domain(fabric, *info);
        set = open_wait_set(fabric, kind);
        fi_cq_attr queue{};
        queue.format = FI_CQ_FORMAT_TAGGED;
        queue.wait_obj = FI_WAIT_SET;
        queue.wait_set = set.get();
        fid_cq* cq = nullptr;
        check_ok(fi_cq_open(domain.get(), &queue, &cq, nullptr), "fi_cq_open");
        completions = Handle<fid_cq>(cq);
        fi_cntr_attr counting{};
        counting.wait_obj = FI_WAIT_SET;
        counting.wait_set = set.get();
        fid_cntr* cntr = nullptr;
        check_ok(fi_cntr_open(domain.get(), &counting, &cntr, nullptr), "fi_cntr_open");
        receives = Counter(cntr);
        fi_eq_attr events{};
        events.flags = FI_WRITE;
        events.wait_obj = FI_WAIT_SET;
        events.wait_set = set.get();
        fid_eq* eq = nullptr;
        check_ok(fi_eq_open(fabric.get(), &events, &eq, nullptr), "fi_eq_open");
        control = Eq(eq);
        av = open_av(domain, FI_AV_TABLE);
        ep = open_endpoint(domain, *info);
        check_ok(fi_ep_bind(ep.get(), av.id(), 0), "bind");
        check_ok(fi_ep_bind(ep.get(), completions.id(), FI_TRANSMIT), "bind");
        check_ok(fi_ep_bind(ep.get(), receives.id(), FI_RECV), "bind");
        check_ok(fi_enable(ep.get()), "fi_enable");
    }
    fi_addr_t meet(Channel& channel) {
        Bytes name(256);
        size_t len = name.size();
        check_ok(fi_getname(ep.id(), name.data(), &len), "fi_getname");
        name.resize(len);
        channel.send(name);
        const Bytes peer = channel.receive();
        fi_addr_t addr = FI_ADDR_NOTAVAIL;
        check_ret(fi_av_insert(av.get(), peer.data(), 1, &addr, 0, nullptr), 1, "fi_av_insert");
        return addr;
    }
    // Blocks until a member has something, which is false news now and then.
    void wait(bool by_fd) {
        if (!by_fd) {
            check_ok(fi_wait(set.get(), -1), "fi_wait");
            return;
        }
        int fd = -1;
        check_ok(fi_control(set.id(), FI_GETWAIT, &fd), "FI_GETWAIT");
        fid* waits[] = {set.id()};
        const int may_wait = fi_trywait(fabric.get(), waits, 1);
        check(may_wait == 0 || may_wait == -FI_EAGAIN, "fi_trywait");
        if (may_wait == 0) {
            pollfd slot{fd, POLLIN, 0};
            poll(&slot, 1, -1);
        }
    }

    Info info;
    Fabric fabric;
    WaitSet set;
    Domain domain;
    Handle<fid_cq> completions;
    Counter receives;
    Eq control;
    Av av;
    Endpoint ep;
};

void wait_set_ping_pong(fi_progress progress, bool by_fd) {
    const auto play = [&](Channel& channel, bool serves) {
        Gathered here(FI_WAIT_FD, progress);
        const fi_addr_t peer = here.meet(channel);
        uint64_t received = 0;
        fi_cq_tagged_entry entry{};
        for (uint32_t round = 0; round < 60; ++round) {
            Bytes buffer(round % 10 == 9 ? 500000 : round);
            Op op;
            now_waiting_for("a member of the set, asleep");
            if ((round % 2 == 0) == serves) {
                fill(buffer, round);
                check_ok(fi_send(here.ep.get(), buffer.data(), buffer.size(), nullptr, peer, &op),
                         "send");
                ssize_t got = -FI_EAGAIN;
                while ((got = fi_cq_read(here.completions.get(), &entry, 1)) == -FI_EAGAIN) {
                    here.wait(by_fd);
                }
                check_ret(got, 1, "fi_cq_read");
            } else {
                check_ok(fi_recv(here.ep.get(), buffer.data(), buffer.size(), nullptr,
                                 FI_ADDR_UNSPEC, &op),
                         "receive");
                ++received;
                while (fi_cntr_read(here.receives.get()) < received) {
                    here.wait(by_fd);
                }
                check_filled(buffer.data(), buffer.size(), round);
            }
        }
        channel.sync();
    };
    two_processes([&](Channel& channel) { play(channel, true); },
                  [&](Channel& channel) { play(channel, false); });
}

// Each kind of member ends a wait without a limit, while the others are silent.
void wait_set_woken_by(const std::function<void(Gathered&)>& event) {
    Gathered here(FI_WAIT_UNSPEC);
    check_ret(fi_wait(here.set.get(), 1), -FI_ETIMEDOUT, "nothing has happened");
    std::atomic<bool> back = false;
    std::atomic<int> got = 1;
    std::thread sleeper([&] {
        got = fi_wait(here.set.get(), -1);
        back = true;
    });
    now_waiting_for("fi_wait to come back");
    event(here);
    while (!back) {
        sched_yield();
    }
    sleeper.join();
    check_ok(got, "fi_wait");
}

void write_event(Gathered& here) {
    fi_eq_entry entry{};
    check_ret(fi_eq_write(here.control.get(), FI_NOTIFY, &entry, sizeof entry, 0), sizeof entry,
              "fi_eq_write");
}

void count_event(Gathered& here) {
    check_ok(fi_cntr_add(here.receives.get(), 1), "fi_cntr_add");
}

void cancel_event(Gathered& here) {
    Bytes buffer(8);
    Op op;
    check_ok(fi_recv(here.ep.get(), buffer.data(), buffer.size(), nullptr, FI_ADDR_UNSPEC, &op),
             "fi_recv");
    check_ok(fi_cancel(here.ep.id(), &op), "fi_cancel");
}

// Several objects in one call: any that has something holds the wait back.
void trywait_of_several() {
    Config config;
    config.wait_obj = FI_WAIT_FD;
    Pair pair(config);
    Side& b = pair.b();
    const Counter counter = open_counter(b.domain, FI_WAIT_FD);
    fi_eq_attr attr{};
    attr.flags = FI_WRITE;
    attr.wait_obj = FI_WAIT_FD;
    fid_eq* opened = nullptr;
    check_ok(fi_eq_open(b.fabric.get(), &attr, &opened, nullptr), "fi_eq_open");
    const Eq eq(opened);
    fid* waits[] = {&b.rx.get()->fid, counter.id(), eq.id()};
    const auto try_all = [&] { return fi_trywait(b.fabric.get(), waits, 3); };
    check_ok(try_all(), "nothing is there");
    check_ok(fi_trywait(b.fabric.get(), nullptr, 0), "an empty list");
    check_ok(fi_cntr_add(counter.get(), 1), "fi_cntr_add");
    check_ret(try_all(), -FI_EAGAIN, "a counter that was not read");
    check_eq(fi_cntr_read(counter.get()), 1u, "its value");
    check_ok(try_all(), "it was read");
    uint32_t event = 0;
    fi_eq_entry entry{};
    check_ret(fi_eq_write(opened, FI_NOTIFY, &entry, sizeof entry, 0), sizeof entry, "fi_eq_write");
    check_ret(try_all(), -FI_EAGAIN, "an event");
    check_ret(fi_eq_read(opened, &event, &entry, sizeof entry, 0), sizeof entry, "fi_eq_read");
    Bytes in(10), out(10);
    Op ops[2];
    pair.post([&] { return receive(b, transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[0])); });
    pair.post([&] { return send(pair.a(), transfer(Kind::tagged, out, pair.to_b(), &ops[1])); });
    now_waiting_for("fi_trywait to tell of the completion");
    while (try_all() == 0) {
        pair.a().poll();
    }
    pair.received(1);
    check_ok(try_all(), "everything was read");
    fid* strange[] = {b.av.id()};
    check_refused(fi_trywait(b.fabric.get(), strange, 1), "what cannot be waited for");
}

} // namespace

int main(int argc, char** argv) {
    std::vector<Case> cases = {
        {"poll set: members", poll_set_members},
        {"poll set: reports queues and counters", poll_set_reports},
        {"poll set: counts messages", poll_set_counts},
        {"wait set: kinds", wait_set_kinds},
        {"wait set: woken by an event queue", [] { wait_set_woken_by(write_event); }},
        {"wait set: woken by a counter", [] { wait_set_woken_by(count_event); }},
        {"wait set: woken by an operation", [] { wait_set_woken_by(cancel_event); }},
        {"trywait of several", trywait_of_several},
    };
    for (const fi_progress progress : {FI_PROGRESS_MANUAL, FI_PROGRESS_AUTO}) {
        const std::string suffix = progress == FI_PROGRESS_AUTO ? ", auto" : ", manual";
        cases.push_back(
            {"wait set: asleep in fi_wait" + suffix, [=] { wait_set_ping_pong(progress, false); }});
        cases.push_back({"wait set: asleep on its descriptor" + suffix,
                         [=] { wait_set_ping_pong(progress, true); }});
    }
    return run_cases(argc, argv, cases);
}
