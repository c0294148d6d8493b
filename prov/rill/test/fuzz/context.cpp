// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Two honest machines at work, and between them somebody who sees every packet and sends what he likes:
// packets of their contexts with other fields, records of any kind, openings, copies, pieces. Time is
// virtual. Whatever he does to these two, the victim keeps to its memory and its bounds, and serves a
// third machine when he has gone.
#include "test/fuzz/input.hpp"
#include "test/rdm/hosts.hpp"

#include <array>
#include <string>
#include <vector>

using namespace rill;
using namespace rill::test;
using fuzz::expect;
using fuzz::Input;

namespace {

constexpr uint8_t kFriend = 1, kVictim = 2, kAttacker = 3, kThird = 4;
constexpr uint64_t kWindowKey = 7;

template <class T>
void append(std::vector<std::byte>& to, const T& v) {
    const auto* p = reinterpret_cast<const std::byte*>(&v);
    to.insert(to.end(), p, p + sizeof v);
}

class Attacker {
public:
    explicit Attacker(Net& net) : net_(net) {
        net.drop = [this](const Net::Packet& p) {
            if (p.to.ip[3] == kVictim && p.bytes.size() <= 4096) note(p);
            return false;
        };
    }
    ~Attacker() { net_.drop = nullptr; }

    void send(Input& in) {
        if (in.below(4) == 0) return send_copy(in);
        std::vector<std::byte> bytes;
        wire::Header h = seen_header(in);
        change(h, in);
        append(bytes, h);
        if (h.flags & wire::kHasHello) append(bytes, hello(in));
        if (h.flags & wire::kHasAck) add_ack(bytes, in);
        if (h.flags & wire::kHasAddresses) add_addresses(bytes, in);
        for (uint8_t n = in.below(5); n > 0; --n)
            add_record(bytes, in);
        if (in.below(8) == 0) {
            const auto rest = in.bytes(in.byte());
            bytes.insert(bytes.end(), reinterpret_cast<const std::byte*>(rest.data()),
                         reinterpret_cast<const std::byte*>(rest.data() + rest.size()));
        }
        put(std::move(bytes), in);
    }

private:
    void note(const Net::Packet& p) { seen_[next_++ % seen_.size()] = p; }
    const Net::Packet& pick(Input& in) const {
        const size_t there = std::min(next_, seen_.size());
        static const Net::Packet none;
        return there ? seen_[(next_ - 1 - in.byte() % there) % seen_.size()] : none;
    }
    wire::Header seen_header(Input& in) const {
        const Net::Packet& p = pick(in);
        return p.bytes.size() >= sizeof(wire::Header) ? wire::load<wire::Header>(p.bytes.data())
                                                      : wire::Header{};
    }
    void send_copy(Input& in) {
        Net::Packet p = pick(in);
        for (uint8_t n = in.below(4); n > 0 && !p.bytes.empty(); --n) {
            const size_t at = in.take<uint16_t>() % p.bytes.size();
            p.bytes[at] = std::byte(in.byte());
        }
        if (in.below(4) == 0) p.bytes.resize(in.take<uint16_t>() % (p.bytes.size() + 1));
        put(std::move(p.bytes), in);
    }
    void put(std::vector<std::byte> bytes, Input& in) {
        // From whoever he says he is, to either of the victim's ports.
        const uint8_t from = in.below(4) ? kFriend : kAttacker;
        net_.send({std::move(bytes), address(from, in.below(4) ? 3000 : 50001),
                   address(kVictim, in.below(4) ? 3000 : 4000), 0, 0},
                  nullptr);
    }
    void change(wire::Header& h, Input& in) {
        if (in.below(16) == 0) h.version = in.byte();
        if (in.below(2)) h.type = static_cast<wire::PacketType>(1 + in.below(7));
        if (in.below(2)) h.flags = in.byte() & 31;
        if (in.below(16) == 0) h.token = in.number();
        if (in.below(8) == 0) h.context = static_cast<uint32_t>(in.number());
        if (in.below(4) == 0) {
            h.context = 0;
            h.token = 0;
        }
        h.psn += static_cast<uint32_t>(in.below(2) ? in.byte() : in.number());
        if (in.below(4) == 0) h.path = static_cast<uint16_t>(in.number());
        h.path_seq += in.byte();
        if (in.below(4) == 0) h.timestamp_us += static_cast<uint32_t>(in.number());
        if (in.below(2)) h.cumulative_ack += static_cast<uint32_t>(in.number());
    }
    wire::Hello hello(Input& in) {
        wire::Hello h;
        h.device[0] = in.below(4);
        h.context = in.below(8);
        h.first_psn = static_cast<uint32_t>(in.number());
        h.token = in.below(16);
        h.cookie = in.below(4) ? 0 : in.number();
        h.features = in.byte();
        h.queue_pair = in.below(4);
        h.window_bytes = static_cast<uint32_t>(in.number());
        h.max_packet = in.below(4) ? 1472 : static_cast<uint16_t>(in.number());
        h.data_port = in.below(4) ? 3000 : static_cast<uint16_t>(in.number());
        return h;
    }
    void add_ack(std::vector<std::byte>& bytes, Input& in) {
        wire::AckBlock ack;
        ack.window_bytes = static_cast<uint32_t>(in.number());
        ack.base = static_cast<uint32_t>(in.number()) & ~(in.below(8) ? 63u : 0u);
        ack.delay_us = static_cast<uint16_t>(in.number());
        ack.echoes = in.below(10);
        ack.words = in.below(8) ? in.below(4) : in.below(66);
        ack.addresses = in.below(10);
        append(bytes, ack);
        for (unsigned i = 0; i < ack.echoes; ++i)
            append(bytes, wire::Echo{in.below(70), in.byte(), static_cast<uint32_t>(in.number()),
                                     in.byte()});
        for (unsigned i = 0; i < ack.words; ++i)
            append(bytes, in.number());
    }
    void add_addresses(std::vector<std::byte>& bytes, Input& in) {
        wire::AddressBlock block;
        block.count = in.below(10);
        append(bytes, block);
        for (unsigned i = 0; i < block.count; ++i) {
            auto a = wire::to_path_address(address(1 + in.below(5), 3000));
            if (in.below(4) == 0) a.family = in.byte();
            if (in.below(4) == 0) a.port = in.byte();
            append(bytes, a);
        }
    }
    wire::GrantId grant(Input& in) {
        return {static_cast<uint32_t>(in.below(8) ? in.below(4) : in.number()), in.below(6)};
    }
    // The fields of an envelope of a few flows and messages, so that records meet.
    void add_record(std::vector<std::byte>& bytes, Input& in) {
        const auto type = static_cast<wire::RecordType>(1 + in.below(11));
        const uint8_t flags = in.byte();
        const auto length = static_cast<uint16_t>(in.below(8) ? in.byte() : in.number());
        const uint32_t queue_pair = in.below(4), flow = in.below(4), msg_no = in.below(6);
        switch (type) {
        case wire::RecordType::message: {
            wire::Message m{{type, flags, length}, queue_pair, flow, msg_no};
            m.tag = in.below(4);
            m.unscheduled = static_cast<uint32_t>(in.below(2) ? length : in.number());
            m.total = in.below(2) ? m.unscheduled : in.number();
            append(bytes, m);
            if (flags & wire::kImmediate) append(bytes, in.number());
            if (flags & wire::kSource)
                append(bytes, wire::to_source(address(in.below(5), 4000), in.below(4)));
            break;
        }
        case wire::RecordType::fragment:
            append(bytes, wire::Fragment{{type, flags, length},
                                         queue_pair,
                                         flow,
                                         msg_no,
                                         static_cast<uint32_t>(in.number()),
                                         static_cast<uint32_t>(in.number())});
            break;
        case wire::RecordType::granted:
            append(bytes, wire::Granted{{type, flags, length}, 0, grant(in), in.number()});
            break;
        case wire::RecordType::grant: {
            wire::Grant g{{type, flags, length}, flow, msg_no, grant(in)};
            g.offset = in.number();
            g.length = in.number();
            append(bytes, g);
            break;
        }
        case wire::RecordType::done:
            append(bytes,
                   wire::Done{
                       {type, flags, length}, flow, msg_no, static_cast<uint32_t>(in.number())});
            break;
        case wire::RecordType::abort:
            append(bytes, wire::Abort{{type, flags, length}, queue_pair, flow, msg_no});
            if (flags & wire::kSource)
                append(bytes, wire::to_source(address(in.below(5), 4000), in.below(4)));
            break;
        case wire::RecordType::write: {
            wire::Write w{{type, flags, length}, queue_pair, flow, msg_no};
            w.key = in.below(4) ? kWindowKey : in.number();
            w.address = in.number();
            w.length = in.below(2) ? length : in.number();
            w.total = in.below(2) ? w.length : in.number();
            w.offset = in.below(2) ? 0 : in.number();
            append(bytes, w);
            if (flags & wire::kImmediate) {
                append(bytes, in.number());
                append(bytes, wire::to_source(address(in.below(5), 4000), in.below(4)));
            }
            break;
        }
        case wire::RecordType::read: {
            wire::Read r{{type, flags, length}, queue_pair, flow, msg_no};
            r.key = in.below(4) ? kWindowKey : in.number();
            r.address = in.number();
            r.length = in.number();
            r.total = in.below(2) ? r.length : in.number();
            r.fetch = grant(in);
            r.offset = in.below(2) ? 0 : in.number();
            append(bytes, r);
            break;
        }
        case wire::RecordType::atomic: {
            wire::Atomic a{{type, flags, length}, queue_pair, flow, msg_no};
            a.key = in.below(4) ? kWindowKey : in.number();
            a.address = in.number();
            a.length = in.below(2) ? length : in.number();
            a.total = in.below(2) ? a.length : in.number();
            a.fetch = grant(in);
            a.offset = in.below(2) ? 0 : static_cast<uint32_t>(in.number());
            a.order = in.below(4);
            a.op = static_cast<wire::AtomicOp>(in.below(24));
            a.type = static_cast<wire::AtomicType>(in.below(24));
            a.kind = static_cast<wire::AtomicKind>(in.below(4));
            append(bytes, a);
            break;
        }
        case wire::RecordType::answer:
            append(bytes, wire::Answer{{type, flags, length}, 0, grant(in), in.number()});
            break;
        default: append(bytes, wire::RecordHeader{type, flags, length});
        }
        bytes.insert(bytes.end(), std::min<size_t>(length, 1200), std::byte('p'));
    }

    Net& net_;
    std::array<Net::Packet, 32> seen_;
    size_t next_ = 0;
};

class World {
public:
    World()
        : payloads_(fuzz::payloads()), net_(1), friend_(net_, kFriend), victim_(net_, kVictim),
          attacker_(net_) {
        to_victim_ = friend_.name(kVictim);
        to_friend_ = victim_.name(kFriend);
        const iovec piece{window_.data(), window_.size()};
        uint64_t key = kWindowKey;
        (void)victim_.module.driver().register_memory(
            key, false, {.pieces = &piece, .count = 1, .readable = true, .writable = true});
        (void)friend_.send(to_victim_, payloads_[2], 0);
        pass(1ms);
    }
    void step(Input& in) {
        switch (in.below(10)) {
        case 0: return work(friend_, to_victim_, in);
        case 1: return work(victim_, to_friend_, in);
        case 2: return pass(in.below(8) ? 50us * in.byte() : 200ms * in.byte());
        case 3: return pass(100us);
        default: return attacker_.send(in);
        }
    }
    void settle();

private:
    void pass(Duration time) {
        const Instant end = net_.now + time;
        const Duration least = std::max<Duration>(20us, time / 500);
        while (net_.now < end) {
            net_.deliver();
            friend_.module.progress(net_.now, true);
            victim_.module.progress(net_.now, true);
            const Instant next = std::min(
                {net_.next(), friend_.module.next_deadline(), victim_.module.next_deadline(), end});
            net_.now = std::max(next, net_.now + least);
        }
    }
    void work(Machine& m, rdm::SourceId to, Input& in) {
        const uint8_t tag = in.below(4);
        switch (in.below(4)) {
        case 0:
        case 1: (void)m.receive(rooms_[next_room_++ % rooms_.size()], tag); return;
        case 2: (void)m.endpoint->cancel(nullptr, net_.now); return;
        default: (void)m.send(to, payloads_[in.below(8)], tag);
        }
    }
    template <class Done>
    bool until(Machine& third, Done done) {
        for (const Instant end = net_.now + 60s; net_.now < end && !done();) {
            third.module.progress(net_.now, true);
            pass(100us);
        }
        return done();
    }

    std::vector<std::string> payloads_; // stay until everybody has gone
    Net net_;
    std::vector<std::string> rooms_ = std::vector<std::string>(16, std::string(20000, '-'));
    size_t next_room_ = 0;
    std::vector<std::byte> window_ = std::vector<std::byte>(4096);
    Machine friend_, victim_;
    Attacker attacker_;
    rdm::SourceId to_victim_ = 0, to_friend_ = 0;
};

void World::settle() {
    pass(100ms);
    const nic::Device::Usage u = victim_.card.device().usage();
    expect(u.early_atomics <= 512, "early atomics are bounded");
    expect(u.bounce_bytes <= nic::Config{}.bounce_bytes, "bounce memory is bounded");
    // Who was never attacked is served as ever.
    Machine third(net_, kThird);
    victim_.rx.got.clear();
    const std::string sent(3000, 't');
    std::string got(sent.size(), '-');
    expect(is_ok(victim_.receive(got, 1000)), "a receive can be posted");
    expect(is_ok(third.send(third.name(kVictim), sent, 1000)), "and a message sent");
    const auto ended = [&] { return !third.tx.got.empty(); };
    expect(until(third, ended), "which ends");
    expect(third.tx.got[0].status == Status::ok && got == sent, "and has arrived");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Input in(data, size);
    World world;
    for (int steps = 0; steps < 300 && !in.empty(); ++steps)
        world.step(in);
    world.settle();
    return 0;
}
