// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Any datagram: what parse() and RecordReader make of it lies inside it, and comes back when it is
// written again.
#include "wire/packet.hpp"
#include "test/fuzz/input.hpp"

using namespace rill;
using fuzz::expect;

namespace {

bool inside(std::span<const std::byte> part, std::span<const std::byte> whole) {
    return part.empty() || (part.data() >= whole.data() &&
                            part.data() + part.size() <= whole.data() + whole.size());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::span datagram(reinterpret_cast<const std::byte*>(data), size);
    wire::PacketView view;
    if (wire::parse(datagram, view) != wire::ParseError::none) return 0;
    expect(size >= sizeof(wire::Header), "a header was there");
    expect(std::memcmp(&view.header, data, sizeof view.header) == 0,
           "the header is the first bytes");
    expect(inside(view.ack_words, datagram) && inside(view.addresses, datagram) &&
               inside(view.records, datagram),
           "every part lies inside the datagram");
    if (view.ack)
        expect(view.ack->echoes <= wire::kEchoesMax && view.ack->words <= wire::kAckWordsMax &&
                   view.ack_words.size() == view.ack->words * 8u,
               "an acknowledgement is bounded");
    for (size_t at = 0; at < view.addresses.size(); at += sizeof(wire::PathAddress)) {
        const auto a =
            wire::from_path_address(wire::load<wire::PathAddress>(view.addresses.data() + at));
        expect(!a.valid() || wire::from_path_address(wire::to_path_address(a)) == a,
               "an address survives the wire");
    }
    wire::RecordReader reader(view.records);
    wire::RecordView record;
    size_t taken = 0;
    while (reader.next(record)) {
        expect(inside(record.payload, view.records), "a payload lies inside its packet");
        taken += sizeof(wire::RecordHeader) + record.payload.size();
    }
    expect(taken <= view.records.size(), "no byte is read twice");
    return 0;
}
