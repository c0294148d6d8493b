// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/train.hpp"

#include <criterion/criterion.h>

#include <cstring>
#include <string>

using namespace rill;
using namespace rill::transport;

namespace {
std::string flat(const wire::TxTrain& t) {
    std::string s;
    for (auto& part : t.iov)
        s.append(static_cast<const char*>(part.iov_base), part.iov_len);
    return s;
}
void put(Outgoing& p, const char* text) {
    std::memcpy(p.append(std::strlen(text)), text, std::strlen(text));
}
} // namespace

Test(train, puts_headers_records_and_payload_end_to_end) {
    TrainBuilder b;
    char one[] = "abcdef", two[] = "ghijkl";
    iovec parts[] = {{one, 6}, {two, 6}};
    Outgoing p, q;
    put(p, "rec");
    p.slice = {parts, 2, 5, 4}; // efghi
    put(q, "last");
    wire::Header h;
    h.psn = 1;
    b.add(h, nullptr, {}, &p);
    cr_assert(b.takes(36, 0));
    h.psn = 2;
    b.add(h, nullptr, {}, &q);
    b.flag_last(wire::kAckNow);
    wire::TxTrain t = b.train({}, {0, 0, 3}, false);
    std::string s = flat(t);
    cr_assert_eq(t.total_bytes, s.size());
    cr_assert_eq(t.segment_bytes, 40u);
    cr_assert_eq(s.substr(32, 8), "recefghi");
    cr_assert_eq(s.substr(72), "last");
    auto first = wire::load<wire::Header>(reinterpret_cast<const std::byte*>(s.data()));
    auto second = wire::load<wire::Header>(reinterpret_cast<const std::byte*>(s.data() + 40));
    cr_assert_eq(first.flags, 0);
    cr_assert_eq(second.flags, wire::kAckNow);
    cr_assert_eq(second.psn, 2u);
    cr_assert_not(b.takes(10, 0), "after a shorter one there is no more");
    cr_assert_eq(b.packet_wire_bytes(0), 40u);
    cr_assert_eq(b.packet_wire_bytes(1), 36u);
}

Test(train, small_packets_are_one_piece) {
    TrainBuilder b;
    Outgoing p[10];
    for (auto& packet : p) {
        put(packet, "same size");
        b.add({}, nullptr, {}, &packet);
    }
    cr_assert_eq(b.train({}, {}, false).iov.size(), 1u);
    cr_assert_eq(b.packets(), 10u);
}

Test(train, ends_at_the_limits_of_one_send) {
    TrainBuilder b;
    std::vector<Outgoing> p(wire::kTrainPacketsMax);
    for (auto& packet : p) {
        cr_assert(b.takes(sizeof(wire::Header), 0));
        b.add({}, nullptr, {}, &packet);
    }
    cr_assert_not(b.takes(sizeof(wire::Header), 0));
    b.clear();
    std::vector<char> big(60000);
    iovec part{big.data(), big.size()};
    p[0].slice = {&part, 1, 60000, 0};
    b.add({}, nullptr, {}, &p[0]);
    cr_assert_not(b.takes(6000, 1));
    cr_assert(b.takes(5000, 1));
}
