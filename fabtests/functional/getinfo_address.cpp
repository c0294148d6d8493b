// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "getinfo_cases.hpp"

#include <cstdlib>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace functional {

namespace {

Info ipv4_hints() {
    Info hints = open_hints();
    hints->addr_format = FI_SOCKADDR_IN;
    return hints;
}

void check_address(const void* addr, size_t len, const char* host, uint16_t port,
                   const std::string& what) {
    check(addr != nullptr, what + " is there");
    check_eq(len, sizeof(sockaddr_in), what + ": length");
    sockaddr_in got{};
    memcpy(&got, addr, sizeof got);
    check_eq(got.sin_family, AF_INET, what + ": family");
    check_eq(ntohs(got.sin_port), port, what + ": port");
    if (host) {
        char text[INET_ADDRSTRLEN] = "";
        inet_ntop(AF_INET, &got.sin_addr, text, sizeof text);
        check_eq(std::string(text), host, what + ": host");
    }
}

void without_node() {
    const Info info = must(open_hints().get(), "no node");
    for (const fi_info* one = info.get(); one; one = one->next) {
        check(one->src_addr != nullptr, "a source address");
        sockaddr addr{};
        memcpy(&addr, one->src_addr, sizeof addr);
        const bool v4 = one->addr_format == FI_SOCKADDR_IN;
        check_eq(addr.sa_family, v4 ? AF_INET : AF_INET6, "its family");
        check_eq(one->src_addrlen, v4 ? sizeof(sockaddr_in) : sizeof(sockaddr_in6), "its length");
        check(one->dest_addr == nullptr && one->dest_addrlen == 0, "no destination");
    }
}

void source() {
    const Info both = must(ipv4_hints().get(), "node and service", "127.0.0.1", "7471", FI_SOURCE);
    check_address(both->src_addr, both->src_addrlen, "127.0.0.1", 7471, "source");
    check(both->dest_addr == nullptr, "no destination");
    const Info port = must(ipv4_hints().get(), "service only", nullptr, "7472", FI_SOURCE);
    check_address(port->src_addr, port->src_addrlen, nullptr, 7472, "source");
    const Info host = must(ipv4_hints().get(), "node only", "127.0.0.1", nullptr, FI_SOURCE);
    check_address(host->src_addr, host->src_addrlen, "127.0.0.1", 0, "source");
    const Info name = must(ipv4_hints().get(), "by name", "localhost", "7473", FI_SOURCE);
    check_address(name->src_addr, name->src_addrlen, "127.0.0.1", 7473, "source");
}

void destination() {
    const Info info = must(ipv4_hints().get(), "node and service", "127.0.0.1", "7471");
    check_address(info->dest_addr, info->dest_addrlen, "127.0.0.1", 7471, "destination");
    check(info->src_addr != nullptr, "a source that reaches it");
    const Info name = must(ipv4_hints().get(), "by name", "localhost", "7472");
    check_address(name->dest_addr, name->dest_addrlen, "127.0.0.1", 7472, "destination");
}

void numeric_host() {
    const Info info = must(ipv4_hints().get(), "a number", "127.0.0.1", "7471", FI_NUMERICHOST);
    check_address(info->dest_addr, info->dest_addrlen, "127.0.0.1", 7471, "destination");
    must(ipv4_hints().get(), "a number", "127.0.0.1", "7471", FI_NUMERICHOST | FI_SOURCE);
    must_not(ipv4_hints().get(), "a name", "localhost", "7471", FI_NUMERICHOST);
    must_not(ipv4_hints().get(), "a name", "localhost", "7471", FI_NUMERICHOST | FI_SOURCE);
}

void unknown_node() {
    must_not(ipv4_hints().get(), "no such host", "no.such.host.invalid", "1");
    must_not(ipv4_hints().get(), "not our address", "192.0.2.1", "1", FI_SOURCE);
    must_not(ipv4_hints().get(), "no such service", "127.0.0.1", "no-such-service", FI_SOURCE);
    must_not(ipv4_hints().get(), "no such port", "127.0.0.1", "70000", FI_SOURCE);
}

void format_and_node_differ() {
    Info hints = open_hints();
    hints->addr_format = FI_SOCKADDR_IN6;
    must_not(hints.get(), "an IPv4 node as FI_SOCKADDR_IN6", "127.0.0.1", "1", FI_SOURCE);
}

void ipv6() {
    Info hints = open_hints();
    hints->addr_format = FI_SOCKADDR_IN6;
    int ret = 0;
    if (!ask(hints.get(), ret)) {
        throw Skip("no IPv6 address on the interface");
    }
    const Info info = must(hints.get(), "::1", "::1", "7471", FI_SOURCE);
    check_eq(info->addr_format, FI_SOCKADDR_IN6, "address format");
    check_eq(info->src_addrlen, sizeof(sockaddr_in6), "length of the source");
    sockaddr_in6 got{};
    memcpy(&got, info->src_addr, sizeof got);
    check_eq(ntohs(got.sin6_port), 7471, "its port");
    check(memcmp(&got.sin6_addr, &in6addr_loopback, sizeof got.sin6_addr) == 0, "its host");
}

void* copy_of(const sockaddr_in& addr) {
    void* copy = malloc(sizeof addr); // freed with the hints
    memcpy(copy, &addr, sizeof addr);
    return copy;
}

void as_hints() {
    sockaddr_in addr{};
    addr.sin_family = AF_INET;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    addr.sin_port = htons(7471);
    Info hints = ipv4_hints();
    hints->src_addr = copy_of(addr);
    hints->src_addrlen = sizeof addr;
    addr.sin_port = htons(7472);
    hints->dest_addr = copy_of(addr);
    hints->dest_addrlen = sizeof addr;
    const Info info = must(hints.get(), "addresses as hints");
    check_address(info->src_addr, info->src_addrlen, "127.0.0.1", 7471, "source");
    check_address(info->dest_addr, info->dest_addrlen, "127.0.0.1", 7472, "destination");
    // A node overrides the destination of the hints, the source stays.
    const Info node = must(hints.get(), "with a node", "127.0.0.1", "7473");
    check_address(node->src_addr, node->src_addrlen, "127.0.0.1", 7471, "source");
    check_address(node->dest_addr, node->dest_addrlen, "127.0.0.1", 7473, "destination");
    // With FI_SOURCE, node and service are the source and that of the hints is ignored.
    const Info source = must(hints.get(), "FI_SOURCE", "127.0.0.1", "7474", FI_SOURCE);
    check_address(source->src_addr, source->src_addrlen, "127.0.0.1", 7474, "source");
    check_address(source->dest_addr, source->dest_addrlen, "127.0.0.1", 7472, "destination");
}

// What was resolved is where the endpoint ends up.
void endpoint_is_there() {
    Config config;
    config.addr_format = FI_SOCKADDR_IN;
    Side any(config, get_info(make_hints(config).get(), "127.0.0.1", nullptr, FI_SOURCE));
    sockaddr_in name{};
    check_eq(any.name().size(), sizeof name, "length of the name");
    memcpy(&name, any.name().data(), sizeof name);
    check(name.sin_port != 0, "a port was chosen");
    check_eq(ntohl(name.sin_addr.s_addr), INADDR_LOOPBACK, "on the host that was asked for");
}

} // namespace

void add_address_cases(std::vector<Case>& cases) {
    cases.push_back({"address: without node", without_node});
    cases.push_back({"address: source", source});
    cases.push_back({"address: destination", destination});
    cases.push_back({"address: numeric host", numeric_host});
    cases.push_back({"address: unknown node", unknown_node});
    cases.push_back({"address: format and node differ", format_and_node_differ});
    cases.push_back({"address: IPv6", ipv6});
    cases.push_back({"address: as hints", as_hints});
    cases.push_back({"address: the endpoint is there", endpoint_is_there});
}

} // namespace functional
