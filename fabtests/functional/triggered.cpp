// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Operations that wait for counters: FI_TRIGGER, and the deferred work queue of a domain.
#include "harness.hpp"

#include <rdma/fi_trigger.h>

using namespace functional;

namespace {

constexpr Kind kinds[] = {Kind::msg, Kind::tagged};

// The context of a triggered operation is the trigger.
fi_triggered_context2 at_threshold(const Counter& counter, size_t threshold) {
    fi_triggered_context2 context{};
    context.event_type = FI_TRIGGER_THRESHOLD;
    context.trigger.threshold.cntr = counter.get();
    context.trigger.threshold.threshold = threshold;
    return context;
}

Transfer triggered(Kind kind, Bytes& buffer, fi_addr_t peer, fi_triggered_context2& context,
                   uint64_t tag = 0) {
    Transfer what = transfer(kind, buffer, peer, &context, tag);
    what.form = Form::message;
    what.flags = FI_TRIGGER;
    return what;
}

void add(const Counter& counter, uint64_t value = 1) {
    check_ok(fi_cntr_add(counter.get(), value), "fi_cntr_add");
}

// Nothing moves before the threshold, and then both sides' operations do.
void both_directions(Kind kind, size_t size) {
    Pair pair;
    const Counter sends = open_counter(pair.a().domain);
    const Counter receives = open_counter(pair.b().domain);
    Bytes out(size);
    Bytes in(size);
    fill(out, 5);
    fi_triggered_context2 to = at_threshold(sends, 3);
    fi_triggered_context2 from = at_threshold(receives, 2);
    check_ok(receive(pair.b(), triggered(kind, in, FI_ADDR_UNSPEC, from)), "triggered receive");
    check_ok(send(pair.a(), triggered(kind, out, pair.to_b(), to)), "triggered send");
    add(sends, 2);
    add(receives, 1);
    pair.settle();
    check(pair.a().tx.empty() && pair.b().rx.empty(), "nothing before the threshold");
    add(receives, 1);
    add(sends, 1);
    check_same(pair.sent(0).context, &to, "context of the send");
    const Completion received = pair.received(1);
    check_same(received.context, &from, "context of the receive");
    check_eq(received.len, size, "length");
    check_filled(in.data(), in.size(), 5);
}

void threshold_reached_before() {
    Pair pair;
    const Counter counter = open_counter(pair.a().domain);
    add(counter, 7);
    Bytes out(10);
    Bytes in(10);
    Op op;
    fi_triggered_context2 now = at_threshold(counter, 7);
    fi_triggered_context2 later = at_threshold(counter, 8);
    pair.post([&] { return receive(pair.b(), transfer(Kind::msg, in, FI_ADDR_UNSPEC, &op)); });
    check_ok(send(pair.a(), triggered(Kind::msg, out, pair.to_b(), later)), "not yet");
    check_ok(send(pair.a(), triggered(Kind::msg, out, pair.to_b(), now)), "at once");
    check_same(pair.sent(0).context, &now, "the one that is due");
    pair.settle();
    check(pair.a().tx.empty(), "the other waits");
    check_ok(fi_cancel(pair.a().ep.id(), &later), "fi_cancel");
    pair.tx_error(0);
}

// By threshold, and by submission where thresholds are equal, also if the counter leaps.
void in_order_of_thresholds() {
    Pair pair;
    const Counter counter = open_counter(pair.a().domain);
    const size_t thresholds[] = {4, 2, 9, 2, 1, 4, 3};
    const uint8_t order[] = {4, 1, 3, 6, 0, 5, 2};
    std::vector<fi_triggered_context2> contexts(std::size(thresholds));
    Bytes out(std::size(thresholds));
    for (size_t at = 0; at < out.size(); ++at) {
        out[at] = static_cast<uint8_t>(at);
        contexts[at] = at_threshold(counter, thresholds[at]);
        Transfer what = triggered(Kind::msg, out, pair.to_b(), contexts[at]);
        what.iov = {{&out[at], 1}};
        check_ok(send(pair.a(), what), "triggered send");
    }
    add(counter, 5);
    add(counter, 5);
    Bytes in(1);
    Op op;
    for (const uint8_t want : order) {
        pair.post([&] { return receive(pair.b(), transfer(Kind::msg, in, FI_ADDR_UNSPEC, &op)); });
        pair.received(1);
        check_eq(static_cast<int>(in[0]), static_cast<int>(want), "the next message");
    }
}

// What the program owns again when the call returns: the lists, and the bytes of an inject.
void description_is_copied() {
    Pair pair;
    const Counter counter = open_counter(pair.a().domain);
    fi_triggered_context2 contexts[] = {at_threshold(counter, 1), at_threshold(counter, 2)};
    Bytes out(200);
    fill(out, 7);
    {
        const Bytes little(out);
        iovec pieces[] = {{const_cast<uint8_t*>(little.data()), 50},
                          {const_cast<uint8_t*>(little.data()) + 50, 150}};
        fi_msg msg{};
        msg.msg_iov = pieces;
        msg.iov_count = 2;
        msg.addr = pair.to_b();
        msg.context = &contexts[0];
        check_ok(fi_sendmsg(pair.a().ep.get(), &msg, FI_TRIGGER | FI_INJECT), "injected");
        pieces[0] = pieces[1] = {nullptr, 1};
    }
    {
        iovec pieces[] = {{out.data(), 1}, {out.data() + 1, 199}};
        fi_msg msg{};
        msg.msg_iov = pieces;
        msg.iov_count = 2;
        msg.addr = pair.to_b();
        msg.context = &contexts[1];
        check_ok(fi_sendmsg(pair.a().ep.get(), &msg, FI_TRIGGER), "plain");
        pieces[0] = pieces[1] = {nullptr, 1};
    }
    add(counter, 2);
    for (int each = 0; each < 2; ++each) {
        Bytes in(200);
        Op op;
        pair.post([&] { return receive(pair.b(), transfer(Kind::msg, in, FI_ADDR_UNSPEC, &op)); });
        pair.received(1);
        check_filled(in.data(), in.size(), 7);
    }
}

// A receive's counter triggers the send that passes the message on, with nobody in between.
void forwarded() {
    constexpr uint64_t count = 50;
    Counter arrivals;
    Config config;
    Pair pair;
    config.prepare = [&](Side& side) {
        arrivals = open_counter(side.domain);
        check_ok(fi_ep_bind(side.ep.get(), arrivals.id(), FI_RECV), "bind");
    };
    auto middle = std::make_unique<Side>(config);
    const fi_addr_t to_middle = pair.a().insert(middle->name());
    const fi_addr_t onwards = middle->insert(pair.b().name());
    Bytes through(8);
    Bytes out(8);
    Bytes in(8);
    std::vector<fi_triggered_context2> contexts(count);
    Op ops[3];
    for (uint64_t at = 0; at < count; ++at) {
        contexts[at] = at_threshold(arrivals, at + 1);
        fill(out, static_cast<uint32_t>(at));
        check_ok(receive(*middle, transfer(Kind::msg, through, FI_ADDR_UNSPEC, &ops[0])),
                 "receive in the middle");
        check_ok(send(*middle, triggered(Kind::msg, through, onwards, contexts[at])),
                 "triggered send");
        pair.post(
            [&] { return receive(pair.b(), transfer(Kind::msg, in, FI_ADDR_UNSPEC, &ops[1])); });
        pair.post([&] { return send(pair.a(), transfer(Kind::msg, out, to_middle, &ops[2])); });
        now_waiting_for("the message to be passed on");
        while (pair.b().rx.empty()) {
            pair.poll();
            fi_cntr_read(arrivals.get());
        }
        pair.received(1);
        check_filled(in.data(), in.size(), static_cast<uint32_t>(at));
    }
    check_ok(middle->ep.close(), "closing the endpoint");
    check_ok(arrivals.close(), "closing the counter");
}

void cancelled() {
    Pair pair;
    Counter counter = open_counter(pair.a().domain);
    Bytes buffer(10);
    fi_triggered_context2 to = at_threshold(counter, 1);
    fi_triggered_context2 from = at_threshold(counter, 1);
    check_ok(send(pair.a(), triggered(Kind::msg, buffer, pair.to_b(), to)), "triggered send");
    check_ok(receive(pair.a(), triggered(Kind::tagged, buffer, FI_ADDR_UNSPEC, from)),
             "triggered receive");
    check_ret(fi_close(counter.id()), -FI_EBUSY, "closing a counter that is waited for");
    check_ok(fi_cancel(pair.a().ep.id(), &to), "cancelling the send");
    check_ok(fi_cancel(pair.a().ep.id(), &from), "cancelling the receive");
    const Completion sent = pair.tx_error(0);
    check_eq(sent.err, FI_ECANCELED, "error of the send");
    check_same(sent.context, &to, "context of the send");
    const Completion received = pair.rx_error(0);
    check_eq(received.err, FI_ECANCELED, "error of the receive");
    check_same(received.context, &from, "context of the receive");
    add(counter);
    pair.settle();
    check(pair.a().tx.empty(), "nothing is sent any more");
    check_ok(counter.close(), "closing the counter");
}

// What cannot be posted when its time has come is a failed operation.
void fails_when_due() {
    Pair pair;
    const Counter counter = open_counter(pair.a().domain);
    Bytes out(10);
    fi_triggered_context2 context = at_threshold(counter, 1);
    check_ok(send(pair.a(), triggered(Kind::tagged, out, 12345, context)), "triggered send");
    add(counter);
    const Completion failed = pair.tx_error(0);
    check_same(failed.context, &context, "context");
    check_eq(failed.err, FI_EINVAL, "an address that is not in the vector");
}

void refused_triggers() {
    Pair pair;
    const Counter counter = open_counter(pair.a().domain);
    const Counter strange = open_counter(pair.b().domain);
    Bytes out(10);
    for (const Kind kind : kinds) {
        fi_triggered_context2 context = at_threshold(counter, 0);
        context.event_type = static_cast<fi_trigger_event>(FI_TRIGGER_XPU);
        check_refused(send(pair.a(), triggered(kind, out, pair.to_b(), context)), "another kind");
        context = at_threshold(strange, 0);
        check_refused(send(pair.a(), triggered(kind, out, pair.to_b(), context)),
                      "a counter of another domain");
        context = at_threshold(counter, 0);
        context.trigger.threshold.cntr = nullptr;
        check_refused(receive(pair.a(), triggered(kind, out, FI_ADDR_UNSPEC, context)),
                      "no counter");
        context = at_threshold(counter, 0);
        Transfer what = triggered(kind, out, pair.to_b(), context);
        what.flags |= 1ull << 62;
        check_refused(send(pair.a(), what), "an unknown flag");
        check_refused(receive(pair.a(), what), "an unknown flag");
        what = triggered(kind, out, pair.to_b(), context);
        what.context = nullptr;
        check_refused(send(pair.a(), what), "no context");
    }
}

// Closing what operations wait on, and with, leaves nothing behind.
void closed_with_work_left() {
    Bytes buffer(10);
    for (int round = 0; round < 3; ++round) {
        Pair pair;
        Counter counter = open_counter(pair.a().domain);
        std::vector<fi_triggered_context2> contexts(20);
        for (auto& context : contexts) {
            context = at_threshold(counter, 1);
            check_ok(send(pair.a(), triggered(Kind::msg, buffer, pair.to_b(), context)),
                     "triggered send");
        }
        check_ok(pair.a().ep.close(), "closing the endpoint");
        add(counter);
        check_ok(counter.close(), "closing the counter");
        pair.a().ep = open_endpoint(pair.a().domain, *pair.a().info);
    }
}

// ---- the deferred work queue ------------------------------------------------------------------

// A deferred transfer with all that must stay as it is until it is complete.
struct Work {
    Work(const Counter& trigger, uint64_t threshold, const Counter* completion) {
        work.triggering_cntr = trigger.get();
        work.threshold = threshold;
        work.completion_cntr = completion ? completion->get() : nullptr;
    }
    Work(const Work&) = delete;
    Work& operator=(const Work&) = delete;

    void transfer(const Side& side, Kind kind, bool sends, Bytes& buffer, fi_addr_t peer,
                  uint64_t flags = 0) {
        piece = {buffer.data(), buffer.size()};
        if (kind == Kind::msg) {
            msg.ep = side.ep.get();
            msg.msg.msg_iov = &piece;
            msg.msg.iov_count = 1;
            msg.msg.addr = peer;
            msg.msg.context = this;
            msg.flags = flags;
            work.op.msg = &msg;
            work.op_type = sends ? FI_OP_SEND : FI_OP_RECV;
        } else {
            tagged.ep = side.ep.get();
            tagged.msg.msg_iov = &piece;
            tagged.msg.iov_count = 1;
            tagged.msg.addr = peer;
            tagged.msg.tag = 77;
            tagged.msg.context = this;
            tagged.flags = flags;
            work.op.tagged = &tagged;
            work.op_type = sends ? FI_OP_TSEND : FI_OP_TRECV;
        }
    }
    void change(fi_op_type type, const Counter& counter, uint64_t value) {
        cntr.cntr = counter.get();
        cntr.value = value;
        work.op.cntr = &cntr;
        work.op_type = type;
    }
    int queue(const Side& side) { return fi_control(side.domain.id(), FI_QUEUE_WORK, &work); }
    int cancel(const Side& side) { return fi_control(side.domain.id(), FI_CANCEL_WORK, &work); }

    fi_deferred_work work{};
    iovec piece{};
    fi_op_msg msg{};
    fi_op_tagged tagged{};
    fi_op_cntr cntr{};
};

uint64_t value_of(const Counter& counter) {
    return fi_cntr_read(counter.get());
}

// The completion counters tell, and nothing else does.
void deferred_transfer(Kind kind, size_t size) {
    Pair pair;
    const Counter go_a = open_counter(pair.a().domain);
    const Counter go_b = open_counter(pair.b().domain);
    const Counter done_a = open_counter(pair.a().domain);
    const Counter done_b = open_counter(pair.b().domain);
    Bytes out(size);
    Bytes in(size);
    fill(out, 3);
    Work to(go_a, 2, &done_a);
    to.transfer(pair.a(), kind, true, out, pair.to_b());
    Work from(go_b, 2, &done_b);
    from.transfer(pair.b(), kind, false, in, FI_ADDR_UNSPEC);
    check_ok(to.queue(pair.a()), "queueing the send");
    check_ok(from.queue(pair.b()), "queueing the receive");
    add(go_a);
    add(go_b);
    pair.settle();
    check_eq(value_of(done_a) + value_of(done_b), 0u, "before the threshold");
    // Failed operations count towards the threshold too.
    check_ok(fi_cntr_adderr(go_a.get(), 1), "fi_cntr_adderr");
    add(go_b);
    pair.until("the completion counters",
               [&] { return value_of(done_a) == 1 && value_of(done_b) == 1; });
    check_filled(in.data(), in.size(), 3);
    pair.settle();
    check(pair.a().tx.empty() && pair.b().rx.empty(), "the queues hear nothing of it");
}

void deferred_with_completion() {
    Pair pair;
    const Counter go = open_counter(pair.a().domain);
    const Counter done = open_counter(pair.a().domain);
    Bytes out(10);
    Bytes in(10);
    Work to(go, 0, &done);
    to.transfer(pair.a(), Kind::tagged, true, out, pair.to_b(), FI_COMPLETION);
    Op op;
    pair.post(
        [&] { return receive(pair.b(), transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &op, 77)); });
    check_ok(to.queue(pair.a()), "a threshold that is reached already");
    check_same(pair.sent(0).context, &to, "its entry in the queue");
    check_eq(value_of(done), 1u, "and its count");
}

// The endpoint's own counter hears of it only if it is named.
void deferred_and_own_counter() {
    Counter own;
    Config config;
    config.prepare = [&](Side& side) {
        if (!own.get()) {
            own = open_counter(side.domain);
            check_ok(fi_ep_bind(side.ep.get(), own.id(), FI_SEND), "bind");
        }
    };
    auto sender = std::make_unique<Side>(config);
    Side receiver;
    const fi_addr_t to = sender->insert(receiver.name());
    {
        const Counter go = open_counter(sender->domain);
        const Counter done = open_counter(sender->domain);
        Bytes out(10);
        Work apart(go, 1, &done);
        apart.transfer(*sender, Kind::msg, true, out, to);
        Work named(go, 2, &own);
        named.transfer(*sender, Kind::msg, true, out, to);
        check_ok(apart.queue(*sender), "queueing");
        check_ok(named.queue(*sender), "queueing");
        add(go);
        sender->until("the first", [&] {
            receiver.poll();
            return value_of(done) == 1;
        });
        check_eq(value_of(own), 0u, "the endpoint's counter");
        add(go);
        sender->until("the second", [&] {
            receiver.poll();
            return value_of(own) == 1;
        });
    }
    check_ok(sender->ep.close(), "closing the endpoint");
    check_ok(own.close(), "closing the counter");
}

// Counters that drive each other: each step is due when the one before is done.
void deferred_counters() {
    Side side;
    const Counter first = open_counter(side.domain);
    const Counter second = open_counter(side.domain);
    const Counter third = open_counter(side.domain);
    Work one(first, 1, nullptr);
    one.change(FI_OP_CNTR_ADD, second, 10);
    Work two(second, 10, nullptr);
    two.change(FI_OP_CNTR_SET, third, 500);
    Work three(third, 400, nullptr);
    three.change(FI_OP_CNTR_ADD, first, 5);
    check_ok(three.queue(side), "queueing");
    check_ok(two.queue(side), "queueing");
    check_ok(one.queue(side), "queueing");
    check_eq(value_of(third), 0u, "nothing yet");
    add(first);
    side.until("the last step", [&] { return value_of(first) == 6; });
    check_eq(value_of(second), 10u, "the second counter");
    check_eq(value_of(third), 500u, "the third counter");
    Work wrong(first, 1, &second);
    wrong.change(FI_OP_CNTR_ADD, second, 1);
    check_refused(wrong.queue(side), "counter operations have no completion counter");
}

void deferred_cancel_and_flush() {
    Pair pair;
    const Counter one = open_counter(pair.a().domain);
    const Counter two = open_counter(pair.a().domain);
    const Counter done = open_counter(pair.a().domain);
    Bytes out(10);
    Work works[] = {{one, 1, &done}, {one, 1, &done}, {two, 1, &done}, {two, 1, &done}};
    const auto queue_all = [&] {
        for (Work& work : works) {
            work.transfer(pair.a(), Kind::msg, true, out, pair.to_b());
            check_ok(work.queue(pair.a()), "queueing");
        }
    };
    queue_all();
    check_ok(works[0].cancel(pair.a()), "cancelling");
    check_refused(works[0].cancel(pair.a()), "cancelling again");
    check_ok(fi_control(pair.a().domain.id(), FI_FLUSH_WORK, two.get()), "flushing one counter");
    add(two);
    add(one);
    pair.until("the one that is left", [&] { return value_of(done) == 1; });
    pair.settle();
    check_eq(value_of(done), 1u, "no other was sent");
    check_refused(works[1].cancel(pair.a()), "cancelling what is done");
    check_ok(fi_cntr_set(one.get(), 0), "fi_cntr_set");
    check_ok(fi_cntr_set(two.get(), 0), "fi_cntr_set");
    queue_all();
    check_ok(fi_control(pair.a().domain.id(), FI_FLUSH_WORK, nullptr), "flushing all");
    add(one);
    add(two);
    pair.settle();
    check_eq(value_of(done), 1u, "nothing was sent");
    check_eq(fi_cntr_readerr(done.get()), 0u, "and nothing failed");
}

void deferred_failure() {
    Pair pair;
    const Counter go = open_counter(pair.a().domain);
    const Counter done = open_counter(pair.a().domain);
    Bytes out(100);
    Work to(go, 1, &done);
    to.transfer(pair.a(), Kind::msg, true, out, 12345);
    check_ok(to.queue(pair.a()), "queueing");
    add(go);
    pair.until("the failure to count", [&] { return fi_cntr_readerr(done.get()) == 1; });
    check_eq(value_of(done), 0u, "successes");
}

void deferred_refused() {
    Pair pair;
    const Counter go = open_counter(pair.a().domain);
    const Counter strange = open_counter(pair.b().domain);
    Bytes out(10);
    check_refused(fi_control(pair.a().domain.id(), FI_QUEUE_WORK, nullptr), "no work");
    Work work(go, 1, nullptr);
    work.transfer(pair.a(), Kind::msg, true, out, pair.to_b());
    work.work.triggering_cntr = nullptr;
    check_refused(work.queue(pair.a()), "no counter");
    work.work.triggering_cntr = strange.get();
    check_refused(work.queue(pair.a()), "a counter of another domain");
    work.work.triggering_cntr = go.get();
    work.work.completion_cntr = strange.get();
    check_refused(work.queue(pair.a()), "a completion counter of another domain");
    work.work.completion_cntr = nullptr;
    work.msg.ep = pair.b().ep.get();
    check_refused(work.queue(pair.a()), "an endpoint of another domain");
    work.msg.ep = pair.a().ep.get();
    work.msg.flags = 1ull << 62;
    check_refused(work.queue(pair.a()), "an unknown flag");
    work.msg.flags = 0;
    work.work.op_type = static_cast<fi_op_type>(FI_OP_CNTR_ADD + 1);
    check_refused(work.queue(pair.a()), "an unknown operation");
    check_refused(work.cancel(pair.a()), "cancelling what was never queued");
    work.work.op_type = FI_OP_SEND;
    check_ok(work.queue(pair.a()), "as it should be");
    check_ok(work.cancel(pair.a()), "cancelling it");
}

} // namespace

int main(int argc, char** argv) {
    std::vector<Case> cases = {
        {"threshold reached before", threshold_reached_before},
        {"in the order of thresholds", in_order_of_thresholds},
        {"the description is copied", description_is_copied},
        {"forwarded by a counter", forwarded},
        {"cancelled", cancelled},
        {"fails when due", fails_when_due},
        {"refused triggers", refused_triggers},
        {"closed with work left", closed_with_work_left},
        {"deferred: with a completion", deferred_with_completion},
        {"deferred: the endpoint's own counter", deferred_and_own_counter},
        {"deferred: counters", deferred_counters},
        {"deferred: cancel and flush", deferred_cancel_and_flush},
        {"deferred: failure", deferred_failure},
        {"deferred: refused", deferred_refused},
    };
    for (const Kind kind : kinds) {
        for (const size_t size : {size_t{0}, size_t{100}, size_t{300000}}) {
            const std::string name =
                std::string(name_of(kind)) + ", " + std::to_string(size) + " bytes";
            cases.push_back({"triggered " + name, [=] { both_directions(kind, size); }});
            cases.push_back({"deferred " + name, [=] { deferred_transfer(kind, size); }});
        }
    }
    return run_cases(argc, argv, cases);
}
