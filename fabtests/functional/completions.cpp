// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Completion queues: formats, errors, room, progress. What waits is in completion_waits.cpp.
#include "completion_cases.hpp"

#include <algorithm>
#include <cstring>

using namespace functional;

namespace {

// Reads one raw entry, and finds out that nothing is written past it.
template <class Entry>
Entry read_raw(Pair& pair, Cq& cq) {
    struct {
        Entry entry;
        uint8_t guard[64];
    } room;
    memset(&room, 0xa5, sizeof room);
    now_waiting_for("one raw completion");
    ssize_t got = -FI_EAGAIN;
    while ((got = fi_cq_read(cq.get(), &room.entry, 1)) == -FI_EAGAIN) {
        // The other queues of the pair need to be run as well, without eating this one.
        for (size_t side = 0; side < 2; ++side) {
            fi_cq_read(pair[side].tx.get(), nullptr, 0);
            fi_cq_read(pair[side].rx.get(), nullptr, 0);
        }
    }
    check_ret(got, 1, "fi_cq_read");
    check(std::all_of(std::begin(room.guard), std::end(room.guard),
                      [](uint8_t byte) { return byte == 0xa5; }),
          "nothing is written past the entry");
    return room.entry;
}

template <class Entry>
void format(fi_cq_format which) {
    Config config;
    config.format = which;
    Pair pair(config);
    Bytes out(100);
    Bytes in(200);
    Op ops[2];
    fill(out, 1);
    pair.post([&] {
        return receive(pair.b(), transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[0], 0x77));
    });
    Transfer to = transfer(Kind::tagged, out, pair.to_b(), &ops[1], 0x77);
    to.form = Form::data;
    to.data = 0x0102030405060708;
    pair.post([&] { return send(pair.a(), to); });
    const auto received = read_raw<Entry>(pair, pair.b().rx);
    const auto sent = read_raw<Entry>(pair, pair.a().tx);
    check_same(received.op_context, &ops[0], "context of the receive");
    check_same(sent.op_context, &ops[1], "context of the send");
    if constexpr (sizeof(Entry) >= sizeof(fi_cq_msg_entry)) {
        const uint64_t kind = FI_TAGGED | FI_SEND | FI_RECV | FI_MSG;
        check_eq(received.flags & (kind | FI_REMOTE_CQ_DATA),
                 FI_RECV | FI_TAGGED | FI_REMOTE_CQ_DATA, "flags of the receive");
        check_eq(sent.flags & kind, FI_SEND | FI_TAGGED, "flags of the send");
        check_eq(received.len, out.size(), "length of the receive");
    }
    if constexpr (sizeof(Entry) >= sizeof(fi_cq_data_entry)) {
        check_eq(received.data, to.data, "remote CQ data");
    }
    if constexpr (sizeof(Entry) >= sizeof(fi_cq_tagged_entry)) {
        check_eq(received.tag, to.tag, "tag");
    }
    check_filled(in.data(), out.size(), 1);
}

void several_in_one_read() {
    constexpr size_t count = 40;
    Pair pair;
    Bytes in(count);
    std::vector<Op> ops(count);
    for (size_t at = 0; at < count; ++at) {
        Transfer from = transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[at], 1);
        from.iov[0] = {&in[at], 1};
        pair.post([&] { return receive(pair.b(), from); });
        Bytes out(1, static_cast<uint8_t>(at));
        Transfer to = transfer(Kind::tagged, out, pair.to_b(), nullptr, 1);
        to.form = Form::inject;
        pair.post([&] { return send(pair.a(), to); });
    }
    size_t read = 0;
    fi_cq_tagged_entry entries[7];
    now_waiting_for("completions");
    while (read < count) {
        pair.a().poll();
        const ssize_t got = fi_cq_read(pair.b().rx.get(), entries, std::size(entries));
        if (got == -FI_EAGAIN) {
            continue;
        }
        check(got >= 1 && got <= static_cast<ssize_t>(std::size(entries)), "entries in one read");
        for (ssize_t at = 0; at < got; ++at, ++read) {
            check_same(entries[at].op_context, &ops[read], "in the order of the messages");
            check_eq(in[read], static_cast<uint8_t>(read), "data");
        }
    }
}

void make_truncation(Pair& pair, Bytes& out, Bytes& in, Op* ops) {
    fill(out, 3);
    pair.post([&] {
        return receive(pair.b(), transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[0], 0x99));
    });
    pair.post(
        [&] { return send(pair.a(), transfer(Kind::tagged, out, pair.to_b(), &ops[1], 0x99)); });
}

void error_entry() {
    Pair pair;
    Bytes out(90);
    Bytes in(30);
    Op ops[2];
    fid_cq* cq = pair.b().rx.get();
    fi_cq_err_entry entry{};
    check_ret(fi_cq_readerr(cq, &entry, 0), -FI_EAGAIN, "fi_cq_readerr with no error");
    make_truncation(pair, out, in, ops);
    fi_cq_tagged_entry unused;
    now_waiting_for("-FI_EAVAIL");
    ssize_t got = -FI_EAGAIN;
    while ((got = fi_cq_read(cq, &unused, 1)) == -FI_EAGAIN) {
        pair.a().poll();
    }
    check_ret(got, -FI_EAVAIL, "fi_cq_read with an error in front");
    check_ret(fi_cq_read(cq, &unused, 1), -FI_EAVAIL, "the same again, until it is read");
    char details[64];
    entry.err_data = details;
    entry.err_data_size = sizeof details;
    check_ret(fi_cq_readerr(cq, &entry, 0), 1, "fi_cq_readerr");
    check_eq(entry.err, FI_ETRUNC, "err");
    check_same(entry.op_context, &ops[0], "op_context");
    check((entry.flags & FI_RECV) != 0, "FI_RECV");
    check_eq(entry.tag, 0x99u, "tag");
    check_eq(entry.olen, out.size() - in.size(), "olen");
    check(entry.err_data_size <= sizeof details, "err_data_size within what was offered");
    char text[128] = "";
    const char* said = fi_cq_strerror(cq, entry.prov_errno, entry.err_data, text, sizeof text);
    check(said && *said, "fi_cq_strerror says something");
    check(memchr(text, '\0', sizeof text) != nullptr, "the text in the buffer ends");
    check(fi_cq_strerror(cq, entry.prov_errno, nullptr, nullptr, 0) != nullptr,
          "fi_cq_strerror without a buffer");
    check_ret(fi_cq_readerr(cq, &entry, 0), -FI_EAGAIN, "the error is reported once");
    check_ret(fi_cq_read(cq, &unused, 1), -FI_EAGAIN, "the queue goes on");
    pair.sent(0);
}

// An error does not overtake completions that were there before it, nor hold up those after.
void errors_among_successes() {
    constexpr size_t count = 30;
    Pair pair;
    std::vector<Bytes> in;
    std::vector<Op> ops(2 * count);
    Bytes out(16);
    fill(out, 1);
    for (size_t at = 0; at < count; ++at) {
        in.emplace_back(at % 3 == 1 ? 4 : 16);
    }
    for (size_t at = 0; at < count; ++at) {
        pair.post([&] {
            return receive(pair.b(), transfer(Kind::tagged, in[at], FI_ADDR_UNSPEC, &ops[at], 1));
        });
        pair.post([&] {
            return send(pair.a(), transfer(Kind::tagged, out, pair.to_b(), &ops[count + at], 1));
        });
    }
    for (size_t at = 0; at < count; ++at) {
        pair.until("completions", [&] { return !pair.b().rx.empty(); });
        const Completion one = pair.b().rx.take();
        const auto index = static_cast<size_t>(static_cast<const Op*>(one.context) - ops.data());
        check(index < count, "a context that was given");
        check_eq(one.err, index % 3 == 1 ? FI_ETRUNC : 0, "how it ended");
        pair.sent(0);
    }
    pair.settle();
    check(pair.b().rx.empty(), "each once");
}

void empty_queue() {
    Pair pair;
    fi_cq_tagged_entry entry;
    fi_addr_t source;
    check_ret(fi_cq_read(pair.a().rx.get(), &entry, 1), -FI_EAGAIN, "fi_cq_read");
    check_ret(fi_cq_readfrom(pair.a().rx.get(), &entry, 1, &source), -FI_EAGAIN, "fi_cq_readfrom");
}

// Posts without reading: either it is taken or the provider says -FI_EAGAIN.
size_t post_while_possible(size_t wanted, const std::function<ssize_t(size_t)>& operation) {
    constexpr int patience = 200;
    size_t posted = 0;
    for (int refusals = 0; posted < wanted && refusals < patience;) {
        const ssize_t ret = operation(posted);
        check(ret == 0 || ret == -FI_EAGAIN, "a post is taken, or -FI_EAGAIN");
        ret == 0 ? ++posted : static_cast<size_t>(++refusals);
    }
    return posted;
}

// However small the queues and however late they are read, nothing gets lost.
void small_queue(size_t entries) {
    constexpr size_t count = 600;
    Config config;
    config.cq_size = entries;
    Pair pair(config);
    std::vector<Bytes> in(count, Bytes(24));
    std::vector<Bytes> out(count, Bytes(24));
    std::vector<Op> ops(2 * count);
    for (size_t at = 0; at < count; ++at) {
        fill(out[at], static_cast<uint32_t>(at));
    }
    const auto post_receive = [&](size_t at) {
        return receive(pair.b(), transfer(Kind::tagged, in[at], FI_ADDR_UNSPEC, &ops[at], 1));
    };
    const auto post_send = [&](size_t at) {
        return send(pair.a(), transfer(Kind::tagged, out[at], pair.to_b(), &ops[count + at], 1));
    };
    size_t receives = 0;
    size_t sends = 0;
    size_t received = 0;
    size_t sent = 0;
    now_waiting_for("messages through small queues");
    while (received < count || sent < count) {
        receives += post_while_possible(count - receives,
                                        [&](size_t at) { return post_receive(receives + at); });
        sends +=
            post_while_possible(count - sends, [&](size_t at) { return post_send(sends + at); });
        // Progress without room being made: what completes now must wait somewhere.
        for (int pass = 0; pass < 50; ++pass) {
            for (size_t side = 0; side < 2; ++side) {
                fi_cq_read(pair[side].tx.get(), nullptr, 0);
                fi_cq_read(pair[side].rx.get(), nullptr, 0);
            }
        }
        pair.poll();
        for (; !pair.b().rx.empty(); ++received) {
            check_same(pair.b().rx.take().context, &ops[received], "in order, each once");
            check_filled(in[received].data(), 24, static_cast<uint32_t>(received));
        }
        for (; !pair.a().tx.empty(); ++sent) {
            check_eq(pair.a().tx.take().err, 0, "a send that ends well");
        }
    }
    pair.settle();
    check(pair.a().tx.empty() && pair.b().rx.empty(), "no completion too many");
}

// Only reads with count 0 on one side: they alone must run everything there.
void count_zero_drives_progress(size_t size) {
    Pair pair;
    Bytes out(size);
    Bytes in(size);
    Op ops[2];
    fill(out, 5);
    pair.post(
        [&] { return receive(pair.b(), transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[0])); });
    Transfer to = transfer(Kind::tagged, out, pair.to_b(), &ops[1]);
    to.form = Form::message;
    to.flags = FI_DELIVERY_COMPLETE | FI_COMPLETION;
    pair.post([&] { return send(pair.a(), to); });
    now_waiting_for("progress by reads with count 0");
    while (pair.a().tx.empty()) {
        pair.a().poll();
        const ssize_t got = fi_cq_read(pair.b().rx.get(), nullptr, 0);
        check(got == 0 || got == -FI_EAGAIN, "fi_cq_read with count 0");
    }
    check_eq(pair.a().tx.take().err, 0, "the send succeeds");
    check_filled(in.data(), size, 5);
    check_same(pair.received(1).context, &ops[0], "the receive's completion was not eaten");
}

// The receiver posts and then calls nothing at all until the sender is done.
void receiver_is_busy(fi_progress progress, size_t size) {
    if (progress == FI_PROGRESS_MANUAL) {
        only_rill("it answers for a program that does not call in");
    }
    Config config;
    config.progress = progress;
    two_processes(
        [&](Channel& channel) {
            Side side(config);
            const fi_addr_t peer = exchange(side, channel);
            channel.receive();
            Bytes out(size);
            Op op;
            fill(out, 8);
            Transfer to = transfer(Kind::tagged, out, peer, &op, 1);
            to.form = Form::message;
            to.flags = FI_DELIVERY_COMPLETE | FI_COMPLETION;
            side.post([&] { return send(side, to); });
            side.sent();
            channel.send({});
        },
        [&](Channel& channel) {
            Side side(config);
            exchange(side, channel);
            Bytes in(size);
            Op op;
            side.post(
                [&] { return receive(side, transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &op, 1)); });
            channel.send({});
            channel.receive();
            // What another process says orders nothing between our threads, which ThreadSanitizer
            // minds. A call that finds nothing to cancel does, and moves no packet.
            check_ret(fi_cancel(side.ep.id(), &side), -FI_ENOENT, "fi_cancel");
            check_filled(in.data(), size, 8);
            check_same(side.received().context, &op, "the receive");
        });
}

// Transmit and receive sides, and two endpoints, may share one queue.
void shared_queue() {
    const Config config;
    Side side(config);
    Endpoint second = open_endpoint(side.domain, *side.info);
    check_ok(fi_ep_bind(second.get(), side.av.id(), 0), "bind the address vector");
    check_ok(fi_ep_bind(second.get(), &side.rx.get()->fid, FI_TRANSMIT | FI_RECV),
             "bind one queue for both");
    check_ok(fi_enable(second.get()), "fi_enable");
    Bytes name(256);
    size_t len = name.size();
    check_ok(fi_getname(second.id(), name.data(), &len), "fi_getname");
    name.resize(len);
    const fi_addr_t to_second = side.insert(name);
    Bytes out(5000);
    Bytes in(5000);
    Op ops[2];
    fill(out, 2);
    side.post([&] {
        return fi_trecv(second.get(), in.data(), in.size(), nullptr, FI_ADDR_UNSPEC, 4, 0, &ops[0]);
    });
    side.post([&] { return send(side, transfer(Kind::tagged, out, to_second, &ops[1], 4)); });
    check_same(side.received().context, &ops[0], "the receive of the second endpoint");
    check_same(side.sent().context, &ops[1], "the send of the first");
    check_filled(in.data(), in.size(), 2);
    side.post([&] {
        return fi_tsend(second.get(), out.data(), out.size(), nullptr, to_second, 5, &ops[1]);
    });
    side.post([&] {
        return fi_trecv(second.get(), in.data(), in.size(), nullptr, FI_ADDR_UNSPEC, 5, 0, &ops[0]);
    });
    uint64_t flags = side.received().flags;
    flags |= side.received().flags;
    check_eq(flags & (FI_SEND | FI_RECV), FI_SEND | FI_RECV, "both kinds in one queue");
}

} // namespace

int main(int argc, char** argv) {
    std::vector<Case> cases = {
        {"format context", [] { format<fi_cq_entry>(FI_CQ_FORMAT_CONTEXT); }},
        {"format msg", [] { format<fi_cq_msg_entry>(FI_CQ_FORMAT_MSG); }},
        {"format data", [] { format<fi_cq_data_entry>(FI_CQ_FORMAT_DATA); }},
        {"format tagged", [] { format<fi_cq_tagged_entry>(FI_CQ_FORMAT_TAGGED); }},
        {"several in one read", several_in_one_read},
        {"error entry", error_entry},
        {"errors among successes", errors_among_successes},
        {"empty queue", empty_queue},
        {"shared queue", shared_queue},
        {"count 0 drives progress, short", [] { count_zero_drives_progress(64); }},
        {"count 0 drives progress, long", [] { count_zero_drives_progress(1 << 20); }},
        {"busy receiver, auto progress, short", [] { receiver_is_busy(FI_PROGRESS_AUTO, 100); }},
        {"busy receiver, auto progress, long", [] { receiver_is_busy(FI_PROGRESS_AUTO, 4 << 20); }},
        {"busy receiver, manual progress, short",
         [] { receiver_is_busy(FI_PROGRESS_MANUAL, 100); }},
        {"busy receiver, manual progress, long",
         [] { receiver_is_busy(FI_PROGRESS_MANUAL, 4 << 20); }},
    };
    for (const size_t entries : {1u, 2u, 3u, 8u, 64u}) {
        cases.push_back({"queue of " + std::to_string(entries), [=] { small_queue(entries); }});
    }
    add_wait_cases(cases);
    return run_cases(argc, argv, cases);
}
