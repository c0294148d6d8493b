# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The networks of the lab. Each function fills a Lab and returns the hosts that programs run on."""

from network import GIGABIT

LINKS = 4


def two_hosts(lab):
    """Two hosts, four links of 1 Gb/s, each in a subnet of its own."""
    hosts = [lab.add_host("lab-a"), lab.add_host("lab-b")]
    for link in range(LINKS):
        device = f"l{link}"
        lab.cable(hosts[0], device, hosts[1], device)
        for number, host in enumerate(hosts, 1):
            host.add_address(device, f"10.1.{link}.{number}")
            host.links.append(device)
            host.shape(device)
    return hosts


def one_subnet(lab):
    """Two hosts, each with four links of 1 Gb/s to one switch, all in one subnet."""
    switch = lab.add_node("lab-switch")
    switch.ip("link add br0 type bridge", "link set br0 up")
    hosts = [lab.add_host("lab-a"), lab.add_host("lab-b")]
    for number, host in enumerate(hosts, 1):
        for link in range(LINKS):
            _plug(lab, host, f"l{link}", switch, f"p{number}{link}")
            host.add_address(f"l{link}", f"10.4.0.{number}{link}")
    return hosts


def one_link(lab):
    """Two hosts, one link of 1 Gb/s."""
    hosts = [lab.add_host("lab-a"), lab.add_host("lab-b")]
    lab.cable(hosts[0], "l0", hosts[1], "l0")
    for number, host in enumerate(hosts, 1):
        host.add_address("l0", f"10.1.0.{number}")
        host.links.append("l0")
        host.shape("l0")
    return hosts


def routers6(lab):
    """As `routers`, in IPv6, where Linux hashes flow labels, not ports, unless told otherwise."""
    hosts, ways = _between_routers(lab)
    for host, router, side in zip(hosts, ways, (1, 2)):
        host.add_address("l0", f"fd00:2:{side}::1", 64)
        router.add_address("host", f"fd00:2:{side}::ff", 64)
        host.ip(f"route add fd00:2::/32 via fd00:2:{side}::ff")
        router.sysctl(net__ipv6__conf__all__forwarding=1)
    for route in range(LINKS):
        for side, router in enumerate(ways, 1):
            router.add_address(f"r{route}", f"fd00:3:{route}::{side}", 64)
    for router, far in zip(ways, (2, 1)):
        hops = " ".join(f"nexthop via fd00:3:{route}::{far}" for route in range(LINKS))
        router.ip(f"route add fd00:2:{far}::/64 {hops}")
    return hosts


def _between_routers(lab):
    hosts = [lab.add_host("lab-a"), lab.add_host("lab-b")]
    ways = [lab.add_node("lab-ra"), lab.add_node("lab-rb")]
    for host, router in zip(hosts, ways):
        lab.cable(host, "l0", router, "host")
        host.links.append("l0")
    for route in range(LINKS):
        lab.cable(ways[0], f"r{route}", ways[1], f"r{route}")
        for router in ways:
            router.shape(f"r{route}")
    return hosts, ways


def routers(lab):
    """Two hosts behind routers with four equal-cost routes of 1 Gb/s between them, chosen by a hash
    over addresses and ports."""
    hosts, ways = _between_routers(lab)
    for host, router, side in zip(hosts, ways, (1, 2)):
        host.add_address("l0", f"10.2.{side}.1")
        router.add_address("host", f"10.2.{side}.254")
        host.ip(f"route add 10.2.0.0/16 via 10.2.{side}.254")
        router.sysctl(net__ipv4__ip_forward=1, net__ipv4__fib_multipath_hash_policy=1)
    for route in range(LINKS):
        for side, router in enumerate(ways, 1):
            router.add_address(f"r{route}", f"10.3.{route}.{side}")
    for router, far in zip(ways, (2, 1)):
        hops = " ".join(f"nexthop via 10.3.{route}.{far}" for route in range(LINKS))
        router.ip(f"route add 10.2.{far}.0/24 {hops}")
    return hosts


def incast(lab, senders=8):
    """A receiver and eight senders, each with one link of 1 Gb/s to one switch."""
    switch = lab.add_node("lab-switch")
    switch.ip("link add br0 type bridge", "link set br0 up")
    hosts = [lab.add_host(f"lab-{number}") for number in range(1 + senders)]
    for number, host in enumerate(hosts):
        _plug(lab, host, "l0", switch, f"p{number}")
        host.add_address("l0", f"10.5.0.{number + 1}")
    return hosts


def _plug(lab, host, device, switch, port):
    lab.cable(host, device, switch, port)
    switch.ip(f"link set {port} master br0 up")
    switch.shape(port, GIGABIT)
    host.shape(device, GIGABIT)
    host.links.append(device)
