// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Who means harm to an endpoint, over real sockets. He knows the protocol (prov/rill/docs/protocol.md, of
// which the layouts below are an implementation of its own) and its victims' addresses. An *outsider* has
// seen nothing of their traffic and may write any source address into his packets; an *insider* is let
// in like any peer, and then keeps to no rule.
#pragma once

#include "harness.hpp"

#include <array>
#include <cstring>
#include <optional>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace functional {

namespace wire {

enum Type : uint8_t { data = 1, control, farewell, farewell_ack, retry, reset };
enum Flag : uint16_t { has_hello = 1, has_ack = 2, ack_now = 4, retire = 8 };

struct Header {
    uint8_t version = 1;
    uint8_t type = data;
    uint16_t flags = 0;
    uint32_t context = 0;
    uint64_t token = 0;
    uint32_t psn = 0;
    uint16_t path = 0;
    uint16_t path_seq = 0;
    uint32_t stamp_us = 0;
    uint32_t cumulative = 0;
};
struct Hello {
    std::array<uint8_t, 16> device{};
    uint32_t context = 0;
    uint32_t first_psn = 0;
    uint64_t token = 0;
    uint64_t cookie = 0;
    uint32_t features = 0;
    uint32_t queue_pair = 0;
    uint32_t window_bytes = 1 << 20;
    uint16_t max_packet = 65472;
    uint16_t data_port = 0;
};
struct Ack {
    uint32_t window_bytes = 1 << 20;
    uint32_t base = 0;
    uint16_t delay_us = 0;
    uint8_t echoes = 0;
    uint8_t words = 0;
    uint32_t addresses = 0;
};
static_assert(sizeof(Header) == 32 && sizeof(Hello) == 56 && sizeof(Ack) == 16);

enum Record : uint8_t { message = 1, fragment, granted, grant, done, abort, write, read };
enum RecordFlag : uint8_t { tagged = 1, has_source = 4 };
struct Message {
    uint8_t type = message;
    uint8_t flags = tagged;
    uint16_t length = 0;
    uint32_t queue_pair = 0;
    uint32_t flow = 1;
    uint32_t msg_no = 0;
    uint64_t tag = 0;
    uint64_t total = 0;
    uint32_t unscheduled = 0;
    uint32_t reserved = 0;
};
struct Source {
    uint16_t family = 4;
    uint16_t port = 0;
    std::array<uint8_t, 16> ip{127, 0, 0, 1};
    uint32_t queue_pair = 1;
};
struct Fragment {
    uint8_t type = fragment;
    uint8_t flags = 0;
    uint16_t length = 0;
    uint32_t queue_pair = 0;
    uint32_t flow = 1;
    uint32_t msg_no = 0;
    uint32_t offset = 0;
    uint32_t unscheduled = 0;
};
struct Granted {
    uint8_t type = granted;
    uint8_t flags = 0;
    uint16_t length = 0;
    uint32_t reserved = 0;
    uint32_t slot = 0;
    uint32_t generation = 0;
    uint64_t offset = 0;
};
struct Write {
    uint8_t type = write;
    uint8_t flags = 0;
    uint16_t length = 0;
    uint32_t queue_pair = 0;
    uint32_t flow = 1;
    uint32_t msg_no = 0;
    uint64_t key = 0;
    uint64_t address = 0;
    uint64_t range = 0;
    uint64_t total = 0;
    uint64_t offset = 0;
};
struct Read {
    uint8_t type = read;
    uint8_t flags = 0;
    uint16_t length = 0;
    uint32_t queue_pair = 0;
    uint32_t flow = 1;
    uint32_t msg_no = 0;
    uint64_t key = 0;
    uint64_t address = 0;
    uint64_t range = 0;
    uint64_t total = 0;
    uint32_t slot = 0;
    uint32_t generation = 0;
    uint64_t offset = 0;
};
struct Grant {
    uint8_t type = grant;
    uint8_t flags = 0;
    uint16_t length = 0;
    uint32_t flow = 0;
    uint32_t msg_no = 0;
    uint32_t slot = 0;
    uint32_t generation = 0;
    uint32_t reserved = 0;
    uint64_t offset = 0;
    uint64_t range = 0;
};
struct Done {
    uint8_t type = done;
    uint8_t status = 0;
    uint16_t length = 0;
    uint32_t flow = 0;
    uint32_t msg_no = 0;
    uint32_t count = 1;
};
static_assert(sizeof(Grant) == 40 && sizeof(Done) == 16);
static_assert(sizeof(Message) == 40 && sizeof(Source) == 24 && sizeof(Fragment) == 24 &&
              sizeof(Granted) == 24 && sizeof(Write) == 56 && sizeof(Read) == 64);

} // namespace wire

// A packet in the making: `Datagram(header, hello).add(record)`.
struct Datagram : Bytes {
    template <class... Parts>
    explicit Datagram(const Parts&... parts) {
        (add(parts), ...);
    }
    template <class T>
    Datagram& add(const T& part) {
        const auto* at = reinterpret_cast<const uint8_t*>(&part);
        insert(end(), at, at + sizeof part);
        return *this;
    }
    Datagram& pad(size_t bytes) {
        insert(end(), bytes, 0x5a);
        return *this;
    }
};

// A UDP socket at a loopback address of its own, which counts what it sends and what it is answered.
class AttackSocket {
public:
    explicit AttackSocket(const char* host = "127.0.0.1");
    ~AttackSocket();
    AttackSocket(const AttackSocket&) = delete;
    AttackSocket& operator=(const AttackSocket&) = delete;

    uint16_t port() const { return name_.sin_port; }
    const sockaddr_in& name() const { return name_; }
    void send(const sockaddr_in& to, const Bytes& packet);
    std::optional<Bytes> receive(sockaddr_in* from = nullptr); // nothing if nothing has come
    void drain();
    size_t sent_bytes = 0;
    size_t received_bytes = 0;

private:
    int fd_;
    sockaddr_in name_{};
};

// Sends UDP datagrams with any source address.
class Spoofer {
public:
    Spoofer(); // Skip: only root, or CAP_NET_RAW, may
    ~Spoofer();
    Spoofer(const Spoofer&) = delete;
    Spoofer& operator=(const Spoofer&) = delete;
    void send(const sockaddr_in& from, const sockaddr_in& to, const Bytes& packet);

private:
    int fd_;
};

// One who has been let in: he has opened a context to an endpoint, as any peer may.
class Insider {
public:
    // Speaks to side `victim` of the group, which he keeps going until he has his answer.
    // With flags and features that nobody knows, and trailing bytes behind his opening.
    Insider(Group& group, size_t victim, AttackSocket& socket, uint16_t flags = 0,
            uint32_t features = 0, size_t trailing = 0);

    wire::Header header(wire::Type type, uint16_t flags = 0);
    // A data packet with the next PSN, with whatever records are added to it.
    Datagram packet();
    void send(const Bytes& packet) { socket_.send(data_, packet); }
    // Sends it and lets the victim look at it.
    void put(const Bytes& packet);
    uint32_t queue_pair() const { return queue_pair_; } // of the endpoint that he opened to
    uint16_t port() const { return socket_.port(); }
    uint32_t theirs() const { return their_psn_; } // the victim's first PSN
    const sockaddr_in& data() const { return data_; }

private:
    Group& group_;
    AttackSocket& socket_;
    sockaddr_in data_{}; // the victim's data port
    uint32_t context_ = 0;
    uint64_t token_ = 0;
    uint32_t psn_ = 1000;
    uint32_t their_psn_ = 0;
    uint32_t queue_pair_ = 0;
};

wire::Hello some_hello(uint64_t token, uint16_t data_port);
sockaddr_in address_of(const Side& side);
uint64_t counter(const Side& side, const char* name);
// Kilobytes that the process has in memory.
size_t resident_kb();

} // namespace functional
