// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "bad_cases.hpp"

#include <algorithm>
#include <random>

#include <sys/socket.h>

namespace functional {

Datagrams::Datagrams() : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check_ok(bind(fd_, reinterpret_cast<const sockaddr*>(&any), sizeof any), "bind");
}

Datagrams::~Datagrams() {
    close(fd_);
}

sockaddr_in Datagrams::name() const {
    sockaddr_in got{};
    socklen_t len = sizeof got;
    check_ok(getsockname(fd_, reinterpret_cast<sockaddr*>(&got), &len), "getsockname");
    return got;
}

void Datagrams::send(const sockaddr_in& to, std::span<const uint8_t> bytes) {
    // A full buffer or a pending ICMP error only means that this one was not sent.
    const ssize_t ret = sendto(fd_, bytes.data(), bytes.size(), 0,
                               reinterpret_cast<const sockaddr*>(&to), sizeof to);
    sent_ += ret > 0 ? static_cast<size_t>(ret) : 0;
}

std::optional<Bytes> Datagrams::receive() {
    Bytes room(65536);
    const ssize_t got = recv(fd_, room.data(), room.size(), 0);
    if (got < 0) {
        return std::nullopt;
    }
    received_ += static_cast<size_t>(got);
    room.resize(static_cast<size_t>(got));
    return room;
}

void Datagrams::drain() {
    while (receive()) {
    }
}

namespace {

constexpr size_t longest_datagram = 65507;

sockaddr_in address_of(const Side& side) {
    sockaddr_in addr{};
    memcpy(&addr, side.name().data(), sizeof addr);
    return addr;
}

Config on_ipv4() {
    Config config;
    config.addr_format = FI_SOCKADDR_IN;
    return config;
}

// One checked message through the pair: what strangers do must not be felt.
void traffic(Pair& pair, uint32_t round, size_t size) {
    Bytes out(size);
    Bytes in(size);
    Op ops[2];
    fill(out, round);
    pair.post([&] {
        return receive(pair.b(), transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[0], round));
    });
    pair.post(
        [&] { return send(pair.a(), transfer(Kind::tagged, out, pair.to_b(), &ops[1], round)); });
    const Completion one = pair.received(1);
    check_eq(one.len, size, "length");
    check_eq(one.source, pair.to_a(), "source");
    check_filled(in.data(), size, round);
    pair.sent(0);
}

void throw_at(Pair& pair, Datagrams& stranger, const std::vector<Bytes>& rubbish) {
    const sockaddr_in targets[] = {address_of(pair.a()), address_of(pair.b())};
    uint32_t round = 0;
    for (const Bytes& one : rubbish) {
        for (const sockaddr_in& target : targets) {
            stranger.send(target, one);
        }
        if (++round % 16 == 0) {
            traffic(pair, round, round % 64 == 0 ? 200000 : round);
        }
        stranger.drain();
    }
    traffic(pair, 1 << 20, 100000);
    pair.settle();
    stranger.drain();
    check(pair.a().rx.empty() && pair.b().rx.empty(), "no message came out of it");
    check(pair.a().tx.empty(), "no send ended by it");
}

std::vector<Bytes> random_datagrams(size_t count, uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<Bytes> list;
    for (size_t at = 0; at < count; ++at) {
        const size_t size = at % 3 == 0 ? random() % 100 : random() % 2000;
        Bytes one(size);
        std::generate(one.begin(), one.end(), [&] { return static_cast<uint8_t>(random()); });
        list.push_back(std::move(one));
    }
    return list;
}

void random_bytes() {
    only_rill("its ports are UDP ports");
    Pair pair(on_ipv4());
    Datagrams stranger;
    throw_at(pair, stranger, random_datagrams(1500, 11));
    check(stranger.received_bytes() <= stranger.sent_bytes(), "answers are no longer than it was");
}

// The first bytes are where versions and types are told apart: every value of them.
void every_first_byte() {
    only_rill("its ports are UDP ports");
    Pair pair(on_ipv4());
    Datagrams stranger;
    std::vector<Bytes> list;
    for (const size_t size : {size_t{2}, size_t{32}, size_t{64}, size_t{200}}) {
        for (int first = 0; first < 256; ++first) {
            Bytes one(size, static_cast<uint8_t>(first * 7));
            one[0] = static_cast<uint8_t>(first);
            list.push_back(one);
        }
    }
    throw_at(pair, stranger, list);
    check(stranger.received_bytes() <= stranger.sent_bytes(), "answers are no longer than it was");
}

void very_short_and_very_long() {
    only_rill("its ports are UDP ports");
    Pair pair(on_ipv4());
    Datagrams stranger;
    std::vector<Bytes> list;
    for (size_t size = 0; size < 70; ++size) {
        list.emplace_back(size, static_cast<uint8_t>(0));
        list.emplace_back(size, static_cast<uint8_t>(0xff));
    }
    for (size_t near = 0; near < 10; ++near) {
        list.emplace_back(longest_datagram - near, static_cast<uint8_t>(near));
    }
    throw_at(pair, stranger, list);
    check(stranger.received_bytes() <= stranger.sent_bytes(), "answers are no longer than it was");
}

// What the provider itself says first to an address, as a stranger would record it.
std::vector<Bytes> recorded_opening(size_t wanted) {
    Side side(on_ipv4());
    Datagrams recorder;
    const sockaddr_in there = recorder.name();
    fi_addr_t to = FI_ADDR_NOTAVAIL;
    check_ret(fi_av_insert(side.av.get(), &there, 1, &to, 0, nullptr), 1, "fi_av_insert");
    Bytes out(64);
    Op op;
    side.post([&] { return send(side, transfer(Kind::tagged, out, to, &op, 0)); });
    std::vector<Bytes> packets;
    now_waiting_for("the first packets to an address");
    while (packets.size() < wanted) {
        side.poll();
        if (auto one = recorder.receive()) {
            packets.push_back(*std::move(one));
        }
    }
    return packets;
}

void truncated_packets() {
    only_rill("its ports are UDP ports");
    const Bytes opening = recorded_opening(1).front();
    Pair pair(on_ipv4());
    Datagrams stranger;
    std::vector<Bytes> list;
    for (size_t size = 0; size < opening.size(); ++size) {
        list.emplace_back(opening.begin(), opening.begin() + static_cast<ptrdiff_t>(size));
    }
    throw_at(pair, stranger, list);
    check(stranger.received_bytes() <= stranger.sent_bytes(), "answers are no longer than it was");
}

// With a bit turned it may still be an opening, which may be answered with up to three times as
// much; what it carries is of an unproved source, and must not be delivered.
void damaged_packets() {
    only_rill("its ports are UDP ports");
    constexpr size_t opening_factor = 3;
    const Bytes opening = recorded_opening(1).front();
    Pair pair(on_ipv4());
    Datagrams stranger;
    std::vector<Bytes> list;
    for (size_t bit = 0; bit < opening.size() * 8; ++bit) {
        list.push_back(opening);
        list.back()[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    }
    throw_at(pair, stranger, list);
    check(stranger.received_bytes() <= opening_factor * stranger.sent_bytes(),
          "answers are at most three times as long");
}

void replayed_packets() {
    only_rill("its ports are UDP ports");
    constexpr size_t opening_factor = 3;
    const std::vector<Bytes> packets = recorded_opening(3);
    Pair pair(on_ipv4());
    Datagrams stranger;
    std::vector<Bytes> list;
    for (size_t round = 0; round < 100; ++round) {
        list.insert(list.end(), packets.begin(), packets.end());
    }
    throw_at(pair, stranger, list);
    check(stranger.received_bytes() <= opening_factor * stranger.sent_bytes(),
          "answers are at most three times as long");
}

// Strangers that come from many ports cost no more than those from one.
void many_strangers() {
    only_rill("its ports are UDP ports");
    // Lax, the first packets of any port of a known host are taken at once, replayed ones too.
    setenv("FI_RILL_OPEN", "strict", 1);
    const Bytes opening = recorded_opening(1).front();
    Pair pair(on_ipv4());
    const sockaddr_in target = address_of(pair.b());
    for (uint32_t at = 0; at < 500; ++at) {
        Datagrams stranger;
        stranger.send(target, opening);
        if (at % 50 == 0) {
            traffic(pair, at, 5000);
        }
        stranger.drain();
        check(stranger.received_bytes() <= 3 * stranger.sent_bytes(), "answers are bounded");
    }
    traffic(pair, 1000, 100000);
    pair.settle();
    check(pair.b().rx.empty(), "no message came out of it");
}

} // namespace

void add_datagram_cases(std::vector<Case>& cases) {
    cases.push_back({"datagrams: random bytes", random_bytes});
    cases.push_back({"datagrams: every first byte", every_first_byte});
    cases.push_back({"datagrams: very short and very long", very_short_and_very_long});
    cases.push_back({"datagrams: truncated packets", truncated_packets});
    cases.push_back({"datagrams: damaged packets", damaged_packets});
    cases.push_back({"datagrams: replayed packets", replayed_packets});
    cases.push_back({"datagrams: many strangers", many_strangers});
}

} // namespace functional
