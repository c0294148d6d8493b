// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Matching: masks, order between receives, peek, claim, discard, cancel.
#include "harness.hpp"

#include <algorithm>
#include <numeric>
#include <random>

using namespace functional;

namespace {

constexpr uint64_t all_bits = ~0ull;

// Sends without waiting for anything but room; the buffer may go at once.
void inject(Pair& pair, uint64_t tag, uint32_t seed, size_t size = 32) {
    Bytes out(size);
    fill(out, seed);
    Transfer to = transfer(Kind::tagged, out, pair.to_b(), nullptr, tag);
    to.form = Form::inject;
    pair.post([&] { return send(pair.a(), to); });
}

struct Posted {
    Bytes in;
    Op op;
    Posted(Pair& pair, uint64_t tag, uint64_t ignore, size_t size = 32) : in(size) {
        Transfer from = transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &op, tag);
        from.ignore = ignore;
        pair.post([&] { return receive(pair.b(), from); });
    }
    Posted(const Posted&) = delete;
    Posted& operator=(const Posted&) = delete;
    void expect(Pair& pair, uint64_t tag, uint32_t seed) {
        const Completion one = pair.received(1);
        check_same(one.context, &op, "the receive that was due");
        check_eq(one.tag, tag, "tag of the message, not of the receive");
        check_eq(one.len, in.size(), "length");
        check_filled(in.data(), in.size(), seed);
    }
};

void ignore_masks() {
    Pair pair;
    Posted low(pair, 0x1200, 0xff);
    Posted high(pair, 0x34, 0xffffffff00000000);
    Posted any(pair, 0, all_bits);
    Posted exact(pair, 0x55, 0);
    inject(pair, 0x1277, 1);
    low.expect(pair, 0x1277, 1);
    inject(pair, 0x9900000034, 2);
    high.expect(pair, 0x9900000034, 2);
    inject(pair, all_bits, 3);
    any.expect(pair, all_bits, 3);
    inject(pair, 0x155, 4); // matches nobody: stays unexpected
    inject(pair, 0x55, 5);
    exact.expect(pair, 0x55, 5);
    Posted late(pair, 0x100, 0xff);
    late.expect(pair, 0x155, 4);
}

// Receives are searched in the order in which they were posted, however exact they are.
void wildcard_order(bool wildcard_first) {
    Pair pair;
    Posted first(pair, 7, wildcard_first ? all_bits : 0);
    Posted second(pair, 7, wildcard_first ? 0 : all_bits);
    inject(pair, 7, 1);
    inject(pair, 7, 2);
    first.expect(pair, 7, 1);
    second.expect(pair, 7, 2);
}

void wildcard_order_interleaved() {
    Pair pair;
    Posted exact_a(pair, 1, 0);
    Posted any_a(pair, 0, all_bits);
    Posted exact_b(pair, 2, 0);
    Posted any_b(pair, 0, all_bits);
    Posted exact_c(pair, 1, 0);
    inject(pair, 2, 10); // exact_b is older than any_b, but any_a is older than exact_b
    any_a.expect(pair, 2, 10);
    inject(pair, 2, 11);
    exact_b.expect(pair, 2, 11);
    inject(pair, 1, 12);
    exact_a.expect(pair, 1, 12);
    inject(pair, 1, 13);
    any_b.expect(pair, 1, 13);
    inject(pair, 1, 14);
    exact_c.expect(pair, 1, 14);
}

// A wildcard takes the oldest unexpected message, an exact receive the oldest of its tag.
void unexpected_order() {
    Pair pair;
    for (uint32_t at = 0; at < 6; ++at) {
        inject(pair, at % 3, at);
    }
    pair.settle();
    Posted of_two(pair, 2, 0);
    of_two.expect(pair, 2, 2);
    Posted any(pair, 0, all_bits);
    any.expect(pair, 0, 0);
    Posted of_zero(pair, 0, 0);
    of_zero.expect(pair, 0, 3);
    Posted next(pair, 0, all_bits);
    next.expect(pair, 1, 1);
    Posted last_two(pair, 2, 0);
    last_two.expect(pair, 2, 5);
    Posted rest(pair, 0, all_bits);
    rest.expect(pair, 1, 4);
}

// Tagged receives and plain ones never take each other's messages.
void kinds_do_not_mix() {
    Pair pair;
    Bytes in(32);
    Op op;
    pair.post([&] { return receive(pair.b(), transfer(Kind::msg, in, FI_ADDR_UNSPEC, &op)); });
    inject(pair, 0, 1);
    pair.settle();
    check(pair.b().rx.empty(), "a tagged message leaves a plain receive alone");
    Posted any(pair, 0, all_bits);
    any.expect(pair, 0, 1);
    Bytes out(32);
    fill(out, 2);
    Transfer to = transfer(Kind::msg, out, pair.to_b(), nullptr);
    to.form = Form::inject;
    pair.post([&] { return send(pair.a(), to); });
    check_same(pair.received(1).context, &op, "the plain receive");
    check_filled(in.data(), in.size(), 2);
}

ssize_t peek(Pair& pair, uint64_t tag, uint64_t ignore, Op& op, uint64_t flags,
             Bytes* buffer = nullptr) {
    Transfer from;
    from.form = Form::message;
    from.tag = tag;
    from.ignore = ignore;
    from.context = &op;
    from.flags = flags;
    from.iov = {{buffer ? buffer->data() : nullptr, buffer ? buffer->size() : 0}};
    return receive(pair.b(), from);
}

// Peeks until the message is there: each miss is a completion in error.
Completion peek_until_hit(Pair& pair, uint64_t tag, uint64_t ignore, Op& op, uint64_t flags) {
    for (;;) {
        pair.post([&] { return peek(pair, tag, ignore, op, FI_PEEK | flags); });
        pair.until("a peek", [&] { return !pair.b().rx.empty(); });
        const Completion one = pair.b().rx.take();
        check_same(one.context, &op, "context of the peek");
        if (one.err == 0) {
            check((one.flags & FI_RECV) != 0, "FI_RECV on a peek that hit");
            return one;
        }
        check_eq(one.err, FI_ENOMSG, "error of a peek that missed");
    }
}

void check_miss(Pair& pair, uint64_t tag, uint64_t ignore) {
    Op op;
    pair.post([&] { return peek(pair, tag, ignore, op, FI_PEEK); });
    const Completion one = pair.rx_error(1);
    check_eq(one.err, FI_ENOMSG, "a peek that misses");
    check_same(one.context, &op, "its context");
}

void peek_misses() {
    Pair pair;
    check_miss(pair, 1, 0);
    inject(pair, 2, 1);
    pair.settle();
    check_miss(pair, 1, 0);
    check_miss(pair, 1, 0xfc);
    Posted two(pair, 2, 0);
    two.expect(pair, 2, 1);
    check_miss(pair, 0, all_bits);
}

void peek_hits(size_t size) {
    Pair pair;
    Bytes out(size);
    fill(out, 6);
    Op send_op;
    Transfer to = transfer(Kind::tagged, out, pair.to_b(), &send_op, 0x1234);
    to.form = Form::data;
    to.data = 0x8877665544332211;
    pair.post([&] { return send(pair.a(), to); });
    Op op;
    for (int twice = 0; twice < 2; ++twice) {
        const Completion one = peek_until_hit(pair, 0x1200, 0xff, op, 0);
        check_eq(one.len, size, "length of the message peeked at");
        check_eq(one.tag, 0x1234u, "its tag");
        check((one.flags & FI_REMOTE_CQ_DATA) != 0, "its data is announced");
        check_eq(one.data, to.data, "its data");
        check_eq(one.source, pair.to_a(), "its source");
    }
    Posted after(pair, 0x1234, 0, size);
    after.expect(pair, 0x1234, 6);
    pair.sent(0);
    check_miss(pair, 0, all_bits);
}

// A peek leaves nothing behind that a later message could fall into.
void peek_is_not_queued() {
    Pair pair;
    Bytes buffer(32, 0x11);
    Op op;
    pair.post([&] { return peek(pair, 3, 0, op, FI_PEEK, &buffer); });
    check_eq(pair.rx_error(1).err, FI_ENOMSG, "nothing there yet");
    inject(pair, 3, 1);
    pair.settle();
    check(pair.b().rx.empty(), "the message is for nobody");
    check(std::all_of(buffer.begin(), buffer.end(), [](uint8_t byte) { return byte == 0x11; }),
          "the buffer is untouched");
    Posted late(pair, 3, 0);
    late.expect(pair, 3, 1);
}

void claim(size_t size) {
    Pair pair;
    Bytes out[2] = {Bytes(size), Bytes(size)};
    Op send_ops[2];
    for (uint32_t at = 0; at < 2; ++at) {
        fill(out[at], at + 20);
        pair.post([&] {
            return send(pair.a(), transfer(Kind::tagged, out[at], pair.to_b(), &send_ops[at], 9));
        });
    }
    Op op;
    const Completion hit = peek_until_hit(pair, 9, 0, op, FI_CLAIM);
    check_eq(hit.len, size, "length of the claimed message");
    // The claimed one is out of the queue: a receive and a peek meet the second.
    Posted other(pair, 9, 0, size);
    other.expect(pair, 9, 21);
    check_miss(pair, 9, 0);
    Bytes in(size);
    pair.post([&] { return peek(pair, 9, 0, op, FI_CLAIM, &in); });
    const Completion one = pair.received(1);
    check_same(one.context, &op, "context of the claim");
    check_eq(one.len, size, "length");
    check_eq(one.tag, 9u, "tag");
    check_filled(in.data(), size, 20);
    pair.sent(0);
    pair.sent(0);
}

// What takes a claimed message is reported as any receive; peeks always are.
void claim_selectively(bool discards) {
    Config config;
    config.rx_bind = FI_RECV | FI_SELECTIVE_COMPLETION;
    Pair pair(config);
    const uint64_t take = FI_CLAIM | (discards ? FI_DISCARD : 0);
    Op ops[2];
    Bytes in[2] = {Bytes(32), Bytes(32)};
    for (uint32_t at = 0; at < 2; ++at) {
        inject(pair, at, at + 50);
        peek_until_hit(pair, at, 0, ops[at], FI_CLAIM);
        const uint64_t asks = at == 1 ? FI_COMPLETION : 0;
        pair.post([&] { return peek(pair, at, 0, ops[at], take | asks, &in[at]); });
    }
    check_same(pair.received(1).context, &ops[1], "the one that asked");
    pair.settle();
    check(pair.b().rx.empty(), "the other is silent");
    for (uint32_t at = 0; at < 2 && !discards; ++at) {
        check_filled(in[at].data(), in[at].size(), at + 50);
    }
}

void discard(bool claimed, size_t size, uint64_t tx_flags = 0) {
    Config config;
    config.tx_op_flags = tx_flags;
    Pair pair(config);
    Bytes out[2] = {Bytes(size), Bytes(size)};
    Op send_ops[2];
    for (uint32_t at = 0; at < 2; ++at) {
        fill(out[at], at + 30);
        pair.post([&] {
            return send(pair.a(), transfer(Kind::tagged, out[at], pair.to_b(), &send_ops[at], 9));
        });
    }
    Op op;
    peek_until_hit(pair, 9, 0, op, claimed ? FI_CLAIM : FI_DISCARD);
    if (claimed) {
        pair.post([&] { return peek(pair, 9, 0, op, FI_CLAIM | FI_DISCARD); });
        check_same(pair.received(1).context, &op, "completion of the discard");
    }
    Posted second(pair, 9, 0, size);
    second.expect(pair, 9, 31);
    check_miss(pair, 0, all_bits);
    pair.sent(0); // a discarded message was taken: both sends are over
    pair.sent(0);
}

void cancel_posted() {
    Pair pair;
    Posted first(pair, 1, 0);
    Posted second(pair, 1, 0);
    check_ok(fi_cancel(pair.b().ep.id(), &first.op), "fi_cancel");
    const Completion one = pair.rx_error(1);
    check_eq(one.err, FI_ECANCELED, "error of the cancelled receive");
    check_same(one.context, &first.op, "its context");
    inject(pair, 1, 5);
    second.expect(pair, 1, 5);
    pair.settle();
    check(pair.b().rx.empty(), "the cancel itself reports nothing");
}

void cancel_plain() {
    Pair pair;
    Bytes in(8);
    Op op;
    pair.post([&] { return receive(pair.b(), transfer(Kind::msg, in, FI_ADDR_UNSPEC, &op)); });
    check_ok(fi_cancel(pair.b().ep.id(), &op), "fi_cancel");
    const Completion one = pair.rx_error(1);
    check_eq(one.err, FI_ECANCELED, "error of the cancelled receive");
    check_same(one.context, &op, "its context");
}

void cancel_matched() {
    Pair pair;
    Posted only(pair, 1, 0);
    inject(pair, 1, 5);
    pair.until("the receive", [&] { return !pair.b().rx.empty(); });
    // Nothing to cancel any more; whatever it returns, it must not report anything.
    fi_cancel(pair.b().ep.id(), &only.op);
    pair.settle();
    check_eq(pair.b().rx.count(), 1u, "completions");
    only.expect(pair, 1, 5);
    Op never_posted;
    fi_cancel(pair.b().ep.id(), &never_posted);
    pair.settle();
    check(pair.b().rx.empty(), "cancelling what was never posted reports nothing");
}

// Every receive either gets its message or is cancelled, never both and never neither.
void cancel_races() {
    constexpr size_t count = 200;
    Pair pair;
    std::vector<Bytes> in(count, Bytes(64));
    std::vector<Op> ops(count);
    for (size_t at = 0; at < count; ++at) {
        pair.post([&] {
            return receive(pair.b(), transfer(Kind::tagged, in[at], FI_ADDR_UNSPEC, &ops[at], at));
        });
    }
    for (size_t at = 0; at < count; ++at) {
        inject(pair, at, static_cast<uint32_t>(at), 64);
        fi_cancel(pair.b().ep.id(), &ops[at]);
    }
    std::vector<int> ends(count);
    for (size_t left = count; left > 0; --left) {
        pair.until("each receive to end", [&] { return !pair.b().rx.empty(); });
        const Completion one = pair.b().rx.take();
        const auto at = static_cast<size_t>(static_cast<const Op*>(one.context) - ops.data());
        check(at < count, "a context that was given");
        ++ends[at];
        if (one.err == 0) {
            check_filled(in[at].data(), 64, static_cast<uint32_t>(at));
        } else {
            check_eq(one.err, FI_ECANCELED, "error of a cancelled receive");
        }
    }
    pair.settle();
    check(pair.b().rx.empty(), "nothing ends twice");
    check(std::all_of(ends.begin(), ends.end(), [](int times) { return times == 1; }),
          "each receive ends once");
}

void many_endpoints() {
    constexpr size_t senders = 6;
    constexpr size_t count = 60;
    Group group(senders + 1);
    std::vector<uint32_t> order(senders * count);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), std::mt19937(7));
    std::vector<Bytes> in(order.size(), Bytes(700));
    std::vector<Op> ops(order.size());
    // Half of the receives are there before the messages, half come after.
    const auto post = [&](size_t from, size_t to) {
        for (size_t at = from; at < to; ++at) {
            group.post([&] {
                return receive(group[0], transfer(Kind::tagged, in[order[at]], FI_ADDR_UNSPEC,
                                                  &ops[order[at]], order[at]));
            });
        }
    };
    post(0, order.size() / 2);
    std::vector<Op> send_ops(order.size());
    std::vector<Bytes> out(order.size(), Bytes(700));
    for (uint32_t at = 0; at < order.size(); ++at) {
        const size_t sender = 1 + at % senders;
        fill(out[at], at);
        group.post([&] {
            return send(group[sender], transfer(Kind::tagged, out[at], group.address(sender, 0),
                                                &send_ops[at], at));
        });
    }
    post(order.size() / 2, order.size());
    for (size_t left = order.size(); left > 0; --left) {
        const Completion one = group.received(0);
        const auto at = static_cast<uint32_t>(static_cast<const Op*>(one.context) - ops.data());
        check_eq(one.tag, at, "tag");
        check_eq(one.source, group.address(0, 1 + at % senders), "source");
        check_filled(in[at].data(), in[at].size(), at);
    }
    for (size_t at = 0; at < order.size(); ++at) {
        group.sent(1 + at % senders);
    }
}

} // namespace

int main(int argc, char** argv) {
    const Case cases[] = {
        {"ignore masks", ignore_masks},
        {"exact before wildcard", [] { wildcard_order(false); }},
        {"wildcard before exact", [] { wildcard_order(true); }},
        {"wildcards and exact interleaved", wildcard_order_interleaved},
        {"unexpected messages in order", unexpected_order},
        {"tagged and plain do not mix", kinds_do_not_mix},
        {"peek misses", peek_misses},
        {"peek hits, short", [] { peek_hits(40); }},
        {"peek hits, empty", [] { peek_hits(0); }},
        {"peek hits, long", [] { peek_hits(1 << 20); }},
        {"peek is not queued", peek_is_not_queued},
        {"claim, short", [] { claim(100); }},
        {"claim, long", [] { claim(1 << 20); }},
        {"discard by peek, short", [] { discard(false, 50); }},
        {"discard by peek, long", [] { discard(false, 1 << 20); }},
        {"claim, selective completion", [] { claim_selectively(false); }},
        {"discard of claimed, selective completion", [] { claim_selectively(true); }},
        {"discard, FI_MATCH_COMPLETE",
         [] {
             only_rill("fi_cq(3): many providers may not support it");
             discard(false, 50, FI_MATCH_COMPLETE);
             discard(true, 1 << 20, FI_MATCH_COMPLETE);
         }},
        {"discard of claimed, short", [] { discard(true, 50); }},
        {"discard of claimed, long", [] { discard(true, 1 << 20); }},
        {"cancel", cancel_posted},
        {"cancel of a plain receive", cancel_plain},
        {"cancel of a matched receive", cancel_matched},
        {"cancel against arrival", cancel_races},
        {"tags from many endpoints", many_endpoints},
    };
    return run_cases(argc, argv, cases);
}
