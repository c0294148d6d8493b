// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "link/interfaces.hpp"
#include "link/route.hpp"
#include "link/sockaddr.hpp"

#include <criterion/criterion.h>

using namespace rill;
using namespace rill::link;

namespace {

wire::Address host(const char* text) {
    wire::Address a;
    cr_assert(parse_host(text, a), "%s", text);
    return a;
}

void refuses(const char* selection, Status status, const char* named) {
    std::vector<Interface> out(3);
    std::string error;
    cr_assert(list_interfaces(selection, out, error) == status, "%s", selection);
    cr_assert(error.find(named) != std::string::npos, "'%s' does not name '%s'", error.c_str(),
              named);
    cr_assert_eq(out.size(), 3u);
}

} // namespace

Test(interfaces, the_loopback_is_there_and_last) {
    std::vector<Interface> all;
    std::string error;
    cr_assert(is_ok(list_interfaces("", all, error)));
    cr_assert(!all.empty());
    cr_assert(all.back().is_loopback && all.back().mtu >= 16384 && all.back().speed_mbps == -1);
    bool loopback = false;
    for (const Interface& i : all) {
        cr_assert(i.address.valid() && i.address.port == 0 && i.index > 0);
        cr_assert(!is_link_local(i.address));
        cr_assert(i.is_loopback || !loopback, "%s stands after the loopback", i.name.c_str());
        loopback |= i.is_loopback;
    }
}

Test(interfaces, are_chosen_by_name_and_by_address) {
    std::vector<Interface> out;
    std::string error;
    cr_assert(is_ok(list_interfaces("lo", out, error)));
    cr_assert(!out.empty() && out.front().name == "lo");
    cr_assert(is_ok(list_interfaces("127.0.0.1", out, error)));
    cr_assert(out.size() == 1 && out[0].address == host("127.0.0.1"));
    cr_assert(out[0].netmask == host("255.0.0.0"));
    cr_assert(is_ok(list_interfaces("127.0.0.1,lo,127.0.0.1", out, error)));
    size_t first = 0;
    for (const Interface& i : out)
        first += i.address == host("127.0.0.1");
    cr_assert_eq(first, 1u, "no address comes twice");
}

Test(interfaces, an_unknown_one_is_named) {
    refuses("rill-none0", Status::not_found, "'rill-none0'");
    refuses("lo,rill-none0", Status::not_found, "'rill-none0'");
    refuses("198.51.100.77", Status::not_found, "'198.51.100.77'");
    refuses("2001:db8::77", Status::not_found, "'2001:db8::77'");
    refuses("lo,,lo", Status::invalid, "'lo,,lo'");
    refuses("lo,", Status::invalid, "'lo,'");
    refuses(" lo", Status::not_found, "' lo'");
}

Test(resolve, numbers_services_and_errors) {
    std::vector<wire::Address> out;
    std::string error;
    ResolveOptions numeric;
    numeric.numeric_host = true;
    cr_assert(is_ok(resolve("127.0.0.1", "4711", numeric, out, error)));
    cr_assert(out.size() == 1 && out[0] == host("127.0.0.1").with_port(4711));
    cr_assert(is_ok(resolve("::1", nullptr, numeric, out, error)));
    cr_assert(out.size() == 1 && out[0] == host("::1"));
    cr_assert(resolve("localhost", "1", numeric, out, error) == Status::not_found);
    cr_assert(error.find("localhost") != std::string::npos);
    cr_assert(resolve("127.0.0.1", "no-such-service", numeric, out, error) == Status::not_found);
    cr_assert(error.find("no-such-service") != std::string::npos);
    cr_assert_eq(out.size(), 1u, "outputs are written on success only");

    ResolveOptions passive;
    passive.passive = true;
    passive.family = wire::Family::ip4;
    cr_assert(is_ok(resolve(nullptr, "5000", passive, out, error)));
    cr_assert(out.size() == 1 && out[0] == host("0.0.0.0").with_port(5000));
    cr_assert(is_ok(resolve(nullptr, nullptr, {}, out, error)) && !out.empty());
}

Test(route, knows_source_and_mtu_of_the_loopback) {
    wire::Address local;
    cr_assert(source_for(host("127.0.0.2"), local));
    cr_assert(local == host("127.0.0.1"), "%s", wire::to_string(local).c_str());
    const size_t mtu = route_mtu(host("127.0.0.1"), "", host("127.0.0.2"));
    cr_assert_geq(mtu, 16384u);
    cr_assert_eq(route_mtu(host("127.0.0.1"), "", host("::1")), 0u);
    cr_assert_eq(packet_bytes_for(wire::Family::ip4, 1500), 1472u);
    cr_assert_eq(packet_bytes_for(wire::Family::ip6, 1500), 1452u);
    cr_assert_eq(packet_bytes_for(wire::Family::ip4, 9000), 8972u);
    cr_assert_eq(packet_bytes_for(wire::Family::ip4, 65536), 65507u);
    cr_assert_eq(packet_bytes_for(wire::Family::ip4, 68), 508u);
}

Test(sockaddr, hosts_are_read_and_written) {
    wire::Address a;
    for (const char* text : {"127.0.0.1", "::1", "2001:db8::5"})
        cr_assert(host_text(host(text)) == text);
    for (const char* text : {"", "10", "eth0", "1.2.3.4.5", "1.2.3.4:80", "::g"})
        cr_assert(!parse_host(text, a), "%s", text);
    cr_assert(is_loopback(host("127.9.9.9")) && is_loopback(host("::1")));
    cr_assert(!is_loopback(host("::2")) && is_link_local(host("fe80::1")));
    SocketAddress s;
    cr_assert_eq(to_sockaddr(wire::Address{}, s), 0u);
    const wire::Address six = host("2001:db8::5").with_port(9);
    const socklen_t length = to_sockaddr(six, s);
    cr_assert(from_sockaddr(&s.any, length) == six);
    cr_assert(!from_sockaddr(&s.any, length - 1).valid());
}
