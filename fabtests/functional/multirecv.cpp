// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// FI_MULTI_RECV: one buffer takes many messages, packed in order, and is released exactly once.
#include "harness.hpp"

#include <algorithm>

using namespace functional;

namespace {

struct Area {
    Bytes bytes;
    Op op;
    size_t used = 0;
    size_t released = 0;

    explicit Area(size_t size) : bytes(size, 0xcc) {}
    void post(Group& group, size_t side, uint64_t flags = FI_COMPLETION,
              fi_addr_t from = FI_ADDR_UNSPEC) {
        Transfer what = transfer(Kind::msg, bytes, from, &op);
        what.form = Form::message;
        what.flags = FI_MULTI_RECV | flags;
        group.post([&] { return receive(group[side], what); });
    }
    // Takes a completion of this buffer; true if it carries a message, false if release only.
    bool take(const Completion& one) {
        check_same(one.context, &op, "context of the buffer in use");
        check_eq(released, 0u, "nothing follows the release");
        released += one.flags & FI_MULTI_RECV ? 1 : 0;
        if (!(one.flags & FI_RECV)) {
            check_eq(released, 1u, "a completion without a message is a release");
            return false;
        }
        check_same(one.buf, bytes.data() + used, "messages are packed without gaps, in order");
        check(used + one.len <= bytes.size(), "within the buffer");
        used += one.len;
        return true;
    }
    uint8_t* at(size_t offset) { return bytes.data() + offset; }
};

size_t size_of(uint32_t number) {
    return (number * 37) % 200;
}

void send_one(Group& group, size_t from, size_t to, uint32_t number, size_t size, Op* op) {
    Bytes out(size);
    fill(out, number);
    Transfer what = transfer(Kind::msg, out, group.address(from, to), op);
    group.post([&] { return send(group[from], what); });
    group.sent(from);
}

// Receives until `area` is released; checks data and order; returns the number of messages.
uint32_t drain(Pair& pair, Area& area, uint32_t first) {
    uint32_t number = first;
    while (area.released == 0) {
        const size_t offset = area.used;
        const Completion one = pair.received(1);
        if (!area.take(one)) {
            break;
        }
        check_eq(one.len, size_of(number), "length of the next message");
        check_filled(area.at(offset), one.len, number);
        ++number;
    }
    return number - first;
}

Config with_minimum(size_t minimum) {
    Config config;
    config.caps = FI_MSG | FI_MULTI_RECV | FI_SOURCE;
    config.min_multi_recv = minimum;
    return config;
}

void packed_and_released() {
    constexpr size_t minimum = 256;
    Pair pair(with_minimum(minimum));
    Area area(4000);
    area.post(pair, 1);
    Op op;
    uint32_t sent = 0;
    size_t bytes = 0;
    // As many as leave less than the minimum, which is what releases the buffer.
    while (area.bytes.size() - bytes >= minimum) {
        send_one(pair, 0, 1, sent, size_of(sent), &op);
        bytes += size_of(sent++);
    }
    check_eq(drain(pair, area, 0), sent, "messages in the buffer");
    check_eq(area.used, bytes, "bytes in the buffer");
    pair.settle();
    check(pair.b().rx.empty(), "released once");
    check(std::all_of(area.bytes.begin() + static_cast<ptrdiff_t>(bytes), area.bytes.end(),
                      [](uint8_t byte) { return byte == 0xcc; }),
          "nothing is written past the last message");
}

void not_released_early() {
    constexpr size_t minimum = 256;
    Pair pair(with_minimum(minimum));
    Area area(1000);
    area.post(pair, 1);
    Op op;
    send_one(pair, 0, 1, 1, 744, &op); // leaves exactly the minimum
    check(area.take(pair.received(1)), "a message");
    pair.settle();
    check(pair.b().rx.empty() && area.released == 0, "still in use at exactly the minimum");
    send_one(pair, 0, 1, 2, 1, &op);
    check(area.take(pair.received(1)), "a message");
    check_filled(area.at(744), 1, 2);
    pair.settle();
    if (area.released == 0) {
        check_eq(pair.b().rx.count(), 1u, "the release, on its own");
        check(!area.take(pair.b().rx.take()), "no message in it");
    }
}

// Messages go on in the next buffer when the first is full.
void buffers_in_turn(bool unexpected) {
    constexpr size_t minimum = 200;
    constexpr uint32_t count = 400;
    Pair pair(with_minimum(minimum));
    std::vector<std::unique_ptr<Area>> areas;
    const auto post_one = [&] {
        areas.push_back(std::make_unique<Area>(3000));
        areas.back()->post(pair, 1);
    };
    if (!unexpected) {
        post_one();
        post_one();
    }
    std::vector<Bytes> out;
    std::vector<Op> ops(count);
    for (uint32_t at = 0; at < count; ++at) {
        out.emplace_back(size_of(at));
        fill(out.back(), at);
    }
    for (uint32_t at = 0; at < count; ++at) {
        pair.post(
            [&] { return send(pair.a(), transfer(Kind::msg, out[at], pair.to_b(), &ops[at])); });
    }
    if (unexpected) {
        pair.settle();
        post_one();
        post_one();
    }
    size_t current = 0;
    uint32_t number = 0;
    while (number < count) {
        const Completion one = pair.received(1);
        Area& area = *areas[current];
        const size_t offset = area.used;
        if (area.take(one)) {
            check_eq(one.len, size_of(number), "length of the next message");
            check_filled(area.at(offset), one.len, number++);
        }
        if (area.released) {
            ++current;
            post_one();
        }
    }
    for (uint32_t at = 0; at < count; ++at) {
        pair.sent(0);
    }
}

void empty_messages() {
    constexpr uint32_t count = 50;
    Pair pair(with_minimum(64));
    Area area(128);
    area.post(pair, 1);
    Op op;
    for (uint32_t at = 0; at < count; ++at) {
        send_one(pair, 0, 1, at, 0, &op);
        check(area.take(pair.received(1)), "an empty message");
    }
    send_one(pair, 0, 1, 1, 100, &op);
    check(area.take(pair.received(1)), "a message");
    pair.until("the release", [&] { return area.released || !pair.b().rx.empty(); });
}

// The release is always reported, though no completion was asked for.
void selective() {
    Config config = with_minimum(64);
    config.rx_bind = FI_RECV | FI_SELECTIVE_COMPLETION;
    Pair pair(config);
    Area area(500);
    area.post(pair, 1, 0);
    Op op;
    for (uint32_t at = 0; at < 5; ++at) {
        send_one(pair, 0, 1, at, 100, &op);
    }
    const Completion one = pair.received(1);
    check_same(one.context, &area.op, "context of the release");
    check((one.flags & FI_MULTI_RECV) != 0, "the release");
    pair.settle();
    check(pair.b().rx.empty(), "no other completion");
    for (uint32_t at = 0; at < 5; ++at) {
        check_filled(area.at(at * 100), 100, at);
    }
}

void by_default_flag() {
    Config config = with_minimum(64);
    config.rx_op_flags = FI_MULTI_RECV;
    Pair pair(config);
    Area area(256);
    pair.post([&] {
        return receive(pair.b(), transfer(Kind::msg, area.bytes, FI_ADDR_UNSPEC, &area.op));
    });
    Op op;
    for (uint32_t at = 0; at < 2; ++at) {
        send_one(pair, 0, 1, at, 90, &op);
        check(area.take(pair.received(1)), "a message");
        check_filled(area.at(at * 90), 90, at);
    }
    send_one(pair, 0, 1, 2, 70, &op);
    check(area.take(pair.received(1)), "a message");
    if (area.released == 0) {
        check(!area.take(pair.received(1)), "the release");
    }
}

void with_remote_data() {
    Pair pair(with_minimum(64));
    Area area(1000);
    area.post(pair, 1);
    for (uint32_t at = 0; at < 8; ++at) {
        Bytes out(40);
        Op op;
        fill(out, at);
        Transfer to = transfer(Kind::msg, out, pair.to_b(), &op);
        to.form = Form::data;
        to.data = 0x1111111111111111ull * at;
        pair.post([&] { return send(pair.a(), to); });
        const size_t offset = area.used;
        const Completion one = pair.received(1);
        check(area.take(one), "a message");
        check((one.flags & FI_REMOTE_CQ_DATA) != 0, "remote CQ data is announced");
        check_eq(one.data, to.data, "remote CQ data");
        check_eq(one.source, pair.to_a(), "source");
        check_filled(area.at(offset), 40, at);
        pair.sent(0);
    }
}

void long_messages() {
    constexpr size_t size = 300000;
    constexpr uint32_t count = 6;
    Pair pair(with_minimum(1000));
    Area area(size * count);
    area.post(pair, 1);
    std::vector<Bytes> out(count, Bytes(size));
    std::vector<Op> ops(count);
    for (uint32_t at = 0; at < count; ++at) {
        fill(out[at], at);
        pair.post(
            [&] { return send(pair.a(), transfer(Kind::msg, out[at], pair.to_b(), &ops[at])); });
    }
    // Several may be on their way at once, so completions may come in another order than places.
    std::vector<bool> seen(count);
    size_t released = 0;
    for (uint32_t left = count; left > 0;) {
        const Completion one = pair.received(1);
        check_same(one.context, &area.op, "context");
        check_eq(released, 0u, "no message follows the release");
        released += one.flags & FI_MULTI_RECV ? 1 : 0;
        if (!(one.flags & FI_RECV)) {
            continue;
        }
        const auto offset = static_cast<size_t>(static_cast<uint8_t*>(one.buf) - area.at(0));
        check(offset % size == 0 && offset / size < count, "place of a message");
        check(!seen[offset / size], "each place once");
        seen[offset / size] = true;
        check_filled(area.at(offset), size, static_cast<uint32_t>(offset / size));
        --left;
    }
    if (released == 0) {
        check((pair.received(1).flags & FI_MULTI_RECV) != 0, "the release");
    }
    for (uint32_t at = 0; at < count; ++at) {
        pair.sent(0);
    }
}

void many_senders() {
    constexpr size_t senders = 4;
    constexpr uint32_t count = 50;
    Group group(senders + 1, with_minimum(64));
    Area area(senders * count * 64 + 63);
    area.post(group, 0);
    Op op;
    std::vector<uint32_t> next(senders + 1);
    for (uint32_t at = 0; at < senders * count; ++at) {
        const size_t from = 1 + at % senders;
        Bytes out(64);
        fill(out, at / static_cast<uint32_t>(senders) * 8 + static_cast<uint32_t>(from));
        group.post([&] {
            return send(group[from], transfer(Kind::msg, out, group.address(from, 0), &op));
        });
        group.sent(from);
    }
    for (uint32_t at = 0; at < senders * count; ++at) {
        const size_t offset = area.used;
        const Completion one = group.received(0);
        check(area.take(one), "a message");
        size_t from = 1;
        while (from <= senders && group.address(0, from) != one.source) {
            ++from;
        }
        check(from <= senders, "a source that is known");
        check_filled(area.at(offset), 64, next[from]++ * 8 + static_cast<uint32_t>(from));
    }
    if (area.released == 0) {
        check(!area.take(group.received(0)), "the release");
    }
}

void option() {
    Pair pair(with_minimum(777));
    size_t value = 0;
    size_t len = sizeof value;
    check_ok(fi_getopt(pair.b().ep.id(), FI_OPT_ENDPOINT, FI_OPT_MIN_MULTI_RECV, &value, &len),
             "fi_getopt");
    check_eq(value, 777u, "the minimum that was set");
    check_eq(len, sizeof value, "its size");
}

void cancelled() {
    Pair pair(with_minimum(64));
    Area area(1000);
    area.post(pair, 1);
    Op op;
    send_one(pair, 0, 1, 3, 100, &op);
    check(area.take(pair.received(1)), "a message");
    check_ok(fi_cancel(pair.b().ep.id(), &area.op), "fi_cancel");
    const Completion one = pair.rx_error(1);
    check_eq(one.err, FI_ECANCELED, "the cancelled buffer");
    check_same(one.context, &area.op, "its context");
    pair.settle();
    check(pair.b().rx.empty(), "nothing after the cancel");
}

} // namespace

int main(int argc, char** argv) {
    const Case cases[] = {
        {"packed and released", packed_and_released},
        {"not released early", not_released_early},
        {"buffers in turn, posted", [] { buffers_in_turn(false); }},
        {"buffers in turn, unexpected", [] { buffers_in_turn(true); }},
        {"empty messages", empty_messages},
        {"selective completion", selective},
        {"by the endpoint's flags", by_default_flag},
        {"remote CQ data and source", with_remote_data},
        {"long messages", long_messages},
        {"many senders", many_senders},
        {"FI_OPT_MIN_MULTI_RECV", option},
        {"cancel", cancelled},
    };
    return run_cases(argc, argv, cases);
}
