// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// RMA and atomic operations that wait for counters, and FI_TRIGGER as the default of a handle.
#include "remote_cases.hpp"

#include <rdma/fi_trigger.h>

using namespace functional;

namespace {

fi_triggered_context2 at_threshold(const Counter& counter, size_t threshold) {
    fi_triggered_context2 context{};
    context.event_type = FI_TRIGGER_THRESHOLD;
    context.trigger.threshold.cntr = counter.get();
    context.trigger.threshold.threshold = threshold;
    return context;
}

void add(const Counter& counter) {
    check_ok(fi_cntr_add(counter.get(), 1), "fi_cntr_add");
}

Config triggering() {
    Config config = remote_config();
    config.caps |= FI_TRIGGER;
    return config;
}

Endpoint alias_of(const Endpoint& ep, uint64_t flags) {
    fid_ep* made = nullptr;
    check_ok(fi_ep_alias(ep.get(), &made, flags), "fi_ep_alias");
    return Endpoint(made);
}

// The message form copies what describes the operation, and the bytes of an injected write.
void message_form(bool write, uint64_t flags) {
    constexpr size_t size = 200;
    Pair pair(triggering());
    const Counter counter = open_counter(pair.a().domain);
    Bytes local(size), remote(size);
    fill(write ? local : remote, 3);
    const Target target(pair.b(), remote.data(), remote.size());
    fi_triggered_context2 context = at_threshold(counter, 2);
    iovec pieces[] = {{local.data(), 70}, {local.data() + 70, size - 70}};
    fi_rma_iov ranges[] = {{target.address, 120, target.key},
                           {target.address + 120, size - 120, target.key}};
    fi_msg_rma msg{};
    msg.msg_iov = pieces;
    msg.iov_count = 2;
    msg.addr = pair.to_b();
    msg.rma_iov = ranges;
    msg.rma_iov_count = 2;
    msg.context = &context;
    fid_ep* ep = pair.a().ep.get();
    check_ok(write ? fi_writemsg(ep, &msg, flags | FI_TRIGGER)
                   : fi_readmsg(ep, &msg, flags | FI_TRIGGER),
             "submission");
    pieces[0] = pieces[1] = {nullptr, 1};
    ranges[0] = ranges[1] = {};
    if (flags & FI_INJECT) std::fill(local.begin(), local.end(), 0);
    add(counter);
    pair.settle();
    check(pair.a().tx.empty(), "nothing before the threshold");
    const Bytes& destination = write ? remote : local;
    check(destination == Bytes(size), "nothing moves before the threshold");
    add(counter);
    const Completion done = pair.sent(0);
    check_same(done.context, &context, "context");
    check_eq(done.flags & (FI_RMA | FI_READ | FI_WRITE), FI_RMA | (write ? FI_WRITE : FI_READ),
             "flags");
    check_filled(destination.data(), size, 3);
}

// Every form that has a context waits on the alias, and none on the endpoint.
void by_default_of_an_alias() {
    Pair pair(triggering());
    const Counter counter = open_counter(pair.a().domain);
    Endpoint alias = alias_of(pair.a().ep, FI_TRANSMIT | FI_TRIGGER);
    Bytes local(8), remote(8), in(8);
    uint64_t operand = 5, result = 0;
    alignas(8) uint64_t cell = 100;
    const Target target(pair.b(), remote.data(), remote.size());
    const Target number(pair.b(), &cell, sizeof(cell), 8);
    const fi_addr_t to = pair.to_b();
    struct Form {
        const char* name;
        std::function<ssize_t(fid_ep*, void*)> post;
    };
    const iovec piece{local.data(), local.size()};
    const Form forms[] = {
        {"fi_write",
         [&](fid_ep* ep, void* context) {
             return fi_write(ep, local.data(), 8, nullptr, to, target.address, target.key, context);
         }},
        {"fi_readv",
         [&](fid_ep* ep, void* context) {
             return fi_readv(ep, &piece, nullptr, 1, to, target.address, target.key, context);
         }},
        {"fi_atomic",
         [&](fid_ep* ep, void* context) {
             return fi_atomic(ep, &operand, 1, nullptr, to, number.address, number.key, FI_UINT64,
                              FI_SUM, context);
         }},
        {"fi_fetch_atomic",
         [&](fid_ep* ep, void* context) {
             return fi_fetch_atomic(ep, &operand, 1, nullptr, &result, nullptr, to, number.address,
                                    number.key, FI_UINT64, FI_SUM, context);
         }},
        {"fi_send",
         [&](fid_ep* ep, void* context) {
             return fi_send(ep, local.data(), 8, nullptr, to, context);
         }},
        {"fi_tsenddata",
         [&](fid_ep* ep, void* context) {
             return fi_tsenddata(ep, local.data(), 8, nullptr, 1, to, 0, context);
         }},
    };
    uint64_t threshold = 0;
    for (const Form& form : forms) {
        fi_triggered_context2 context = at_threshold(counter, ++threshold);
        Op at_once;
        pair.post([&] { return form.post(pair.a().ep.get(), &at_once); });
        check_same(pair.sent(0).context, &at_once, form.name);
        check_ok(static_cast<int>(form.post(alias.get(), &context)), form.name);
        pair.settle();
        check(pair.a().tx.empty(), form.name);
        add(counter);
        check_same(pair.sent(0).context, &context, form.name);
        check_refused(form.post(alias.get(), nullptr), "no context");
    }
    check_eq(cell, uint64_t{120}, "the sum of four additions");
    check_eq(result, uint64_t{115}, "what the last fetched");
}

// The default of both directions, by the hints.
void by_default_of_hints() {
    Config config = triggering();
    config.tx_op_flags = config.rx_op_flags = FI_TRIGGER;
    Pair pair(config);
    const Counter go_a = open_counter(pair.a().domain);
    const Counter go_b = open_counter(pair.b().domain);
    Bytes out(8), in(8);
    fill(out, 3);
    fi_triggered_context2 from = at_threshold(go_b, 1);
    fi_triggered_context2 to = at_threshold(go_a, 1);
    check_ok(receive(pair.b(), transfer(Kind::msg, in, FI_ADDR_UNSPEC, &from)), "receive");
    check_ok(send(pair.a(), transfer(Kind::msg, out, pair.to_b(), &to)), "send");
    check_refused(send(pair.a(), transfer(Kind::msg, out, pair.to_b(), nullptr)), "no context");
    add(go_b);
    pair.settle();
    check(pair.a().tx.empty() && pair.b().rx.empty(), "nothing is sent before the threshold");
    add(go_a);
    check_same(pair.received(1).context, &from, "context of the receive");
    check_same(pair.sent(0).context, &to, "context of the send");
    check_filled(in.data(), in.size(), 3);
}

// The default of receives, set and taken back.
void by_default_of_receives() {
    Pair pair(triggering());
    const Counter counter = open_counter(pair.b().domain);
    uint64_t flags = FI_RECV | FI_TRIGGER;
    check_ok(fi_control(pair.b().ep.id(), FI_SETOPSFLAG, &flags), "FI_SETOPSFLAG");
    Bytes out(8), in(8);
    fi_triggered_context2 context = at_threshold(counter, 1);
    check_ok(receive(pair.b(), transfer(Kind::msg, in, FI_ADDR_UNSPEC, &context)), "receive");
    Op sent;
    pair.post([&] { return send(pair.a(), transfer(Kind::msg, out, pair.to_b(), &sent)); });
    pair.settle();
    check(pair.b().rx.empty(), "nothing before the threshold");
    add(counter);
    check_same(pair.received(1).context, &context, "context of the receive");
    pair.sent(0);
}

// Operands of an injected operation are copied.
void injected_atomic() {
    Pair pair(triggering());
    const Counter counter = open_counter(pair.a().domain);
    alignas(8) uint64_t cell = 100;
    const Target number(pair.b(), &cell, sizeof(cell));
    fi_triggered_context2 context = at_threshold(counter, 1);
    uint64_t operand = 7;
    fi_ioc ioc{&operand, 1};
    fi_rma_ioc range{number.address, 1, number.key};
    fi_msg_atomic msg{};
    msg.msg_iov = &ioc;
    msg.iov_count = 1;
    msg.addr = pair.to_b();
    msg.rma_iov = &range;
    msg.rma_iov_count = 1;
    msg.datatype = FI_UINT64;
    msg.op = FI_SUM;
    msg.context = &context;
    check_ok(fi_atomicmsg(pair.a().ep.get(), &msg, FI_TRIGGER | FI_INJECT | FI_DELIVERY_COMPLETE),
             "submission");
    operand = 1000;
    ioc = {};
    range = {};
    add(counter);
    const Completion done = pair.sent(0);
    check_same(done.context, &context, "context");
    check_eq(done.flags & (FI_ATOMIC | FI_WRITE), FI_ATOMIC | FI_WRITE, "flags");
    check_eq(cell, uint64_t{107}, "the sum");
}

// What cannot be done when it is due is a failed operation, and what is cancelled never starts.
void fails_or_is_cancelled() {
    Pair pair(triggering());
    const Counter counter = open_counter(pair.a().domain);
    Endpoint alias = alias_of(pair.a().ep, FI_TRANSMIT | FI_TRIGGER);
    Bytes local(8);
    fi_triggered_context2 wrong = at_threshold(counter, 1);
    fi_triggered_context2 late = at_threshold(counter, 2);
    check_ok(fi_write(alias.get(), local.data(), 8, nullptr, 12345, 0, 7, &wrong), "submission");
    check_ok(fi_read(alias.get(), local.data(), 8, nullptr, pair.to_b(), 0, 7, &late),
             "submission");
    add(counter);
    const Completion failed = pair.tx_error(0);
    check_same(failed.context, &wrong, "context");
    check_eq(failed.err, FI_EINVAL, "an address that is not in the vector");
    check_eq(failed.flags & (FI_RMA | FI_WRITE), FI_RMA | FI_WRITE, "flags");
    check_ok(fi_cancel(alias.id(), &late), "fi_cancel");
    const Completion cancelled = pair.tx_error(0);
    check_same(cancelled.context, &late, "context");
    check_eq(cancelled.err, FI_ECANCELED, "error");
}

// ---- the deferred work queue ------------------------------------------------------------------

uint64_t value_of(const Counter& counter) {
    return fi_cntr_read(counter.get());
}

// Work of one endpoint on memory of the other's, with what must stay as it is until it is complete.
struct Remote {
    explicit Remote(size_t bytes)
        : local(bytes), remote(bytes), target(pair.b(), remote.data(), bytes) {}
    // After the endpoint that it is bound to, before the domain.
    ~Remote() {
        if (pair.a().ep.close() == 0) own.close();
    }

    // `what` has an endpoint, a message and flags. Runs it once, by a threshold of `go`.
    template <class What>
    void run(What& what, fi_op_type type, uint64_t flags) {
        what.ep = pair.a().ep.get();
        what.msg.addr = pair.to_b();
        what.msg.context = this;
        what.flags = flags;
        work.threshold = ++runs;
        work.triggering_cntr = go.get();
        work.completion_cntr = done.get();
        work.op_type = type;
        check_ok(fi_control(pair.a().domain.id(), FI_QUEUE_WORK, &work), "FI_QUEUE_WORK");
        pair.settle();
        check_eq(value_of(done), runs - 1, "before the threshold");
        add(go);
        pair.until("the completion counter", [&] { return value_of(done) == runs; });
        if (flags & FI_COMPLETION) check_same(pair.sent(0).context, this, "its entry in the queue");
        pair.settle();
        check(pair.a().tx.empty(), "no other entry");
        check_eq(value_of(own), 0u, "the endpoint's own counter");
    }
    void run_rma(fi_op_type type, uint64_t flags) {
        fi_op_rma what{};
        const iovec pieces[] = {{local.data(), 10}, {local.data() + 10, local.size() - 10}};
        const fi_rma_iov range{target.address, remote.size(), target.key};
        what.msg.msg_iov = pieces;
        what.msg.iov_count = 2;
        what.msg.rma_iov = &range;
        what.msg.rma_iov_count = 1;
        work.op.rma = &what;
        run(what, type, flags);
    }

    Counter own;
    Pair pair{triggering_with(own)};
    const Counter go = open_counter(pair.a().domain);
    const Counter done = open_counter(pair.a().domain);
    Bytes local, remote;
    const Target target;
    fi_deferred_work work{};
    uint64_t runs = 0;

private:
    // The first side's transmits have a counter, which must hear of none of this.
    static Config triggering_with(Counter& own) {
        Config config = triggering();
        config.prepare = [&own](Side& side) {
            if (own.get()) return;
            own = open_counter(side.domain);
            check_ok(fi_ep_bind(side.ep.get(), own.id(), FI_WRITE | FI_READ), "bind");
        };
        return config;
    }
};

void deferred_rma(size_t bytes) {
    Remote r(bytes);
    fill(r.local, 3);
    r.run_rma(FI_OP_WRITE, FI_DELIVERY_COMPLETE);
    check(r.local == r.remote, "what was written");
    fill(r.remote, 4);
    r.run_rma(FI_OP_READ, FI_COMPLETION);
    check(r.local == r.remote, "what was read");
}

void deferred_atomics() {
    Remote r(16);
    auto* cells = reinterpret_cast<uint64_t*>(r.remote.data());
    const uint64_t before[] = {100, 200};
    std::copy_n(before, 2, cells);
    uint64_t operands[] = {5, 6}, compares[] = {105, 0}, results[2] = {};
    const fi_ioc operand{operands, 2}, compare{compares, 2};
    fi_ioc result{results, 2};
    const fi_rma_ioc range{r.target.address, 2, r.target.key};
    const auto describe = [&](fi_msg_atomic& msg, fi_op op) {
        msg.msg_iov = &operand;
        msg.iov_count = 1;
        msg.rma_iov = &range;
        msg.rma_iov_count = 1;
        msg.datatype = FI_UINT64;
        msg.op = op;
    };
    fi_op_atomic base{};
    describe(base.msg, FI_SUM);
    r.work.op.atomic = &base;
    r.run(base, FI_OP_ATOMIC, FI_DELIVERY_COMPLETE);
    check(cells[0] == 105 && cells[1] == 206, "the sums");

    fi_op_compare_atomic swap{};
    describe(swap.msg, FI_CSWAP);
    swap.compare = {&compare, nullptr, 1};
    swap.fetch = {&result, nullptr, 1};
    r.work.op.compare_atomic = &swap;
    r.run(swap, FI_OP_COMPARE_ATOMIC, FI_COMPLETION);
    check(results[0] == 105 && results[1] == 206, "what was compared");
    check(cells[0] == 5 && cells[1] == 206, "swapped where equal");

    fi_op_fetch_atomic fetch{};
    describe(fetch.msg, FI_SUM);
    fetch.fetch = {&result, nullptr, 1};
    r.work.op.fetch_atomic = &fetch;
    r.run(fetch, FI_OP_FETCH_ATOMIC, 0);
    check(results[0] == 5 && results[1] == 206, "what was fetched");
    check(cells[0] == 10 && cells[1] == 212, "the sums");
}

// A key that nobody has, and lists that do not go together, count as errors when they are due.
void deferred_failures() {
    Remote r(64);
    const iovec piece{r.local.data(), 64};
    for (const fi_rma_iov& range : {fi_rma_iov{r.target.address, 64, 12345},
                                    fi_rma_iov{r.target.address, 63, r.target.key}}) {
        fi_op_rma what{};
        what.ep = r.pair.a().ep.get();
        what.msg.addr = r.pair.to_b();
        what.msg.msg_iov = &piece;
        what.msg.iov_count = 1;
        what.msg.rma_iov = &range;
        what.msg.rma_iov_count = 1;
        fi_deferred_work work{};
        work.triggering_cntr = r.go.get();
        work.completion_cntr = r.done.get();
        work.op_type = FI_OP_WRITE;
        work.op.rma = &what;
        const uint64_t failed = fi_cntr_readerr(r.done.get());
        check_ok(fi_control(r.pair.a().domain.id(), FI_QUEUE_WORK, &work), "at once");
        r.pair.until("the failure to count",
                     [&] { return fi_cntr_readerr(r.done.get()) == failed + 1; });
    }
    check_eq(value_of(r.done), 0u, "successes");
    check(r.remote == Bytes(64), "nothing was written");
}

} // namespace

int main(int argc, char** argv) {
    const std::vector<Case> cases = {
        {"write", [] { message_form(true, 0); }},
        {"injected write", [] { message_form(true, FI_INJECT | FI_DELIVERY_COMPLETE); }},
        {"read", [] { message_form(false, 0); }},
        {"default of an alias", by_default_of_an_alias},
        {"default of receives", by_default_of_receives},
        {"default of hints", by_default_of_hints},
        {"injected atomic", injected_atomic},
        {"fails or is cancelled", fails_or_is_cancelled},
        {"deferred RMA, 40 bytes", [] { deferred_rma(40); }},
        {"deferred RMA, 300000 bytes", [] { deferred_rma(300000); }},
        {"deferred atomics", deferred_atomics},
        {"deferred failures", deferred_failures},
    };
    return run_cases(argc, argv, cases);
}
