// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Counters: what they count, their values set by hand, and waiting for them.
#include "harness.hpp"

#include <atomic>
#include <thread>

#include <poll.h>
#include <sched.h>

using namespace functional;

namespace {

// A side whose two directions have counters, with or without queues.
struct Counted {
    explicit Counted(Config config = {}, fi_wait_obj wait_obj = FI_WAIT_NONE,
                     bool with_queues = false) {
        if (!with_queues) {
            config.tx_bind = config.rx_bind = 0;
        }
        config.prepare = [&](Side& made) {
            sends = open_counter(made.domain, wait_obj);
            receives = open_counter(made.domain, wait_obj);
            check_ok(fi_ep_bind(made.ep.get(), sends.id(), FI_SEND), "bind the send counter");
            check_ok(fi_ep_bind(made.ep.get(), receives.id(), FI_RECV), "bind the receive counter");
        };
        side = std::make_unique<Side>(config);
    }
    ~Counted() { side.reset(); }

    uint64_t sent() const { return fi_cntr_read(sends.get()); }
    uint64_t received() const { return fi_cntr_read(receives.get()); }

    std::unique_ptr<Side> side;
    Counter sends;
    Counter receives;
};

// The counters stand in the side's domain, so they go between its endpoint and the rest.
struct CountedPair {
    explicit CountedPair(const Config& config = {}, fi_wait_obj wait_obj = FI_WAIT_NONE,
                         bool with_queues = false)
        : a(config, wait_obj, with_queues), b(config, wait_obj, with_queues) {
        to_b = a.side->insert(b.side->name());
        to_a = b.side->insert(a.side->name());
    }
    ~CountedPair() {
        for (Counted* one : {&a, &b}) {
            check_ok(one->side->ep.close(), "closing the endpoint");
            check_ok(one->sends.close(), "closing the send counter");
            check_ok(one->receives.close(), "closing the receive counter");
        }
    }
    void run() {
        for (Counted* one : {&a, &b}) {
            one->sent();
            one->received();
        }
    }
    void until(const char* what, const std::function<bool()>& done) {
        now_waiting_for(what);
        while (!done()) {
            run();
            sched_yield();
        }
    }
    void post(const std::function<ssize_t()>& operation) {
        ssize_t ret = -FI_EAGAIN;
        now_waiting_for("room to post");
        while ((ret = operation()) == -FI_EAGAIN) {
            run();
        }
        check_ok(ret, "posting");
    }
    void settle() {
        for (int pass = 0; pass < 2000; ++pass) {
            run();
        }
    }

    Counted a;
    Counted b;
    fi_addr_t to_a = FI_ADDR_NOTAVAIL;
    fi_addr_t to_b = FI_ADDR_NOTAVAIL;
};

void add_and_set() {
    Side side;
    const Counter counter = open_counter(side.domain);
    fid_cntr* c = counter.get();
    check_eq(fi_cntr_read(c), 0u, "a new counter");
    check_eq(fi_cntr_readerr(c), 0u, "errors of a new counter");
    check_ok(fi_cntr_add(c, 5), "fi_cntr_add");
    check_ok(fi_cntr_adderr(c, 3), "fi_cntr_adderr");
    check_eq(fi_cntr_read(c), 5u, "after an addition");
    check_eq(fi_cntr_readerr(c), 3u, "errors after an addition");
    check_ok(fi_cntr_set(c, 1ull << 40), "fi_cntr_set");
    check_ok(fi_cntr_seterr(c, 7), "fi_cntr_seterr");
    check_ok(fi_cntr_add(c, 1), "fi_cntr_add");
    check_eq(fi_cntr_read(c), (1ull << 40) + 1, "after setting");
    check_eq(fi_cntr_readerr(c), 7u, "errors after setting");
}

void refused_kinds() {
    Side side;
    fid_cntr* opened = nullptr;
    fi_cntr_attr attr{};
    attr.flags = 1;
    check_refused(fi_cntr_open(side.domain.get(), &attr, &opened, nullptr), "flags are reserved");
    attr = {};
    attr.events = static_cast<fi_cntr_events>(FI_CNTR_EVENTS_COMP + 1);
    check_refused(fi_cntr_open(side.domain.get(), &attr, &opened, nullptr), "an unknown event");
    attr = {};
    attr.wait_obj = static_cast<fi_wait_obj>(FI_WAIT_POLLFD + 1);
    check_refused(fi_cntr_open(side.domain.get(), &attr, &opened, nullptr), "an unknown wait kind");
    const Counter counter = open_counter(side.domain);
    fid_wait* opened_set = nullptr;
    fi_wait_attr set_attr{};
    set_attr.wait_obj = FI_WAIT_UNSPEC;
    check_ok(fi_wait_open(side.fabric.get(), &set_attr, &opened_set), "fi_wait_open");
    const WaitSet set(opened_set);
    attr = {};
    attr.wait_obj = FI_WAIT_SET;
    attr.wait_set = set.get();
    check_ok(fi_cntr_open(side.domain.get(), &attr, &opened, nullptr), "a counter of a wait set");
    const Counter member(opened);
    check_refused(fi_cntr_wait(member.get(), 0, 0), "a wait for a member of a wait set");
    int fd = -1;
    check_refused(fi_control(counter.id(), FI_GETWAIT, &fd), "FI_GETWAIT without one");
    fid* waits[] = {counter.id()};
    check_refused(fi_trywait(side.fabric.get(), waits, 1), "fi_trywait without one");
}

void refused_bindings() {
    Side other;
    const Counter strange = open_counter(other.domain);
    Config config;
    config.prepare = [&](Side& side) {
        const Counter one = open_counter(side.domain);
        const Counter two = open_counter(side.domain);
        fid_ep* ep = nullptr;
        check_ok(fi_endpoint(side.domain.get(), side.info.get(), &ep, nullptr), "fi_endpoint");
        Endpoint scratch(ep);
        check_refused(fi_ep_bind(ep, one.id(), 0), "no direction");
        check_refused(fi_ep_bind(ep, one.id(), FI_SEND | FI_SELECTIVE_COMPLETION), "other flags");
        check_refused(fi_ep_bind(ep, strange.id(), FI_SEND), "a counter of another domain");
        check_ok(fi_ep_bind(ep, one.id(), FI_SEND | FI_WRITE | FI_REMOTE_READ), "three directions");
        check_refused(fi_ep_bind(ep, two.id(), FI_RECV | FI_SEND), "a second one for sends");
        check_ok(fi_ep_bind(ep, two.id(), FI_RECV), "the refused call bound nothing");
        check_ret(fi_close(one.id()), -FI_EBUSY, "closing a bound counter");
        check_ok(scratch.close(), "closing the endpoint");
    };
    Side side(config);
    const Counter late = open_counter(side.domain);
    check_refused(fi_ep_bind(side.ep.get(), late.id(), FI_SEND), "an enabled endpoint");
}

void nothing_bound() {
    Config config;
    config.prepare = [](Side& side) {
        fid_ep* ep = nullptr;
        check_ok(fi_endpoint(side.domain.get(), side.info.get(), &ep, nullptr), "fi_endpoint");
        const Endpoint bare(ep);
        check_ok(fi_ep_bind(ep, side.av.id(), 0), "bind the address vector");
        check_ret(fi_enable(ep), -FI_ENOCQ, "neither a queue nor a counter");
    };
    Side side(config);
}

// Everything that an endpoint sends and receives counts once, whatever its form, with no queue.
void every_form(Kind kind) {
    CountedPair pair;
    uint64_t count = 0;
    for (const Form form :
         {Form::plain, Form::vector, Form::message, Form::inject, Form::data, Form::inject_data}) {
        for (const size_t size : {size_t{0}, size_t{1}, size_t{200}, size_t{100000}}) {
            if (is_inject(form) && size > pair.a.side->info->tx_attr->inject_size) {
                continue;
            }
            Bytes out(size);
            Bytes in(size);
            fill(out, static_cast<uint32_t>(count));
            Op ops[2];
            pair.post([&] {
                return receive(*pair.b.side, transfer(kind, in, FI_ADDR_UNSPEC, &ops[0], count));
            });
            Transfer to = transfer(kind, out, pair.to_b, &ops[1], count);
            to.form = form;
            pair.post([&] { return send(*pair.a.side, to); });
            ++count;
            pair.until("both counters",
                       [&] { return pair.a.sent() >= count && pair.b.received() >= count; });
            check_filled(in.data(), in.size(), static_cast<uint32_t>(count - 1));
        }
    }
    pair.settle();
    check_eq(pair.a.sent(), count, "sends");
    check_eq(pair.b.received(), count, "receives");
    check_eq(pair.a.received(), 0u, "receives of the sender");
    check_eq(pair.b.sent(), 0u, "sends of the receiver");
    check_eq(fi_cntr_readerr(pair.a.sends.get()), 0u, "errors");
}

// What completions are asked for, and when, makes no difference to the count.
void every_level() {
    CountedPair pair;
    uint64_t count = 0;
    for (const uint64_t level : {uint64_t{0}, uint64_t{FI_INJECT_COMPLETE},
                                 uint64_t{FI_TRANSMIT_COMPLETE}, uint64_t{FI_DELIVERY_COMPLETE}}) {
        for (const size_t size : {size_t{8}, size_t{50000}}) {
            Bytes out(size);
            Bytes in(size);
            Op ops[2];
            Transfer to = transfer(Kind::msg, out, pair.to_b, &ops[1]);
            to.form = Form::message;
            to.flags = level;
            pair.post([&] { return send(*pair.a.side, to); });
            if (level == FI_DELIVERY_COMPLETE) {
                pair.settle();
                check_eq(pair.a.sent(), count, "nothing is delivered before it is received");
            }
            pair.post([&] {
                return receive(*pair.b.side, transfer(Kind::msg, in, FI_ADDR_UNSPEC, &ops[0]));
            });
            ++count;
            pair.until("both counters",
                       [&] { return pair.a.sent() >= count && pair.b.received() >= count; });
        }
    }
    pair.settle();
    check_eq(pair.a.sent(), count, "each counted once");
}

// Completions that selective completion keeps from the queue count all the same.
void suppressed_completions() {
    constexpr uint64_t count = 50;
    Config config;
    config.tx_bind |= FI_SELECTIVE_COMPLETION;
    config.rx_bind |= FI_SELECTIVE_COMPLETION;
    CountedPair pair(config, FI_WAIT_NONE, true);
    Bytes out(64);
    Bytes in(64);
    Op op;
    for (uint64_t at = 0; at < count; ++at) {
        pair.post(
            [&] { return receive(*pair.b.side, transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &op)); });
        pair.post([&] { return send(*pair.a.side, transfer(Kind::tagged, out, pair.to_b, &op)); });
    }
    pair.until("the counters",
               [&] { return pair.a.sent() >= count && pair.b.received() >= count; });
    pair.settle();
    check_eq(pair.a.sent(), count, "sends");
    check_eq(pair.b.received(), count, "receives");
    pair.a.side->poll();
    pair.b.side->poll();
    check(pair.a.side->tx.empty() && pair.b.side->rx.empty(), "no entry in a queue");
}

// A queue and a counter side by side.
void beside_a_queue() {
    CountedPair pair({}, FI_WAIT_NONE, true);
    Bytes out(3000);
    Bytes in(3000);
    Op ops[2];
    pair.post(
        [&] { return receive(*pair.b.side, transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[0])); });
    pair.post([&] { return send(*pair.a.side, transfer(Kind::tagged, out, pair.to_b, &ops[1])); });
    pair.until("the counters", [&] { return pair.a.sent() == 1 && pair.b.received() == 1; });
    check_same(pair.a.side->sent().context, &ops[1], "the entry of the send");
    check_same(pair.b.side->received().context, &ops[0], "the entry of the receive");
}

void multi_receive() {
    CountedPair pair;
    Bytes in(4096);
    Op ops[2];
    Transfer from = transfer(Kind::msg, in, FI_ADDR_UNSPEC, &ops[0]);
    from.form = Form::message;
    from.flags = FI_MULTI_RECV;
    pair.post([&] { return receive(*pair.b.side, from); });
    Bytes out(1024);
    for (int at = 0; at < 4; ++at) {
        pair.post([&] { return send(*pair.a.side, transfer(Kind::msg, out, pair.to_b, &ops[1])); });
    }
    pair.until("four receives", [&] { return pair.b.received() >= 4; });
    pair.settle();
    check_eq(pair.b.received(), 4u, "messages count, giving the buffer back does not");
}

void errors() {
    CountedPair pair;
    Bytes out(100);
    Bytes in(10);
    Op ops[2];
    pair.post([&] {
        return receive(*pair.b.side, transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[0], 1));
    });
    pair.post(
        [&] { return send(*pair.a.side, transfer(Kind::tagged, out, pair.to_b, &ops[1], 1)); });
    fid_cntr* receives = pair.b.receives.get();
    pair.until("the truncation", [&] { return fi_cntr_readerr(receives) == 1; });
    check_eq(pair.b.received(), 0u, "a failed receive is no success");
    pair.post([&] {
        return receive(*pair.b.side, transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[0], 2));
    });
    check_ok(fi_cancel(pair.b.side->ep.id(), &ops[0]), "fi_cancel");
    pair.until("the cancellation", [&] { return fi_cntr_readerr(receives) == 2; });
    // A send that nobody receives, to an endpoint that closes.
    Bytes large(1 << 20);
    pair.post(
        [&] { return send(*pair.a.side, transfer(Kind::tagged, large, pair.to_b, &ops[1], 3)); });
    check_ok(pair.b.side->ep.close(), "closing the endpoint");
    pair.until("the send to fail", [&] { return fi_cntr_readerr(pair.a.sends.get()) == 1; });
    // For the end of the case to close.
    pair.b.side->ep = open_endpoint(pair.b.side->domain, *pair.b.side->info);
}

void wait_times_out(fi_wait_obj wait_obj) {
    Side side;
    const Counter counter = open_counter(side.domain, wait_obj);
    check_ok(fi_cntr_wait(counter.get(), 0, 0), "a threshold that is reached");
    for (const int timeout_ms : {0, 1, 30}) {
        check_ret(fi_cntr_wait(counter.get(), 1, timeout_ms), -FI_ETIMEDOUT,
                  "a threshold that is not");
    }
    check_ok(fi_cntr_adderr(counter.get(), 1), "fi_cntr_adderr");
    check_ret(fi_cntr_wait(counter.get(), 1, 0), -FI_ETIMEDOUT,
              "an error from before is not new to this wait");
    check_ok(fi_cntr_add(counter.get(), 3), "fi_cntr_add");
    check_ok(fi_cntr_wait(counter.get(), 3, -1), "exactly the threshold");
    check_ok(fi_cntr_wait(counter.get(), 2, -1), "less than the value");
}

// A thread asleep without a limit is woken by what another thread does to the counter.
void woken_by(fi_wait_obj wait_obj, ssize_t want, const std::function<void(fid_cntr*)>& change) {
    Config config;
    config.threading = FI_THREAD_SAFE;
    Side side(config);
    const Counter counter = open_counter(side.domain, wait_obj);
    std::atomic<bool> back = false;
    std::atomic<int> got = 0;
    std::thread sleeper([&] {
        got = fi_cntr_wait(counter.get(), 100, -1);
        back = true;
    });
    now_waiting_for("a waiting thread to come back");
    while (!back) {
        change(counter.get());
        sched_yield();
    }
    sleeper.join();
    check_ret(got, want, "fi_cntr_wait");
}

int fd_of(const Counter& counter) {
    int fd = -1;
    fi_wait_obj kind = FI_WAIT_NONE;
    check_ok(fi_control(counter.id(), FI_GETWAITOBJ, &kind), "FI_GETWAITOBJ");
    check_eq(static_cast<int>(kind), static_cast<int>(FI_WAIT_FD), "the wait object");
    check_ok(fi_control(counter.id(), FI_GETWAIT, &fd), "FI_GETWAIT");
    check(fd >= 0, "a descriptor");
    return fd;
}

void sleep_until(const Side& side, const Counter& counter, uint64_t threshold, bool by_fd) {
    now_waiting_for("a counter, asleep");
    if (!by_fd) {
        check_ok(fi_cntr_wait(counter.get(), threshold, -1), "fi_cntr_wait");
        return;
    }
    const int fd = fd_of(counter);
    fid* waits[] = {counter.id()};
    while (fi_cntr_read(counter.get()) < threshold) {
        check_eq(fi_cntr_readerr(counter.get()), 0u, "errors");
        const int may_wait = fi_trywait(side.fabric.get(), waits, 1);
        check(may_wait == 0 || may_wait == -FI_EAGAIN, "fi_trywait");
        if (may_wait == 0) {
            pollfd slot{fd, POLLIN, 0};
            poll(&slot, 1, -1);
        }
    }
}

// Two processes with counters only, which do nothing but sleep.
void sleep_ping_pong(fi_wait_obj wait_obj, fi_progress progress, bool by_fd) {
    const auto play = [&](Channel& channel, bool serves) {
        Config config;
        config.progress = progress;
        Counted here(config, wait_obj);
        const fi_addr_t peer = exchange(*here.side, channel);
        uint64_t sent = 0;
        uint64_t received = 0;
        for (uint32_t round = 0; round < 60; ++round) {
            Bytes buffer(round % 10 == 9 ? 500000 : round);
            Op op;
            if ((round % 2 == 0) == serves) {
                fill(buffer, round);
                check_ok(send(*here.side, transfer(Kind::tagged, buffer, peer, &op, round)),
                         "send");
                sleep_until(*here.side, here.sends, ++sent, by_fd);
            } else {
                check_ok(receive(*here.side, transfer(Kind::tagged, buffer, peer, &op, round)),
                         "receive");
                sleep_until(*here.side, here.receives, ++received, by_fd);
                check_filled(buffer.data(), buffer.size(), round);
            }
        }
        channel.sync();
        check_ok(here.side->ep.close(), "closing the endpoint");
        check_ok(here.sends.close(), "closing the send counter");
        check_ok(here.receives.close(), "closing the receive counter");
    };
    two_processes([&](Channel& channel) { play(channel, true); },
                  [&](Channel& channel) { play(channel, false); });
}

} // namespace

int main(int argc, char** argv) {
    std::vector<Case> cases = {
        {"add and set", add_and_set},
        {"refused kinds", refused_kinds},
        {"refused bindings", refused_bindings},
        {"nothing bound", nothing_bound},
        {"every form of msg", [] { every_form(Kind::msg); }},
        {"every form of tagged", [] { every_form(Kind::tagged); }},
        {"every completion level", every_level},
        {"suppressed completions count", suppressed_completions},
        {"beside a queue", beside_a_queue},
        {"multi-receive", multi_receive},
        {"errors", errors},
    };
    const std::pair<const char*, fi_wait_obj> kinds[] = {{"none", FI_WAIT_NONE},
                                                         {"unspec", FI_WAIT_UNSPEC},
                                                         {"fd", FI_WAIT_FD},
                                                         {"yield", FI_WAIT_YIELD}};
    for (const auto& [name, kind] : kinds) {
        const std::string suffix = std::string(", ") + name;
        const fi_wait_obj k = kind;
        cases.push_back({"wait times out" + suffix, [k] { wait_times_out(k); }});
        cases.push_back({"wait ends when the threshold is reached" + suffix,
                         [k] { woken_by(k, 0, [](fid_cntr* c) { fi_cntr_add(c, 1); }); }});
        cases.push_back({"wait ends with an error" + suffix, [k] {
                             woken_by(k, -FI_EAVAIL, [](fid_cntr* c) { fi_cntr_adderr(c, 1); });
                         }});
    }
    for (const fi_progress progress : {FI_PROGRESS_MANUAL, FI_PROGRESS_AUTO}) {
        const std::string suffix = progress == FI_PROGRESS_AUTO ? ", auto" : ", manual";
        cases.push_back({"asleep in fi_cntr_wait" + suffix,
                         [=] { sleep_ping_pong(FI_WAIT_UNSPEC, progress, false); }});
        cases.push_back({"asleep in fi_cntr_wait without a wait object" + suffix,
                         [=] { sleep_ping_pong(FI_WAIT_NONE, progress, false); }});
        cases.push_back({"asleep on a descriptor" + suffix,
                         [=] { sleep_ping_pong(FI_WAIT_FD, progress, true); }});
    }
    return run_cases(argc, argv, cases);
}
