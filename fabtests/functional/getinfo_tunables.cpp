// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Variables are read when the provider is loaded; each case has a process of its own for that.
#include "getinfo_cases.hpp"

#include <cstdlib>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace functional {

namespace {

void set(const char* name, const char* value) {
    check_ok(setenv(name, value, 1), "setenv");
}

void unknown_interface() {
    only_rill("FI_RILL_IFACE is its own");
    set("FI_RILL_IFACE", "no-such-if0");
    must_not(open_hints().get(), "an interface that does not exist");
}

void known_interface() {
    only_rill("FI_RILL_IFACE is its own");
    set("FI_RILL_IFACE", "lo");
    Info hints = open_hints();
    hints->addr_format = FI_SOCKADDR_IN;
    const Info info = must(hints.get(), "the loopback interface");
    for (const fi_info* one = info.get(); one; one = one->next) {
        sockaddr_in addr{};
        memcpy(&addr, one->src_addr, sizeof addr);
        check_eq(ntohl(addr.sin_addr.s_addr) >> 24, 127u, "only addresses of that interface");
    }
}

// The first error from asking to an enabled endpoint, or 0.
int bring_up() {
    const Config config;
    int ret = 0;
    const Info info = ask(make_hints(config).get(), ret);
    if (ret) {
        return ret;
    }
    const Fabric fabric = open_fabric(*info);
    fid_domain* opened_domain = nullptr;
    ret = fi_domain(fabric.get(), info.get(), &opened_domain, nullptr);
    if (ret) {
        return ret;
    }
    const Domain domain(opened_domain);
    const Av av = open_av(domain, config.av_type);
    const Cq cq(domain, FI_CQ_FORMAT_TAGGED, FI_WAIT_NONE, 0);
    fid_ep* opened = nullptr;
    ret = fi_endpoint(domain.get(), info.get(), &opened, nullptr);
    if (ret) {
        return ret;
    }
    const Endpoint ep(opened);
    check_ok(fi_ep_bind(ep.get(), av.id(), 0), "bind");
    check_ok(fi_ep_bind(ep.get(), &cq.get()->fid, FI_TRANSMIT | FI_RECV), "bind");
    return fi_enable(ep.get());
}

void bad_value(const char* name, const char* value) {
    only_rill("its tunables are its own");
    set(name, value);
    check_refused(bring_up(), std::string(name) + "=" + value);
}

void good_value(const char* name, const char* value) {
    only_rill("its tunables are its own");
    set(name, value);
    check_ok(bring_up(), std::string(name) + "=" + value);
    Pair pair;
    Bytes out(100000);
    Bytes in(100000);
    Op ops[2];
    fill(out, 1);
    pair.post(
        [&] { return receive(pair.b(), transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[0])); });
    pair.post([&] { return send(pair.a(), transfer(Kind::tagged, out, pair.to_b(), &ops[1])); });
    pair.received(1);
    pair.sent(0);
    check_filled(in.data(), in.size(), 1);
}

void ports_in_range() {
    only_rill("FI_RILL_PORT_RANGE is its own");
    set("FI_RILL_PORT_RANGE", "42000-42099");
    Config config;
    config.addr_format = FI_SOCKADDR_IN;
    const Side sides[] = {Side(config), Side(config), Side(config)};
    for (const Side& side : sides) {
        sockaddr_in name{};
        memcpy(&name, side.name().data(), sizeof name);
        const uint16_t port = ntohs(name.sin_port);
        check(port >= 42000 && port <= 42099, "a port in the range");
    }
}

} // namespace

void add_tunable_cases(std::vector<Case>& cases) {
    cases.push_back({"tunable: unknown interface", unknown_interface});
    cases.push_back({"tunable: known interface", known_interface});
    cases.push_back({"tunable: ports in range", ports_in_range});
    const std::pair<const char*, const char*> bad[] = {
        {"FI_RILL_IMPAIR", "loss=banana"},
        {"FI_RILL_IMPAIR", "loss=1.5"},
        {"FI_RILL_IMPAIR", "loss=-0.1"},
        {"FI_RILL_IMPAIR", "lots=0.1"},
        {"FI_RILL_IMPAIR", "loss"},
        {"FI_RILL_IMPAIR", "loss=0.01,,dup=0.1"},
        {"FI_RILL_IMPAIR", "delay_us=-5"},
        {"FI_RILL_RCVBUF", "much"},
        {"FI_RILL_RCVBUF", "-1"},
        {"FI_RILL_RCVBUF", "12monkeys"},
        {"FI_RILL_OBSERVE", "maybe"},
        {"FI_RILL_PORT_RANGE", "here-there"},
        {"FI_RILL_PORT_RANGE", "9000-8000"},
        {"FI_RILL_PORT_RANGE", "1-70000"},
        {"FI_RILL_PORT_RANGE", "-"},
    };
    for (const auto& [name, value] : bad) {
        cases.push_back({std::string("tunable: bad ") + name + "=" + value,
                         [name = name, value = value] { bad_value(name, value); }});
    }
    const std::pair<const char*, const char*> good[] = {
        {"FI_RILL_IMPAIR", "loss=0.02,dup=0.01,reorder=0.02,corrupt=0.001,delay_us=50,seed=3"},
        {"FI_RILL_RCVBUF", "212992"},
        {"FI_RILL_PORT_RANGE", "43000-43199"},
    };
    for (const auto& [name, value] : good) {
        cases.push_back({std::string("tunable: good ") + name,
                         [name = name, value = value] { good_value(name, value); }});
    }
}

} // namespace functional
