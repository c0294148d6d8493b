// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "wire/packet.hpp"

#include "util/prng.hpp"

#include <criterion/criterion.h>

#include <vector>

using namespace rill::wire;

namespace {

std::vector<std::byte> full_packet() {
    std::vector<std::byte> p(1024);
    Header h;
    h.flags = kHasHello | kHasAck;
    h.context = 7;
    std::byte* at = store(p.data(), h);
    Hello hello;
    hello.context = 9;
    at = store(at, hello);
    AckBlock ack;
    ack.echoes = 2;
    ack.words = 3;
    at = store(at, ack);
    at = store(at, Echo{1, 2, 3, 4});
    at = store(at, Echo{5, 6, 7, 8});
    at += 3 * 8;
    Message m;
    m.h.flags = kTagged | kImmediate | kSource;
    m.h.length = 5;
    m.tag = 77;
    m.total = m.unscheduled = 5;
    at = store(at, m);
    at = store(at, uint64_t{0x1122334455667788});
    at = store(at, SourceInfo{.family = 4, .port = 99, .ip = {127, 0, 0, 1}, .queue_pair = 3});
    at += 5;
    at = store(at, Done{.flow = 1, .msg_no = 2, .count = 3});
    p.resize(at - p.data());
    return p;
}

} // namespace

Test(packet, a_full_packet_is_taken_apart) {
    auto bytes = full_packet();
    PacketView v;
    cr_assert_eq(parse(bytes, v), ParseError::none);
    cr_assert_eq(v.header.context, 7u);
    cr_assert_eq(v.hello->context, 9u);
    cr_assert_eq(v.ack->words, 3);
    cr_assert_eq(v.echoes[1].timestamp_us, 7u);
    cr_assert_eq(v.ack_words.size(), 24u);
    RecordReader reader(v.records);
    RecordView r;
    cr_assert(reader.next(r));
    cr_assert_eq(r.type, RecordType::message);
    cr_assert_eq(r.message.tag, 77u);
    cr_assert_eq(r.immediate, 0x1122334455667788u);
    cr_assert_eq(from_source(r.source).port, 99);
    cr_assert_eq(r.payload.size(), 5u);
    cr_assert(reader.next(r));
    cr_assert_eq(r.done.count, 3u);
    cr_assert_not(reader.next(r));
    cr_assert(reader.ok());
}

// Whatever the length, nothing outside the datagram is looked at (AddressSanitizer watches).
Test(packet, every_truncation_is_an_error_or_ends_at_a_record) {
    auto whole = full_packet();
    size_t first_record_ends = whole.size() - sizeof(Done);
    for (size_t n = 0; n < whole.size(); ++n) {
        std::vector<std::byte> cut(whole.begin(), whole.begin() + n);
        PacketView v;
        if (parse(cut, v) != ParseError::none) continue;
        RecordReader reader(v.records);
        RecordView r;
        size_t seen = 0;
        while (reader.next(r))
            ++seen;
        cr_assert(seen < 2);
        cr_assert_eq(reader.ok(), v.records.empty() || n == first_record_ends, "cut at %zu", n);
    }
}

Test(packet, a_higher_version_and_unknown_types_are_refused) {
    auto bytes = full_packet();
    PacketView v;
    bytes[0] = std::byte{2};
    cr_assert_eq(parse(bytes, v), ParseError::version);
    bytes[0] = std::byte{1};
    bytes[1] = std::byte{99};
    cr_assert_eq(parse(bytes, v), ParseError::type);
}

Test(packet, an_unknown_record_is_an_error) {
    Done d;
    d.h.type = static_cast<RecordType>(200);
    std::vector<std::byte> bytes(sizeof d);
    store(bytes.data(), d);
    RecordReader reader(bytes);
    RecordView r;
    cr_assert_not(reader.next(r));
    cr_assert_not(reader.ok());
}

// Seed 1: random bytes with plausible first bytes.
Test(packet, random_bytes_never_read_outside) {
    rill::Prng rng(1);
    for (int i = 0; i < 200000; ++i) {
        std::vector<std::byte> bytes(rng.below(300));
        for (auto& b : bytes)
            b = static_cast<std::byte>(rng.next());
        if (bytes.size() > 4) {
            bytes[0] = std::byte{1};
            bytes[1] = static_cast<std::byte>(1 + rng.below(6));
            bytes[2] = static_cast<std::byte>(rng.below(4));
        }
        PacketView v;
        if (parse(bytes, v) != ParseError::none) continue;
        RecordReader reader(v.records);
        RecordView r;
        while (reader.next(r)) {
        }
    }
}
