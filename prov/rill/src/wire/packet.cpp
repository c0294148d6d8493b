// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "wire/packet.hpp"

namespace rill::wire {
namespace {

// Takes sizeof(T) bytes off the front of `rest`; false when they are not there.
template <class T>
bool take(std::span<const std::byte>& rest, T& out) {
    if (rest.size() < sizeof(T)) return false;
    std::memcpy(static_cast<void*>(&out), rest.data(), sizeof(T));
    rest = rest.subspan(sizeof(T));
    return true;
}

bool known_type(PacketType t) {
    return t >= PacketType::data && t <= PacketType::reset;
}

bool parse_ack(std::span<const std::byte>& rest, PacketView& out) {
    AckBlock ack;
    if (!take(rest, ack) || ack.echoes > kEchoesMax || ack.words > kAckWordsMax) return false;
    for (unsigned i = 0; i < ack.echoes; ++i)
        if (!take(rest, out.echoes[i])) return false;
    size_t bitmap = ack.words * sizeof(uint64_t);
    if (rest.size() < bitmap) return false;
    out.ack_words = rest.first(bitmap);
    rest = rest.subspan(bitmap);
    out.ack = ack;
    return true;
}

bool parse_addresses(std::span<const std::byte>& rest, PacketView& out) {
    AddressBlock block;
    if (!take(rest, block) || block.count > kAddressesMax) return false;
    const size_t bytes = block.count * sizeof(PathAddress);
    if (rest.size() < bytes) return false;
    out.addresses = rest.first(bytes);
    rest = rest.subspan(bytes);
    return true;
}

Address address_of(uint16_t family, uint16_t port, const uint8_t* ip) {
    Address a;
    if (family != 4 && family != 6) return a;
    a.family = static_cast<Family>(family);
    a.port = port;
    std::memcpy(a.ip.data(), ip, family == 4 ? 4 : 16);
    return a;
}

} // namespace

SourceInfo to_source(const Address& a, uint32_t queue_pair) {
    SourceInfo s;
    s.family = static_cast<uint16_t>(a.family);
    s.port = a.port;
    std::memcpy(s.ip, a.ip.data(), sizeof s.ip);
    s.queue_pair = queue_pair;
    return s;
}

Address from_source(const SourceInfo& s) {
    return address_of(s.family, s.port, s.ip);
}

PathAddress to_path_address(const Address& a) {
    PathAddress p;
    p.family = static_cast<uint16_t>(a.family);
    p.port = a.port;
    std::memcpy(p.ip, a.ip.data(), sizeof p.ip);
    return p;
}

Address from_path_address(const PathAddress& a) {
    return address_of(a.family, a.port, a.ip);
}

ParseError parse(std::span<const std::byte> datagram, PacketView& out) {
    auto rest = datagram;
    if (!take(rest, out.header)) return ParseError::too_short;
    if (out.header.version != kVersion) return ParseError::version;
    if (!known_type(out.header.type)) return ParseError::type;
    out.hello.reset();
    out.ack.reset();
    if (out.header.flags & kHasHello) {
        Hello hello;
        if (!take(rest, hello) || hello.context == 0) return ParseError::hello;
        out.hello = hello;
    }
    if ((out.header.flags & kHasAck) && !parse_ack(rest, out)) return ParseError::ack;
    out.addresses = {};
    if ((out.header.flags & kHasAddresses) && out.header.type == PacketType::control &&
        !parse_addresses(rest, out))
        return ParseError::addresses;
    if (out.header.type != PacketType::data) rest = {}; // trailing fields of a later version
    out.records = rest;
    return ParseError::none;
}

bool RecordReader::next(RecordView& out) {
    if (rest_.empty() || !ok_) return false;
    ok_ = false;
    if (rest_.size() < sizeof(RecordHeader)) return false;
    auto h = load<RecordHeader>(rest_.data());
    out.type = h.type;
    out.flags = h.flags;
    bool fits = false;
    switch (h.type) {
    case RecordType::message:
        fits = take(rest_, out.message);
        if (fits && (h.flags & kImmediate)) fits = take(rest_, out.immediate);
        if (fits && (h.flags & kSource)) fits = take(rest_, out.source);
        break;
    case RecordType::fragment: fits = take(rest_, out.fragment); break;
    case RecordType::granted: fits = take(rest_, out.granted); break;
    case RecordType::grant: fits = take(rest_, out.grant); break;
    case RecordType::done: fits = take(rest_, out.done); break;
    case RecordType::abort:
        fits = take(rest_, out.abort);
        if (fits && (h.flags & kSource)) fits = take(rest_, out.source);
        break;
    case RecordType::write:
        fits = take(rest_, out.write);
        if (fits && (h.flags & kImmediate))
            fits = take(rest_, out.immediate) && take(rest_, out.source);
        break;
    case RecordType::read: fits = take(rest_, out.read); break;
    case RecordType::atomic: fits = take(rest_, out.atomic); break;
    case RecordType::answer: fits = take(rest_, out.answer); break;
    }
    if (!fits || rest_.size() < h.length) return false;
    out.payload = rest_.first(h.length);
    rest_ = rest_.subspan(h.length);
    ok_ = true;
    return true;
}

} // namespace rill::wire
