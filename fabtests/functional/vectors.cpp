// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Address vectors beyond insertion and lookup: shared by name, with identifiers of the program's
// own, and filled asynchronously.
#include "harness.hpp"

#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

using namespace functional;

namespace {

struct Ground {
    Ground() {
        Config config;
        config.addr_format = FI_SOCKADDR_IN;
        config.caps |= FI_SHARED_AV;
        info = get_info(make_hints(config).get());
        fabric = open_fabric(*info);
        domain = open_domain(fabric, *info);
    }
    int open(const std::string& name, uint64_t flags, Av& out, void** map_addr = nullptr) const {
        fi_av_attr attr{};
        attr.type = FI_AV_MAP;
        attr.name = name.empty() ? nullptr : name.c_str();
        attr.flags = flags;
        fid_av* opened = nullptr;
        const int ret = fi_av_open(domain.get(), &attr, &opened, nullptr);
        if (ret == 0) {
            out = Av(opened);
        }
        if (map_addr) {
            *map_addr = attr.map_addr;
        }
        return ret;
    }

    Info info;
    Fabric fabric;
    Domain domain;
};

sockaddr_in loopback(uint16_t port) {
    sockaddr_in addr{};
    addr.sin_family = AF_INET;
    addr.sin_port = htons(port);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return addr;
}

fi_addr_t insert(const Av& av, uint16_t port) {
    const sockaddr_in addr = loopback(port);
    fi_addr_t got = FI_ADDR_NOTAVAIL;
    check_ret(fi_av_insert(av.get(), &addr, 1, &got, 0, nullptr), 1, "fi_av_insert");
    return got;
}

uint16_t port_of(const Av& av, fi_addr_t at) {
    sockaddr_in got{};
    size_t len = sizeof got;
    check_ok(fi_av_lookup(av.get(), at, &got, &len), "fi_av_lookup");
    return ntohs(got.sin_port);
}

// A name that no other run of this test uses.
std::string fresh_name() {
    return "test-" + std::to_string(getpid());
}

void shared_names() {
    only_rill("others do without");
    const Ground ground;
    const std::string name = fresh_name();
    Av av;
    check_refused(ground.open("", FI_READ, av), "read-only without a name");
    check_refused(ground.open("a/b", 0, av), "a name that cannot be one");
    check_refused(ground.open(name, FI_READ, av), "read-only before it exists");
    check_ok(ground.open(name, 0, av), "creating it");
    check_eq(insert(av, 1000), 0u, "the first");
    Av reader;
    check_ok(ground.open(name, FI_READ, reader), "read-only");
    check_eq(port_of(reader, 0), 1000, "what was there");
    const sockaddr_in addr = loopback(5);
    fi_addr_t got = 0;
    check_refused(fi_av_insert(reader.get(), &addr, 1, &got, 0, nullptr), "inserting there");
    check_refused(fi_av_remove(av.get(), &got, 1, 0), "removing what others may use");
    check_ok(av.close(), "closing the one");
    check_ok(reader.close(), "closing the other");
    // The last one has taken it away.
    check_refused(ground.open(name, FI_READ, reader), "read-only after the last close");
    check_ok(ground.open(name, 0, av), "again");
    check_eq(insert(av, 2000), 0u, "it begins anew");
}

// Two processes add in turns, and both know all, by the same indices.
void shared_by_processes() {
    only_rill("others do without");
    const std::string name = fresh_name();
    const auto play = [&](Channel& channel, bool first) {
        const Ground ground;
        Av av;
        void* map = nullptr;
        check_ok(ground.open(name, 0, av, &map), "opening by name");
        channel.sync();
        for (uint16_t at = 0; at < 100; ++at) {
            if ((at % 2 == 0) == first) {
                check_eq(insert(av, static_cast<uint16_t>(1000 + at)), at, "an index of all");
            }
            channel.sync();
            check_eq(port_of(av, at), 1000 + at, "what either has inserted");
            check_eq(static_cast<const fi_addr_t*>(map)[at], at, "its place in map_addr");
        }
        check_eq(insert(av, 1000), 0u, "an address that is there keeps its index");
        channel.sync();
    };
    two_processes([&](Channel& channel) { play(channel, true); },
                  [&](Channel& channel) { play(channel, false); });
}

// One process inserts, the other sends: by an index that it never inserted itself.
void shared_send() {
    only_rill("others do without");
    const std::string name = fresh_name();
    const auto sender = [&](Channel& channel) {
        const Ground ground;
        Av av;
        check_ok(ground.open(name, 0, av), "opening by name");
        const Cq cq(ground.domain, FI_CQ_FORMAT_TAGGED, FI_WAIT_NONE, 0);
        const Endpoint ep = open_endpoint(ground.domain, *ground.info);
        check_ok(fi_ep_bind(ep.get(), av.id(), 0), "bind");
        check_ok(fi_ep_bind(ep.get(), &cq.get()->fid, FI_TRANSMIT | FI_RECV), "bind");
        check_ok(fi_enable(ep.get()), "fi_enable");
        channel.sync();
        channel.sync(); // the other has inserted itself
        const uint8_t byte = 42;
        Op op;
        check_ok(fi_send(ep.get(), &byte, 1, nullptr, 0, &op), "fi_send");
        fi_cq_tagged_entry entry;
        ssize_t got = -FI_EAGAIN;
        now_waiting_for("the send");
        while ((got = fi_cq_read(cq.get(), &entry, 1)) == -FI_EAGAIN) {
        }
        check_ret(got, 1, "fi_cq_read");
        channel.sync();
    };
    const auto receiver = [&](Channel& channel) {
        const Ground ground;
        Av av;
        channel.sync(); // the other has created it
        check_ok(ground.open(name, 0, av), "opening by name");
        Config config;
        config.addr_format = FI_SOCKADDR_IN;
        Side side(config);
        const Bytes own = side.name();
        fi_addr_t got = FI_ADDR_NOTAVAIL;
        check_ret(fi_av_insert(av.get(), own.data(), 1, &got, 0, nullptr), 1, "fi_av_insert");
        channel.sync();
        Bytes in(1);
        Op op;
        side.post([&] { return receive(side, transfer(Kind::msg, in, FI_ADDR_UNSPEC, &op)); });
        side.received();
        check_eq(static_cast<int>(in[0]), 42, "the message");
        channel.sync([&] { side.poll(); });
    };
    two_processes(sender, receiver);
}

// Completions name a source as the program does; operations go on using the vector's address.
void user_identifiers() {
    only_rill("others do without");
    Config config;
    config.caps |= FI_AV_USER_ID;
    Pair pair(config);
    const Bytes name = pair.a().name();
    fi_addr_t id = 0xabcdef01;
    check_ret(fi_av_insert(pair.b().av.get(), name.data(), 1, &id, FI_AV_USER_ID, nullptr), 1,
              "fi_av_insert");
    check_eq(id, pair.to_a(), "the address itself is the vector's");
    check_refused(fi_av_insert(pair.b().av.get(), name.data(), 1, nullptr, FI_AV_USER_ID, nullptr),
                  "no identifier is given");
    Bytes out(10);
    Bytes in(10);
    Op ops[2];
    pair.post([&] { return receive(pair.b(), transfer(Kind::tagged, in, id, &ops[0])); });
    pair.post([&] { return send(pair.a(), transfer(Kind::tagged, out, pair.to_b(), &ops[1])); });
    check_eq(pair.received(1).source, 0xabcdef01u, "the source");
    pair.sent(0);
    fi_addr_t gone[] = {id, id};
    check_ok(fi_av_remove(pair.b().av.get(), gone, 2, 0), "removing both insertions");
    fi_addr_t again = FI_ADDR_NOTAVAIL;
    check_ret(fi_av_insert(pair.b().av.get(), name.data(), 1, &again, 0, nullptr), 1, "again");
    pair.post([&] { return receive(pair.b(), transfer(Kind::tagged, in, again, &ops[0])); });
    pair.post([&] { return send(pair.a(), transfer(Kind::tagged, out, pair.to_b(), &ops[1])); });
    check_eq(pair.received(1).source, again, "the identifier went with the address");
}

// Every address that cannot be inserted is an error event with its index, before the one event that
// counts those that could.
void asynchronous_failures() {
    const Ground ground;
    Av av;
    check_ok(ground.open("", FI_EVENT, av), "fi_av_open with FI_EVENT");
    fi_eq_attr attr{};
    attr.wait_obj = FI_WAIT_UNSPEC;
    fid_eq* opened = nullptr;
    check_ok(fi_eq_open(ground.fabric.get(), &attr, &opened, nullptr), "fi_eq_open");
    Eq eq(opened);
    check_ok(fi_av_bind(av.get(), eq.id(), 0), "fi_av_bind");
    sockaddr_in peers[] = {loopback(1), {}, loopback(3), {}, loopback(5)};
    fi_addr_t got[5] = {};
    int mark = 0;
    check_ok(fi_av_insert(av.get(), peers, 5, got, 0, &mark), "fi_av_insert");
    for (const uint64_t failed : {1u, 3u}) {
        uint32_t event = 0;
        fi_eq_entry entry{};
        check_ret(fi_eq_sread(eq.get(), &event, &entry, sizeof entry, -1, 0), -FI_EAVAIL,
                  "an error event");
        for (const uint64_t flags : {FI_PEEK, 0ull}) {
            fi_eq_err_entry error{};
            check_ret(fi_eq_readerr(eq.get(), &error, flags), sizeof error, "fi_eq_readerr");
            check_eq(error.data, failed, "index of the address");
            check_same(error.context, &mark, "its context");
            check_same(error.fid, av.id(), "whose");
            check(error.err > 0, "its error");
            char text[64] = "";
            check(fi_eq_strerror(eq.get(), error.prov_errno, nullptr, text, sizeof text) != nullptr,
                  "its text");
            check(text[0] != '\0', "in the buffer too");
        }
        check_eq(got[failed], FI_ADDR_NOTAVAIL, "its place in the output");
    }
    uint32_t event = 0;
    fi_eq_entry entry{};
    check_ret(fi_eq_sread(eq.get(), &event, &entry, sizeof entry, -1, 0), sizeof entry,
              "the last event");
    check_eq(event, static_cast<uint32_t>(FI_AV_COMPLETE), "its kind");
    check_eq(entry.data, 3u, "addresses inserted");
    check_eq(port_of(av, got[4]), 5, "one of them");
    check_ok(av.close(), "closing the address vector");
}

void symmetric_flag() {
    const Ground ground;
    Av av;
    check_ok(ground.open("", FI_SYMMETRIC, av), "a hint that costs nothing to take");
    check_eq(insert(av, 7), 0u, "insertion as ever");
}

} // namespace

int main(int argc, char** argv) {
    const std::vector<Case> cases = {
        {"shared: names", shared_names},
        {"shared: two processes insert", shared_by_processes},
        {"shared: inserted here, sent to there", shared_send},
        {"user identifiers", user_identifiers},
        {"asynchronous failures", asynchronous_failures},
        {"FI_SYMMETRIC", symmetric_flag},
    };
    return run_cases(argc, argv, cases);
}
