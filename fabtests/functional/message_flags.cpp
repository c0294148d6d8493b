// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "message_cases.hpp"

namespace functional {

namespace {

struct Exchange {
    Bytes out = Bytes(100);
    Bytes in = Bytes(100);
    Op send_op;
    Op receive_op;

    Transfer to(Pair& pair, Kind kind) { return transfer(kind, out, pair.to_b(), &send_op, 1); }
    Transfer from(Kind kind) { return transfer(kind, in, FI_ADDR_UNSPEC, &receive_op, 1); }
};

// Sends one message and waits until it lies in the receiver's buffer, completions or not.
void move_quietly(Pair& pair, Exchange& one, const Transfer& to, const Transfer& from) {
    static uint32_t seed = 40;
    fill(one.out, ++seed);
    std::fill(one.in.begin(), one.in.end(), static_cast<uint8_t>(one.out.back() + 1));
    pair.post([&] { return receive(pair.b(), from); });
    pair.post([&] { return send(pair.a(), to); });
    // The last byte tells that data is there only while nothing else is outstanding; the check
    // of all bytes follows after more passes.
    pair.until("data to arrive",
               [&] { return static_cast<volatile uint8_t&>(one.in.back()) == one.out.back(); });
    pair.settle();
    check_filled(one.in.data(), one.in.size(), seed);
}

Config selective() {
    Config config;
    config.tx_bind = FI_TRANSMIT | FI_SELECTIVE_COMPLETION;
    config.rx_bind = FI_RECV | FI_SELECTIVE_COMPLETION;
    return config;
}

void expect_counts(Pair& pair, size_t sent, size_t received, const char* what) {
    check_eq(pair.a().tx.count(), sent, std::string(what) + ": send completions");
    check_eq(pair.b().rx.count(), received, std::string(what) + ": receive completions");
    while (!pair.a().tx.empty()) {
        check_eq(pair.a().tx.take().err, 0, "a send that ends well");
    }
    while (!pair.b().rx.empty()) {
        check_eq(pair.b().rx.take().err, 0, "a receive that ends well");
    }
}

void asked_for_only(Kind kind) {
    Pair pair(selective());
    Exchange one;
    Transfer to = one.to(pair, kind);
    Transfer from = one.from(kind);
    move_quietly(pair, one, to, from);
    expect_counts(pair, 0, 0, "plain calls");
    to.form = Form::message;
    from.form = Form::message;
    move_quietly(pair, one, to, from);
    expect_counts(pair, 0, 0, "msg calls without FI_COMPLETION");
    to.flags = FI_COMPLETION;
    move_quietly(pair, one, to, from);
    expect_counts(pair, 1, 0, "FI_COMPLETION on the send");
    to.flags = 0;
    from.flags = FI_COMPLETION;
    move_quietly(pair, one, to, from);
    expect_counts(pair, 0, 1, "FI_COMPLETION on the receive");
}

// The endpoint's flags apply to plain calls; those of a msg call replace them.
void default_flags(Kind kind) {
    Config config = selective();
    config.tx_op_flags = FI_COMPLETION;
    config.rx_op_flags = FI_COMPLETION;
    Pair pair(config);
    Exchange one;
    Transfer to = one.to(pair, kind);
    Transfer from = one.from(kind);
    move_quietly(pair, one, to, from);
    expect_counts(pair, 1, 1, "plain calls");
    to.form = Form::message;
    from.form = Form::message;
    move_quietly(pair, one, to, from);
    expect_counts(pair, 0, 0, "msg calls with no flags");
    to.form = Form::inject;
    to.iov[0].iov_len = one.out.size();
    if (one.out.size() <= pair.a().info->tx_attr->inject_size) {
        move_quietly(pair, one, to, from);
        expect_counts(pair, 0, 0, "inject");
    }
}

void errors_always(Kind kind) {
    Pair pair(selective());
    Bytes out(64);
    Bytes in(8);
    Op ops[2];
    pair.post([&] { return receive(pair.b(), transfer(kind, in, FI_ADDR_UNSPEC, &ops[0], 1)); });
    pair.post([&] { return send(pair.a(), transfer(kind, out, pair.to_b(), &ops[1], 1)); });
    check_eq(pair.rx_error(1).err, FI_ETRUNC, "an error nobody asked for");
    pair.settle();
    check(pair.a().tx.empty(), "no completion for the send");
}

void msg_calls_complete_by_default(Kind kind) {
    Pair pair;
    Exchange one;
    Transfer to = one.to(pair, kind);
    Transfer from = one.from(kind);
    to.form = Form::message;
    from.form = Form::message;
    move_quietly(pair, one, to, from);
    expect_counts(pair, 1, 1, "msg calls with no flags, queues not selective");
}

void level(Kind kind, uint64_t flag, size_t size) {
    if (flag == FI_MATCH_COMPLETE) {
        only_rill("fi_cq(3): many providers may not support it");
    }
    Pair pair;
    Bytes out(size);
    Bytes in(size);
    Op ops[2];
    fill(out, 12);
    pair.post([&] { return receive(pair.b(), transfer(kind, in, FI_ADDR_UNSPEC, &ops[0], 1)); });
    Transfer to = transfer(kind, out, pair.to_b(), &ops[1], 1);
    to.form = Form::message;
    to.flags = flag | FI_COMPLETION;
    pair.post([&] { return send(pair.a(), to); });
    pair.sent(0);
    if (flag == FI_DELIVERY_COMPLETE || flag == FI_MATCH_COMPLETE) {
        // Processed by the peer: the data lies in its buffer already.
        check_filled(in.data(), size, 12);
    } else {
        std::fill(out.begin(), out.end(), 0xdd); // the buffer is ours again
    }
    pair.received(1);
    check_filled(in.data(), size, 12);
}

void level_by_default(Kind kind) {
    for (const uint64_t flag : {FI_INJECT_COMPLETE, FI_TRANSMIT_COMPLETE, FI_DELIVERY_COMPLETE}) {
        Config config;
        config.tx_op_flags = flag;
        Pair pair(config);
        Exchange one;
        move_quietly(pair, one, one.to(pair, kind), one.from(kind));
        expect_counts(pair, 1, 1, "a level as the endpoint's default");
    }
}

// A receive may be satisfied with less than that its data is visible to all.
void receive_level(Kind kind) {
    for (const bool by_default : {false, true}) {
        Config config;
        config.rx_op_flags = by_default ? FI_TRANSMIT_COMPLETE : 0;
        Pair pair(config);
        Exchange one;
        Transfer from = one.from(kind);
        if (!by_default) {
            from.form = Form::message;
            from.flags = FI_TRANSMIT_COMPLETE | FI_COMPLETION;
        }
        move_quietly(pair, one, one.to(pair, kind), from);
        expect_counts(pair, 1, 1, by_default ? "as the endpoint's default" : "in the call");
    }
}

void more_is_only_a_hint(Kind kind) {
    Pair pair;
    constexpr size_t count = 20;
    Bytes out[count];
    Bytes in[count];
    std::vector<Op> ops(2 * count);
    for (size_t at = 0; at < count; ++at) {
        out[at].resize(50);
        in[at].resize(50);
        fill(out[at], static_cast<uint32_t>(at));
        Transfer from = transfer(kind, in[at], FI_ADDR_UNSPEC, &ops[at], at);
        Transfer to = transfer(kind, out[at], pair.to_b(), &ops[count + at], at);
        from.form = to.form = Form::message;
        from.flags = to.flags = FI_COMPLETION | (at + 1 < count ? FI_MORE : 0);
        pair.post([&] { return receive(pair.b(), from); });
        pair.post([&] { return send(pair.a(), to); });
    }
    for (size_t at = 0; at < count; ++at) {
        pair.received(1);
        pair.sent(0);
    }
    for (size_t at = 0; at < count; ++at) {
        check_filled(in[at].data(), in[at].size(), static_cast<uint32_t>(at));
    }
}

} // namespace

void add_flag_cases(std::vector<Case>& cases, Kind kind) {
    const std::string prefix = std::string(name_of(kind)) + ": ";
    const auto add = [&](const std::string& name, std::function<void()> run) {
        cases.push_back({prefix + name, std::move(run)});
    };
    add("selective completion", [=] { asked_for_only(kind); });
    add("selective completion, default flags", [=] { default_flags(kind); });
    add("selective completion, errors always", [=] { errors_always(kind); });
    add("msg calls complete by default", [=] { msg_calls_complete_by_default(kind); });
    const std::pair<const char*, uint64_t> levels[] = {
        {"FI_INJECT_COMPLETE", FI_INJECT_COMPLETE},
        {"FI_TRANSMIT_COMPLETE", FI_TRANSMIT_COMPLETE},
        {"FI_DELIVERY_COMPLETE", FI_DELIVERY_COMPLETE},
        {"FI_MATCH_COMPLETE", FI_MATCH_COMPLETE},
    };
    for (const auto& [name, flag] : levels) {
        add(name, [kind, flag = flag] {
            level(kind, flag, 100);
            level(kind, flag, 300000);
        });
    }
    add("completion levels by default", [=] { level_by_default(kind); });
    add("FI_TRANSMIT_COMPLETE of a receive", [=] { receive_level(kind); });
    add("FI_MORE", [=] { more_is_only_a_hint(kind); });
}

} // namespace functional
