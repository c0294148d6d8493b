// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "link/udp_link.hpp"

#include "link/sockaddr.hpp"
#include "util/prng.hpp"

#include <algorithm>
#include <criterion/criterion.h>
#include <cstring>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace rill;
using namespace rill::link;
using wire::Address;
using wire::PortId;
using wire::RxTrain;
using wire::TxTrain;

namespace {

struct Log {
    std::vector<std::string> lines;
    static void write(void* context, Level, const char* text) {
        static_cast<Log*>(context)->lines.push_back(text);
    }
    size_t naming(const char* word) const {
        size_t n = 0;
        for (const std::string& line : lines)
            n += line.find(word) != std::string::npos;
        return n;
    }
};

Address host(const char* text) {
    Address a;
    cr_assert(parse_host(text, a));
    return a;
}

// A link on a loopback address, or the refusal to open one.
struct Rig {
    explicit Rig(UdpConfig config = at("127.0.0.1")) {
        config.log = {Log::write, &log};
        status = UdpLink::open(config, counters, link, error);
    }
    static UdpConfig at(const char* address) {
        UdpConfig c;
        c.local = host(address);
        return c;
    }
    UdpLink* operator->() {
        cr_assert(is_ok(status), "%s", error.c_str());
        return link.get();
    }

    Log log;
    obs::Counters counters;
    std::unique_ptr<UdpLink> link;
    std::string error;
    Status status;
};

struct Packet {
    std::vector<std::byte> bytes;
    Address from;
    PortId port;
    bool marked;
    bool first; // of the train that it came in
};

// Waits for the first, then takes all that is there.
std::vector<Packet> take(UdpLink& link, bool poll_all = false, size_t trains_per_call = 1) {
    std::vector<Packet> got;
    std::vector<pollfd> wait;
    for (int fd : link.descriptors())
        wait.push_back({fd, POLLIN, 0});
    poll(wait.data(), poll_all ? wait.size() : 1, 2000);
    std::vector<RxTrain> out(trains_per_call);
    while (size_t n = link.receive(out, poll_all))
        for (size_t i = 0; i < n; ++i)
            for (size_t at = 0; at < out[i].total_bytes; at += out[i].segment_bytes) {
                const std::byte* first = out[i].data + at;
                const size_t bytes = std::min(out[i].segment_bytes, out[i].total_bytes - at);
                got.push_back({{first, first + bytes},
                               out[i].from,
                               out[i].port,
                               out[i].congestion_marked,
                               at == 0});
            }
    return got;
}

size_t trains(const std::vector<Packet>& got) {
    return static_cast<size_t>(
        std::count_if(got.begin(), got.end(), [](const Packet& p) { return p.first; }));
}

std::vector<std::byte> noise(size_t bytes, uint64_t seed) {
    Prng prng(seed);
    std::vector<std::byte> out(bytes);
    for (std::byte& b : out)
        b = std::byte(prng.next());
    return out;
}

// As header and payload pairs that do not agree with the packets' ends.
struct Train {
    Train(const Address& to, size_t total, size_t segment, size_t piece = 777)
        : bytes(noise(total, total + segment)) {
        for (size_t at = 0; at < total; at += piece)
            iov.push_back({&bytes[at], std::min(piece, total - at)});
        tx.to = to;
        tx.segment_bytes = segment;
        tx.total_bytes = total;
        tx.iov = iov;
    }
    void is(const std::vector<Packet>& got) const {
        size_t at = 0;
        for (const Packet& p : got) {
            const size_t want = std::min(tx.segment_bytes, tx.total_bytes - at);
            cr_assert_eq(p.bytes.size(), want);
            cr_assert(std::equal(p.bytes.begin(), p.bytes.end(), bytes.begin() + long(at)));
            at += want;
        }
        cr_assert_eq(at, tx.total_bytes, "%zu of %zu bytes", at, tx.total_bytes);
    }
    std::vector<std::byte> bytes;
    std::vector<iovec> iov;
    TxTrain tx;
};

bool has_ip6() {
    wire::Address one = host("::1");
    UdpSocket probe;
    SocketConfig c;
    c.local = one;
    std::string error;
    return is_ok(probe.open(c, error));
}

void round_trips(const char* address) {
    Rig a(Rig::at(address)), b(Rig::at(address));
    const std::pair<size_t, size_t> sizes[] = {
        {1, 1},         {64, 64},       {1400, 1400}, {2801, 1400},   {64400, 1400}, {62300, 8900},
        {65472, 16368}, {40000, 16368}, {4096, 64},   {65472, 65472}, {63, 1}};
    for (const auto& [total, segment] : sizes) {
        const Train t(b->data_address(), total, segment);
        cr_assert(is_ok(a->send(t.tx)), "%zu by %zu", total, segment);
        const std::vector<Packet> got = take(*b.link);
        t.is(got);
        cr_assert_eq(trains(got), 1u, "%zu by %zu came in pieces", total, segment);
        for (const Packet& p : got)
            cr_assert(p.from == a->data_address() && p.port == wire::kDataPort && !p.marked);
    }
    cr_assert_eq(a.counters.get(obs::Counter::tx_segmentation_refused), 0u);
}

// A range of `count` ports that are free now. Others may take one at any time, but on a loopback
// address that nobody else uses.
constexpr const char* kQuiet = "127.83.17.5";
PortRange free_ports(uint16_t count) {
    const auto low = static_cast<uint16_t>(20000 + getpid() % 1000 * 16);
    return {low, static_cast<uint16_t>(low + count - 1)};
}

bool in_error(UdpLink& link) {
    std::vector<pollfd> wait;
    for (int fd : link.descriptors())
        wait.push_back({fd, 0, 0});
    return poll(wait.data(), wait.size(), 0) > 0;
}

} // namespace

Test(udp_link, trains_round_trip_over_ip4) {
    round_trips("127.0.0.1");
}

Test(udp_link, trains_round_trip_over_ip6) {
    if (!has_ip6()) cr_skip_test("no IPv6 here");
    round_trips("::1");
}

Test(udp_link, a_single_packet_needs_no_segment_size) {
    Rig a, b;
    Train t(b->data_address(), 500, 0);
    cr_assert(is_ok(a->send(t.tx)));
    t.tx.segment_bytes = 500;
    t.is(take(*b.link));
}

Test(udp_link, bad_trains_are_refused) {
    Rig a, b;
    Train t(b->data_address(), 500, 500);
    TxTrain bad = t.tx;
    bad.to = host("::1").with_port(1);
    cr_assert(a->send(bad) == Status::invalid);
    bad = t.tx;
    bad.iov = {};
    cr_assert(a->send(bad) == Status::invalid);
    bad = t.tx;
    bad.total_bytes = 0;
    cr_assert(a->send(bad) == Status::invalid);
    Train pieces(b->data_address(), 1025, 1025, 1);
    cr_assert(a->send(pieces.tx) == Status::invalid, "one packet of 1025 pieces");
}

Test(udp_link, more_pieces_than_a_send_takes_go_packet_by_packet) {
    Rig a, b;
    Train t(b->data_address(), 2000, 500, 1);
    cr_assert(is_ok(a->send(t.tx)));
    t.is(take(*b.link));
}

Test(udp_link, a_train_over_64_kib_goes_packet_by_packet) {
    Rig a, b;
    Train t(b->data_address(), 90000, 9000, 3000);
    cr_assert(is_ok(a->send(t.tx)));
    t.is(take(*b.link));
    cr_assert_eq(a.counters.get(obs::Counter::tx_segmentation_refused), 0u,
                 "that is no refusal of segmentation");
    cr_assert(!in_error(*a.link));
}

Test(udp_link, a_packet_over_64_kib_is_too_long_and_leaves_no_error_behind) {
    Rig a, b;
    Train t(b->data_address(), 70000, 70000, 7000);
    cr_assert(a->send(t.tx) == Status::too_long);
    cr_assert(!in_error(*a.link));
}

Test(udp_link, falls_back_when_the_kernel_refuses_segmentation) {
    Rig a, b;
    // Without the checksum the kernel really refuses: EINVAL.
    const int on = 1;
    cr_assert_eq(setsockopt(a->descriptors()[0], SOL_SOCKET, SO_NO_CHECK, &on, sizeof on), 0);
    Train t(b->data_address(), 62301, 8900);
    for (int i = 0; i < 3; ++i) {
        cr_assert(is_ok(a->send(t.tx)));
        const std::vector<Packet> got = take(*b.link);
        t.is(got);
        cr_assert_eq(trains(got), 8u, "each packet by itself");
    }
    cr_assert_eq(a.counters.get(obs::Counter::tx_segmentation_refused), 1u);
    cr_assert_eq(a.log.naming("segmentation"), 1u);
}

Test(udp_link, marks_arrive) {
    Rig a, b;
    Train t(b->data_address(), 5000, 1000);
    const int ce = 3;
    cr_assert_eq(setsockopt(a->descriptors()[0], IPPROTO_IP, IP_TOS, &ce, sizeof ce), 0);
    cr_assert(is_ok(a->send(t.tx)));
    const std::vector<Packet> got = take(*b.link);
    t.is(got);
    for (const Packet& p : got)
        cr_assert(p.marked);
}

Test(udp_link, marks_arrive_over_ip6) {
    if (!has_ip6()) cr_skip_test("no IPv6 here");
    Rig a(Rig::at("::1")), b(Rig::at("::1"));
    Train t(b->data_address(), 100, 100);
    const int ce = 3;
    cr_assert_eq(setsockopt(a->descriptors()[0], IPPROTO_IPV6, IPV6_TCLASS, &ce, sizeof ce), 0);
    cr_assert(is_ok(a->send(t.tx)));
    const std::vector<Packet> got = take(*b.link);
    t.is(got);
    cr_assert(got[0].marked);
}

// As they cost time.
Test(udp_link, many_small_packets_come_without_marks) {
    Rig a, b;
    const int ce = 3;
    cr_assert_eq(setsockopt(a->descriptors()[0], IPPROTO_IP, IP_TOS, &ce, sizeof ce), 0);
    const auto marked = [&](size_t bytes) {
        Train t(b->data_address(), bytes, bytes);
        t.tx.from_data_port = true; // whose code point it is
        cr_assert(is_ok(a->send(t.tx)));
        const std::vector<Packet> got = take(*b.link);
        t.is(got);
        return got[0].marked;
    };
    size_t small = 0;
    while (marked(100) && small < 5000)
        ++small;
    cr_assert(small > 0 && small < 5000, "%zu were marked", small);
    (void)marked(5000); // large ones call them back
    cr_assert(marked(5000));
    cr_assert(marked(100));
}

Test(udp_link, an_endpoints_port_receives_when_all_are_polled) {
    Rig a, b;
    Address p1, p2 = b->data_address().with_port(0);
    PortId id1, id2;
    cr_assert(is_ok(b->open_port(p1, id1)) && is_ok(b->open_port(p2, id2)));
    cr_assert(p1.same_host(b->data_address()) && p1.port != 0 && p2.port != p1.port);
    cr_assert(id1 != wire::kDataPort && id2 != wire::kDataPort && id1 != id2);
    cr_assert_eq(b->descriptors().size(), 3u);
    Train one(p1, 300, 100), two(p2, 2800, 1400);
    cr_assert(is_ok(a->send(one.tx)) && is_ok(a->send(two.tx)));
    RxTrain out[1];
    cr_assert_eq(b->receive(out, false), 0u);
    const std::vector<Packet> got = take(*b.link, true, 4);
    cr_assert_eq(got.size(), 5u);
    for (const Packet& p : got)
        cr_assert(p.port == (p.bytes.size() == 100 ? id1 : id2));
    b->close_port(id1);
    cr_assert_eq(b->descriptors().size(), 2u);
    Address p3;
    PortId id3;
    cr_assert(is_ok(b->open_port(p3, id3)));
    cr_assert_eq(id3, id1, "the hole is filled");
    b->close_port(99);
    b->close_port(wire::kDataPort);
    cr_assert_eq(b->descriptors().size(), 3u);
}

Test(udp_link, a_flooded_port_starves_neither_the_others_nor_the_data) {
    Rig a, b;
    Address p1, p2;
    PortId id1, id2;
    cr_assert(is_ok(b->open_port(p1, id1)) && is_ok(b->open_port(p2, id2)));
    for (int i = 0; i < 20; ++i)
        cr_assert(is_ok(a->send(Train(p1, 10, 10).tx)));
    cr_assert(is_ok(a->send(Train(p2, 20, 20).tx)));
    cr_assert(is_ok(a->send(Train(b->data_address(), 30, 30).tx)));
    bool two = false, data = false;
    RxTrain out[1];
    for (int i = 0; i < 4; ++i) {
        if (b->receive(out, true) && out[0].port == id2) two = true;
        if (b->receive(out, false) && out[0].port == wire::kDataPort) data = true;
    }
    cr_assert(two && data);
}

Test(udp_link, the_port_range_confines_every_port) {
    UdpConfig c = Rig::at(kQuiet);
    c.ports = free_ports(4);
    c.paths = 2;
    Rig a(c);
    Address p1, p2, p3, p4;
    PortId id;
    cr_assert_eq(a->paths(), 1, "so few are left to endpoints");
    cr_assert(c.ports.contains(a->data_address().port));
    cr_assert(is_ok(a->open_port(p1, id)) && is_ok(a->open_port(p2, id)) &&
              is_ok(a->open_port(p3, id)));
    cr_assert(c.ports.contains(p1.port) && c.ports.contains(p2.port));
    for (int fd : a->descriptors()) {
        SocketAddress name;
        socklen_t length = sizeof name;
        cr_assert_eq(getsockname(fd, &name.any, &length), 0);
        cr_assert(c.ports.contains(from_sockaddr(&name.any, length).port));
    }
    cr_assert(a->open_port(p4, id) == Status::address_in_use, "the fifth of four ports");
    cr_assert_eq(a.log.naming(to_string(c.ports).c_str()), 1u);

    Rig late(c);
    cr_assert(late.status == Status::address_in_use && !late.link);
    cr_assert(late.error.find(to_string(c.ports)) != std::string::npos, "%s", late.error.c_str());
}

Test(udp_link, a_taken_port_and_other_bad_configurations_are_named) {
    UdpConfig c = Rig::at(kQuiet);
    Rig a(c);
    c.local.port = a->data_address().port;
    Rig taken(c);
    cr_assert(taken.status == Status::address_in_use);
    cr_assert(taken.error.find(wire::to_string(c.local)) != std::string::npos);
    Address same = c.local;
    PortId id = 0;
    cr_assert(a->open_port(same, id) == Status::address_in_use);
    cr_assert_eq(a.log.naming(wire::to_string(c.local).c_str()), 1u);

    c.ports = {uint16_t(c.local.port + 1), uint16_t(c.local.port + 2)};
    Rig outside(c);
    cr_assert(outside.status == Status::invalid);
    cr_assert(outside.error.find(to_string(c.ports)) != std::string::npos);

    c = Rig::at(kQuiet);
    c.ports = {9, 8};
    cr_assert(Rig(c).status == Status::invalid);
    cr_assert(Rig(UdpConfig()).status == Status::invalid);
    Rig foreign(Rig::at("198.51.100.77"));
    cr_assert(foreign.status == Status::not_found);
    cr_assert(foreign.error.find("198.51.100.77") != std::string::npos);
    c = Rig::at("198.51.100.77");
    c.interface = "rill-none0";
    Rig nowhere(c);
    cr_assert(!is_ok(nowhere.status));
    cr_assert(nowhere.error.find("rill-none0") != std::string::npos, "%s", nowhere.error.c_str());
}

// The ICMP answer to one peer's packet must cost another, live peer nothing.
static void refusals(const char* address) {
    Rig a(Rig::at(address)), live(Rig::at(address));
    Address gone;
    {
        Rig closed(Rig::at(address));
        gone = closed->data_address();
    }
    Address refused;
    cr_assert(!a->next_refusal(refused));
    for (int i = 0; i < 20; ++i) {
        cr_assert(is_ok(a->send(Train(gone, 100, 100).tx)));
        const Train t(live->data_address(), 3000, 1000);
        cr_assert(is_ok(a->send(t.tx)), "a live peer's train fails");
        t.is(take(*live.link));
        cr_assert(a->next_refusal(refused) && refused == gone);
        cr_assert(!a->next_refusal(refused));
    }
    // Found by a receive as well, which gets what lies behind the error.
    cr_assert(is_ok(a->send(Train(gone, 100, 100).tx)));
    const Train back(a->data_address(), 3000, 1000);
    cr_assert(is_ok(live->send(back.tx)));
    back.is(take(*a.link));
    cr_assert(a->next_refusal(refused) && refused == gone);
    cr_assert(!in_error(*a.link));
    cr_assert(a.log.lines.empty());
}

Test(udp_link, a_refusal_names_its_address_and_disturbs_nobody) {
    refusals("127.0.0.1");
}

Test(udp_link, a_refusal_names_its_address_over_ip6) {
    if (!has_ip6()) cr_skip_test("no IPv6 here");
    refusals("::1");
}

Test(udp_link, entropy_paths_have_ports_of_their_own_and_only_send) {
    UdpConfig c = Rig::at("127.0.0.1");
    c.paths = 3;
    Rig a(c), b;
    cr_assert_eq(a->paths(), 3);
    cr_assert_eq(a->descriptors().size(), 1u, "those that only send wake nobody");
    std::vector<Address> from;
    for (uint16_t path = 0; path < 3; ++path) {
        Train t(b->data_address(), 2800, 1400);
        t.tx.path = path;
        cr_assert(is_ok(a->send(t.tx)));
        const std::vector<Packet> got = take(*b.link);
        t.is(got);
        from.push_back(got[0].from);
    }
    cr_assert(from[0] == a->data_address() && from[1] != from[0] && from[2] != from[1]);
    // A stranger's packet to such a port wakes nobody.
    cr_assert(is_ok(b->send(Train(from[1], 50, 50).tx)));
    cr_assert(take(*a.link).empty());
    // A refusal of what one of them sent is found when all are polled, one of them each time.
    Address gone = b->data_address(), refused;
    b.link.reset();
    Train t(gone, 50, 50);
    t.tx.path = 2;
    cr_assert(is_ok(a->send(t.tx)));
    RxTrain out[1];
    for (int looks = 0; looks < 2; ++looks)
        cr_assert_eq(a->receive(out, true), 0u);
    cr_assert(a->next_refusal(refused) && refused == gone);
    cr_assert(!in_error(*a.link));
}

Test(udp_link, entropy_ports_are_an_eighth_of_the_range_and_lie_in_it) {
    UdpConfig c = Rig::at(kQuiet);
    c.ports = free_ports(16);
    c.paths = 32;
    Rig a(c), b;
    cr_assert_eq(a->paths(), 2);
    Train t(b->data_address(), 50, 50);
    t.tx.path = 1;
    cr_assert(is_ok(a->send(t.tx)));
    const std::vector<Packet> got = take(*b.link);
    cr_assert_eq(got.size(), 1u);
    cr_assert(c.ports.contains(got[0].from.port));
}

Test(udp_link, a_busy_peer_gets_a_connected_socket) {
    Rig a, b;
    Train t(b->data_address(), 64, 64);
    Rig* at = &b;
    auto source = [&] {
        cr_assert(is_ok(a->send(t.tx)));
        const std::vector<Packet> got = take(*at->link);
        t.is(got);
        return got[0].from;
    };
    for (uint32_t i = 1; i < link::BusyPeers::kRun; ++i)
        cr_assert(source() == a->data_address());
    const Address busy = source();
    cr_assert(busy != a->data_address() && busy.same_host(a->data_address()));
    cr_assert(source() == busy);
    t.tx.from_data_port = true;
    cr_assert(source() == a->data_address());
    // It hears of a refusal, and goes on when somebody is there again.
    t.tx.from_data_port = false;
    const Address gone = b->data_address();
    b.link.reset();
    cr_assert(is_ok(a->send(t.tx)));
    cr_assert(is_ok(a->send(t.tx)), "the error is an earlier packet's");
    Address refused;
    cr_assert(a->next_refusal(refused) && refused == gone);
    UdpConfig again = Rig::at("127.0.0.1");
    again.local = gone;
    Rig successor(again);
    at = &successor;
    cr_assert(source() == busy);
}

Test(udp_link, confined_ports_are_not_spent_on_busy_peers) {
    UdpConfig c = Rig::at("127.0.0.1");
    c.ports = {39200, 39215};
    Rig a(c), b;
    for (uint32_t i = 0; i < 2 * link::BusyPeers::kRun; ++i) {
        cr_assert(is_ok(a->send(Train(b->data_address(), 64, 64).tx)));
        cr_assert(take(*b.link)[0].from == a->data_address());
    }
}

Test(udp_link, the_receive_buffer_is_capped_and_a_small_one_named_once) {
    UdpConfig c = Rig::at("127.0.0.1");
    c.rcvbuf_bytes = 212992;
    Rig small(c), large;
    cr_assert_eq(small->receive_buffer_bytes(), 2u * 212992, "the kernel doubles it");
    cr_assert_eq(small.log.naming("net.core.rmem_max"), 1u);
    cr_assert_eq(small.log.lines.size(), 1u);
    cr_assert_gt(large->receive_buffer_bytes(), small->receive_buffer_bytes());
    cr_assert_lt(small->max_packet_bytes(host("127.0.0.1")), 8192u);
    c.rcvbuf_bytes = 1;
    Rig tiny(c);
    cr_assert_gt(tiny->receive_buffer_bytes(), 0u);
}

Test(udp_link, what_the_kernel_drops_is_counted) {
    UdpConfig c = Rig::at("127.0.0.1");
    c.rcvbuf_bytes = 65536;
    Rig a, b(c);
    const Train t(b->data_address(), 1400, 1400);
    for (int i = 0; i < 200; ++i)
        cr_assert(is_ok(a->send(t.tx)));
    size_t got = take(*b.link).size();
    cr_assert(got > 10 && got < 150);
    // The count comes with the next packet that finds room.
    cr_assert(is_ok(a->send(t.tx)));
    got += take(*b.link).size();
    cr_assert_eq(b->receive_drops(), 201 - got);
}

Test(udp_link, a_charge_is_never_less_than_the_kernels) {
    for (const size_t bytes :
         {1,    64,   128,  129,  160,  200,   640,   641,   1400,  1472,  1664,  1665,  3712, 3713,
          7800, 7808, 7809, 8900, 8972, 15000, 16000, 16001, 16368, 16400, 32000, 65000, 65507}) {
        Rig a, b;
        for (int i = 0; i < 4; ++i)
            cr_assert(is_ok(a->send(Train(b->data_address(), bytes, bytes, bytes).tx)));
        uint32_t info[SK_MEMINFO_VARS] = {};
        socklen_t length = sizeof info;
        cr_assert_eq(getsockopt(b->descriptors()[0], SOL_SOCKET, SO_MEMINFO, info, &length), 0);
        const size_t charged = info[SK_MEMINFO_RMEM_ALLOC] / 4;
        cr_assert_geq(b->charge_bytes(bytes), charged, "%zu bytes are charged %zu", bytes, charged);
        cr_assert_leq(b->charge_bytes(bytes), 2 * charged, "%zu bytes: %zu", bytes, charged);
    }
}

Test(udp_link, a_train_of_the_largest_packets_stays_in_one_piece) {
    for (const char* address : {"127.0.0.1", "::1"}) {
        if (address[0] == ':' && !has_ip6()) continue;
        Rig a(Rig::at(address)), b(Rig::at(address));
        const size_t packet = a->max_packet_bytes(b->data_address());
        const Train t(b->data_address(), wire::kTrainBytesMax / packet * packet, packet, packet);
        cr_assert_gt(t.tx.total_bytes, 60000u);
        cr_assert(is_ok(a->send(t.tx)));
        const std::vector<Packet> got = take(*b.link);
        t.is(got);
        cr_assert_eq(trains(got), 1u, "%s", address);
    }
}

Test(udp_link, descriptors_are_closed_on_exec) {
    UdpConfig c = Rig::at("127.0.0.1");
    c.paths = 2;
    Rig a(c);
    Address p;
    PortId id;
    cr_assert(is_ok(a->open_port(p, id)));
    for (int fd : a->descriptors())
        cr_assert((fcntl(fd, F_GETFD) & FD_CLOEXEC) && (fcntl(fd, F_GETFL) & O_NONBLOCK));
}
