// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Messages and tagged messages in every form and size. What operation flags do is in
// message_flags.cpp.
#include "message_cases.hpp"

#include <algorithm>

using namespace functional;

namespace {

constexpr Kind kinds[] = {Kind::msg, Kind::tagged};
constexpr Form forms[] = {Form::plain,  Form::vector, Form::message,
                          Form::inject, Form::data,   Form::inject_data};
constexpr size_t largest = 8 << 20;

// Around every border that a provider is likely to have: packets, pages, 64 KiB, its own limit.
std::vector<size_t> sizes(const Side& side) {
    const size_t inject = side.info->tx_attr->inject_size;
    std::vector<size_t> list = {0,    1,    63,    64,    65,    1400,    4096,   8191,
                                8192, 8193, 65535, 65536, 65537, 1 << 20, largest};
    for (const size_t near : {inject - 1, inject, inject + 1}) {
        if (near > 0 && near <= largest) {
            list.push_back(near);
        }
    }
    return list;
}

void check_received(const Completion& one, const Transfer& sent, size_t size, const Op& op) {
    check_same(one.context, &op, "context of the receive");
    check_eq(one.len, size, "length received");
    check((one.flags & FI_RECV) != 0, "FI_RECV is set on a receive");
    const uint64_t kind = sent.kind == Kind::msg ? FI_MSG : FI_TAGGED;
    check_eq(one.flags & (FI_MSG | FI_TAGGED), kind, "kind of the receive");
    if (sent.kind == Kind::tagged) {
        check_eq(one.tag, sent.tag, "tag received");
    }
    const bool with_data = carries_data(sent.form) || (sent.flags & FI_REMOTE_CQ_DATA);
    check_eq((one.flags & FI_REMOTE_CQ_DATA) != 0, with_data, "FI_REMOTE_CQ_DATA");
    if (with_data) {
        check_eq(one.data, sent.data, "remote CQ data");
    }
}

void check_sent(const Completion& one, Kind kind, const Op& op) {
    check_same(one.context, &op, "context of the send");
    check((one.flags & FI_SEND) != 0, "FI_SEND is set on a send");
    check_eq(one.flags & (FI_MSG | FI_TAGGED), kind == Kind::msg ? FI_MSG : FI_TAGGED,
             "kind of the send");
}

struct Plan {
    Kind kind;
    Form form;
    size_t size;
    size_t pieces = 1; // on both sides
    bool receive_first = true;
    uint64_t flags = 0;
};

void move(Pair& pair, const Plan& plan, uint32_t seed) {
    Bytes out(plan.size);
    Bytes in(plan.size);
    Op send_op;
    Op receive_op;
    fill(out, seed);
    Transfer to = transfer(plan.kind, out, pair.to_b(), &send_op, 0xabcd00000000ull + seed);
    to.form = plan.form;
    to.flags = plan.flags;
    to.data = 0xfedcba9876543210ull + seed;
    Transfer from = transfer(plan.kind, in, FI_ADDR_UNSPEC, &receive_op, to.tag);
    if (plan.form == Form::vector || plan.form == Form::message) {
        from.form = plan.form;
        to.iov = split(out, plan.pieces);
        from.iov = split(in, plan.pieces > 1 ? plan.pieces - 1 : 1);
    }
    const auto post_receive = [&] { pair.post([&] { return receive(pair.b(), from); }); };
    if (plan.receive_first) {
        post_receive();
    }
    pair.post([&] { return send(pair.a(), to); });
    if (!plan.receive_first) {
        pair.settle();
        post_receive();
    }
    check_received(pair.received(1), to, plan.size, receive_op);
    check_filled(in.data(), in.size(), seed);
    if (!is_inject(plan.form)) {
        check_sent(pair.sent(0), plan.kind, send_op);
    }
    check(pair.a().tx.empty() && pair.b().rx.empty(), "no completion too many");
}

// `flags`: of the msg form, in pieces.
void every_size(Kind kind, Form form, uint64_t flags = 0) {
    Pair pair;
    uint32_t seed = 1;
    for (const size_t size : sizes(pair.a())) {
        if ((is_inject(form) || (flags & FI_INJECT)) &&
            size > pair.a().info->tx_attr->inject_size) {
            continue;
        }
        Plan plan{kind, form, size};
        plan.flags = flags;
        plan.pieces = flags ? 1 + seed % 4 : 1;
        move(pair, plan, ++seed);
    }
}

void borders(Kind kind) {
    ask_for_small_packets();
    Pair pair;
    uint32_t seed = 1;
    for (const size_t size : sizes_at_borders()) {
        move(pair, {kind, Form::plain, size}, ++seed);
    }
}

void every_size_unexpected(Kind kind) {
    Pair pair;
    uint32_t seed = 1;
    for (const size_t size : sizes(pair.a())) {
        Plan plan{kind, Form::plain, size};
        plan.receive_first = false;
        move(pair, plan, ++seed);
    }
}

void every_iov_count(Kind kind, Form form) {
    Pair pair;
    const size_t limit =
        std::min(pair.a().info->tx_attr->iov_limit, pair.b().info->rx_attr->iov_limit);
    if (is_rill()) {
        check(limit >= 8, "at least 8 pieces per operation");
    }
    uint32_t seed = 1;
    for (size_t pieces = 1; pieces <= limit; ++pieces) {
        for (const size_t size : {size_t{5}, size_t{1000}, size_t{70001}}) {
            move(pair, {kind, form, size, pieces}, ++seed);
        }
    }
}

void remote_data_in_messages(Kind kind) {
    Pair pair;
    Plan plan{kind, Form::message, 100};
    plan.flags = FI_REMOTE_CQ_DATA | FI_COMPLETION;
    for (const size_t size : {size_t{0}, size_t{1}, size_t{5000}, size_t{1} << 20}) {
        plan.size = size;
        move(pair, plan, 7);
    }
}

void both_ways_at_once() {
    constexpr size_t size = 300001;
    constexpr size_t count = 8;
    Pair pair;
    std::vector<Bytes> out(2 * count, Bytes(size));
    std::vector<Bytes> in(2 * count, Bytes(size));
    std::vector<Op> ops(4 * count);
    for (size_t at = 0; at < 2 * count; ++at) {
        const size_t from = at % 2;
        fill(out[at], static_cast<uint32_t>(at));
        pair.post([&] {
            return receive(pair[1 - from],
                           transfer(Kind::tagged, in[at], FI_ADDR_UNSPEC, &ops[at], at));
        });
        pair.post([&] {
            return send(pair[from], transfer(Kind::tagged, out[at], pair.address(from, 1 - from),
                                             &ops[2 * count + at], at));
        });
    }
    for (size_t at = 0; at < count; ++at) {
        for (size_t side = 0; side < 2; ++side) {
            pair.received(side);
            pair.sent(side);
        }
    }
    for (size_t at = 0; at < 2 * count; ++at) {
        check_filled(in[at].data(), size, static_cast<uint32_t>(at));
    }
}

// The endpoint knows itself by address like any peer.
void to_self(Kind kind, bool receive_first) {
    Group one(1);
    for (const size_t size : {size_t{0}, size_t{8}, size_t{4097}, size_t{1} << 20}) {
        Bytes out(size);
        Bytes in(size);
        Op ops[2];
        fill(out, 3);
        const Transfer from = transfer(kind, in, FI_ADDR_UNSPEC, &ops[0], 5);
        if (receive_first) {
            one.post([&] { return receive(one[0], from); });
        }
        one.post([&] { return send(one[0], transfer(kind, out, one.address(0, 0), &ops[1], 5)); });
        if (!receive_first) {
            one.settle();
            one.post([&] { return receive(one[0], from); });
        }
        check_eq(one.received(0).len, size, "length received from oneself");
        one.sent(0);
        check_filled(in.data(), size, 3);
    }
}

void truncated(Kind kind, bool receive_first) {
    Pair pair;
    for (const size_t size : {size_t{10}, size_t{5000}, size_t{200000}}) {
        const size_t room = size / 3;
        Bytes out(size);
        Bytes in(size, 0xee);
        Op ops[2];
        fill(out, 9);
        Transfer from = transfer(kind, in, FI_ADDR_UNSPEC, &ops[0], 77);
        from.iov[0].iov_len = room;
        if (receive_first) {
            pair.post([&] { return receive(pair.b(), from); });
        }
        pair.post([&] { return send(pair.a(), transfer(kind, out, pair.to_b(), &ops[1], 77)); });
        if (!receive_first) {
            pair.settle();
            pair.post([&] { return receive(pair.b(), from); });
        }
        const Completion one = pair.rx_error(1);
        check_eq(one.err, FI_ETRUNC, "error of a truncated receive");
        check_same(one.context, &ops[0], "context of it");
        check_eq(one.olen, size - room, "what did not fit");
        // fi_cq(3) has the bytes placed in `len`; several providers put the message's size there.
        check(one.len == room || one.len == size, "len and olen give the full length");
        check_filled(in.data(), room, 9);
        check(std::all_of(in.begin() + static_cast<ptrdiff_t>(room), in.end(),
                          [](uint8_t byte) { return byte == 0xee; }),
              "nothing is written past the buffer");
        pair.sent(0); // the sender cannot know
    }
}

void in_posted_order(Kind kind, bool receive_first) {
    constexpr size_t count = 300;
    Pair pair;
    std::vector<Bytes> in(count, Bytes(9000));
    std::vector<Op> ops(2 * count);
    std::vector<Bytes> out;
    const auto post_receives = [&] {
        for (size_t at = 0; at < count; ++at) {
            pair.post([&] {
                return receive(pair.b(), transfer(kind, in[at], FI_ADDR_UNSPEC, &ops[at], 1));
            });
        }
    };
    if (receive_first) {
        post_receives();
    }
    for (size_t at = 0; at < count; ++at) {
        // Sizes that go different ways, so that a small one could overtake a large one.
        out.emplace_back(at % 7 == 0 ? 9000 : at % 50);
        fill(out.back(), static_cast<uint32_t>(at));
    }
    for (size_t at = 0; at < count; ++at) {
        pair.post([&] {
            return send(pair.a(), transfer(kind, out[at], pair.to_b(), &ops[count + at], 1));
        });
    }
    if (!receive_first) {
        post_receives();
    }
    for (size_t at = 0; at < count; ++at) {
        const Completion one = pair.received(1);
        const size_t index = static_cast<size_t>(static_cast<const Op*>(one.context) - ops.data());
        check(index < count, "a context that was given");
        check_eq(one.len, out[index].size(), "the n-th receive takes the n-th message");
        check_filled(in[index].data(), one.len, static_cast<uint32_t>(index));
        pair.sent(0);
    }
}

void thousands_outstanding(Kind kind) {
    constexpr size_t count = 5000;
    Pair pair;
    std::vector<Bytes> in(count, Bytes(16));
    std::vector<Bytes> out(count, Bytes(16));
    std::vector<Op> ops(2 * count);
    // Whatever is not taken at once is taken later; nothing may be lost or come twice.
    for (size_t at = 0; at < count; ++at) {
        fill(out[at], static_cast<uint32_t>(at));
        pair.post(
            [&] { return send(pair.a(), transfer(kind, out[at], pair.to_b(), &ops[at], at)); });
        pair.post([&] {
            return receive(pair.b(), transfer(kind, in[at], FI_ADDR_UNSPEC, &ops[count + at], at));
        });
    }
    std::vector<bool> seen(count);
    for (size_t left = count; left > 0; --left) {
        const Completion one = pair.received(1);
        const auto index =
            static_cast<size_t>(static_cast<const Op*>(one.context) - ops.data()) - count;
        check(index < count && !seen[index], "each receive completes once");
        seen[index] = true;
        check_filled(in[index].data(), one.len, static_cast<uint32_t>(index));
        pair.sent(0);
    }
    pair.settle();
    check(pair.a().tx.empty() && pair.b().rx.empty(), "no completion too many");
}

void inject_frees_the_buffer(Kind kind, Form form) {
    constexpr size_t count = 200;
    Pair pair;
    const size_t size = std::min<size_t>(pair.a().info->tx_attr->inject_size, 256);
    Bytes buffer(size);
    Op send_op;
    for (size_t at = 0; at < count; ++at) {
        fill(buffer, static_cast<uint32_t>(at));
        Transfer to = transfer(kind, buffer, pair.to_b(), &send_op, at);
        to.form = form;
        to.data = at;
        to.flags = form == Form::message ? FI_INJECT | FI_COMPLETION : 0;
        pair.post([&] { return send(pair.a(), to); });
        std::fill(buffer.begin(), buffer.end(), 0xdd);
    }
    for (size_t at = 0; at < count; ++at) {
        Bytes in(size);
        Op op;
        pair.post([&] { return receive(pair.b(), transfer(kind, in, FI_ADDR_UNSPEC, &op, at)); });
        check_eq(pair.received(1).len, size, "length received");
        check_filled(in.data(), size, static_cast<uint32_t>(at));
        if (form == Form::message) {
            pair.sent(0);
        }
    }
    pair.settle();
    check(pair.a().tx.empty(), "an inject writes no completion on success");
}

// A message may arrive from somebody who is not in the address vector.
void source_of(fi_av_type type) {
    Config config;
    config.av_type = type;
    config.caps = FI_MSG | FI_TAGGED | FI_SOURCE;
    Side target(config);
    Side known(config);
    Side unknown(config);
    const fi_addr_t known_address = target.insert(known.name());
    for (Side* from : {&known, &unknown}) {
        Bytes out(32);
        Bytes in(32);
        Op ops[2];
        const fi_addr_t to = from->insert(target.name());
        target.post([&] {
            return receive(target, transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[0], 1));
        });
        now_waiting_for("a message and its source");
        from->post([&] {
            target.poll();
            return send(*from, transfer(Kind::tagged, out, to, &ops[1], 1));
        });
        while (target.rx.empty() || from->tx.empty()) {
            target.poll();
            from->poll();
        }
        const Completion one = target.rx.take();
        check_eq(one.err, 0, "the receive succeeds");
        check_eq(one.source, from == &known ? known_address : FI_ADDR_NOTAVAIL, "source");
        check_eq(from->tx.take().err, 0, "the send succeeds");
    }
}

void directed(Kind kind) {
    Group group(3);
    Bytes in[2] = {Bytes(64), Bytes(64)};
    Bytes out[2] = {Bytes(64), Bytes(64)};
    Op receives[2];
    Op sends[2];
    // Both wait for the same tag; the sender that comes first must not take the other's.
    for (size_t at = 0; at < 2; ++at) {
        fill(out[at], static_cast<uint32_t>(at + 1));
        group.post([&] {
            return receive(group[0],
                           transfer(kind, in[at], group.address(0, at + 1), &receives[at], 5));
        });
    }
    for (const size_t at : {size_t{1}, size_t{0}}) {
        group.post([&] {
            return send(group[at + 1],
                        transfer(kind, out[at], group.address(at + 1, 0), &sends[at], 5));
        });
        const Completion one = group.received(0);
        check_same(one.context, &receives[at], "the receive for that source");
        check_eq(one.source, group.address(0, at + 1), "source");
        check_filled(in[at].data(), 64, static_cast<uint32_t>(at + 1));
        group.sent(at + 1);
    }
}

// Unexpected messages of a source that nobody asked for stay where they are.
void directed_unexpected(Kind kind) {
    Group group(3);
    Bytes out[2] = {Bytes(64), Bytes(64)};
    Op sends[2];
    for (size_t at = 0; at < 2; ++at) {
        fill(out[at], static_cast<uint32_t>(at + 1));
        group.post([&] {
            return send(group[at + 1],
                        transfer(kind, out[at], group.address(at + 1, 0), &sends[at], 5));
        });
        group.settle();
    }
    for (const size_t at : {size_t{1}, size_t{0}}) {
        Bytes in(64);
        Op op;
        group.post([&] {
            return receive(group[0], transfer(kind, in, group.address(0, at + 1), &op, 5));
        });
        check_eq(group.received(0).source, group.address(0, at + 1), "source");
        check_filled(in.data(), 64, static_cast<uint32_t>(at + 1));
        group.sent(at + 1);
    }
}

void address_kinds(uint32_t format) {
    Config config;
    config.addr_format = format;
    config.av_type = FI_AV_TABLE;
    fi_info* found = nullptr;
    if (fi_getinfo(FI_VERSION(1, 17), nullptr, nullptr, 0, make_hints(config).get(), &found)) {
        throw Skip("no such address on the interface");
    }
    fi_freeinfo(found);
    Pair pair(config);
    move(pair, {Kind::tagged, Form::plain, 100000}, 4);
    move(pair, {Kind::msg, Form::inject, 8}, 5);
}

void between_processes(Channel& channel, bool sends) {
    constexpr size_t rounds = 40;
    Side side;
    const fi_addr_t peer = exchange(side, channel);
    for (size_t round = 0; round < rounds; ++round) {
        const size_t size = round * round * round * 11;
        Bytes buffer(size);
        Op op;
        if ((round % 2 == 0) == sends) {
            fill(buffer, static_cast<uint32_t>(round));
            side.post([&] { return send(side, transfer(Kind::tagged, buffer, peer, &op, round)); });
            side.sent();
        } else {
            side.post(
                [&] { return receive(side, transfer(Kind::tagged, buffer, peer, &op, round)); });
            check_eq(side.received().len, size, "length received");
            check_filled(buffer.data(), size, static_cast<uint32_t>(round));
        }
    }
    channel.sync([&] { side.poll(); });
}

// What was injected before a close arrives, though the sender is gone at once.
void injected_before_leaving() {
    constexpr size_t count = 100;
    two_processes(
        [&](Channel& channel) {
            Side side;
            exchange(side, channel);
            for (size_t at = 0; at < count; ++at) {
                Bytes in(8);
                Op op;
                side.post([&] {
                    return receive(side, transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &op, at));
                });
                check_eq(side.received().len, 8u, "length received");
                check_filled(in.data(), 8, static_cast<uint32_t>(at));
            }
        },
        [&](Channel& channel) {
            Side side;
            const fi_addr_t peer = exchange(side, channel);
            for (size_t at = 0; at < count; ++at) {
                Bytes out(8);
                fill(out, static_cast<uint32_t>(at));
                Transfer to = transfer(Kind::tagged, out, peer, nullptr, at);
                to.form = Form::inject;
                side.post([&] { return send(side, to); });
            }
        });
}

} // namespace

int main(int argc, char** argv) {
    std::vector<Case> cases;
    constexpr std::pair<const char*, uint64_t> levels[] = {
        {"FI_INJECT", FI_INJECT},
        {"FI_INJECT_COMPLETE", FI_INJECT_COMPLETE},
        {"FI_TRANSMIT_COMPLETE", FI_TRANSMIT_COMPLETE},
        {"FI_DELIVERY_COMPLETE", FI_DELIVERY_COMPLETE},
    };
    for (const Kind kind : kinds) {
        const std::string prefix = std::string(name_of(kind)) + ": ";
        const auto add = [&](const std::string& name, std::function<void()> run) {
            cases.push_back({prefix + name, std::move(run)});
        };
        for (const Form form : forms) {
            add(std::string(name_of(form)) + ", every size", [=] { every_size(kind, form); });
        }
        for (const auto& [name, flags] : levels) {
            add(std::string("msg, ") + name + ", every size",
                [kind, flags = flags] { every_size(kind, Form::message, flags | FI_COMPLETION); });
        }
        add("borders of packets and trains", [=] { borders(kind); });
        add("every size, unexpected", [=] { every_size_unexpected(kind); });
        add("every iov count, vector", [=] { every_iov_count(kind, Form::vector); });
        add("every iov count, msg", [=] { every_iov_count(kind, Form::message); });
        add("remote CQ data by flag", [=] { remote_data_in_messages(kind); });
        add("to self, posted", [=] { to_self(kind, true); });
        add("to self, unexpected", [=] { to_self(kind, false); });
        add("truncation, posted", [=] { truncated(kind, true); });
        add("truncation, unexpected", [=] { truncated(kind, false); });
        add("order, posted", [=] { in_posted_order(kind, true); });
        add("order, unexpected", [=] { in_posted_order(kind, false); });
        add("thousands outstanding", [=] { thousands_outstanding(kind); });
        add("inject frees the buffer", [=] { inject_frees_the_buffer(kind, Form::inject); });
        add("injectdata frees the buffer",
            [=] { inject_frees_the_buffer(kind, Form::inject_data); });
        add("FI_INJECT frees the buffer", [=] { inject_frees_the_buffer(kind, Form::message); });
        add("directed receives", [=] { directed(kind); });
        add("directed receives, unexpected", [=] { directed_unexpected(kind); });
        add_flag_cases(cases, kind);
    }
    cases.push_back({"both ways at once", both_ways_at_once});
    cases.push_back({"source, map", [] { source_of(FI_AV_MAP); }});
    cases.push_back({"source, table", [] { source_of(FI_AV_TABLE); }});
    cases.push_back({"over IPv4", [] { address_kinds(FI_SOCKADDR_IN); }});
    cases.push_back({"over IPv6", [] { address_kinds(FI_SOCKADDR_IN6); }});
    cases.push_back({"between two processes", [] {
                         two_processes([](Channel& one) { between_processes(one, true); },
                                       [](Channel& two) { between_processes(two, false); });
                     }});
    cases.push_back({"injected before leaving", injected_before_leaving});
    return run_cases(argc, argv, cases);
}
