# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What is measured in the labs, as tables with tcp;ofi_rxm beside rill."""

import re
import time

import bench
import mpi
from bench import Failed, PROVIDERS, RILL, TCP
from network import GIGABIT

MIB = 1 << 20
LINK_MB = GIGABIT / 8e6
JUMBO, ETHERNET = 9000, 1500


class Table:
    """Prints its rows as they come; remembers whether all was well."""

    def __init__(self, title, options):
        self.options = options
        self.build = options.build
        self.seconds = options.seconds
        self._failed = self._short = False
        print(f"\n{' '.join(title.split())}")
        print(f"{'':<52}{RILL:>10}{TCP:>14}  wanted of rill", flush=True)

    def row(self, what, rill, tcp=None, wanted="", holds=True):
        show = [f"{value:.1f}" if isinstance(value, float) else str(value)
                for value in (rill, "" if tcp is None else tcp)]
        mark = "" if holds else "  <- falls short"
        print(f"{what:<52}{show[0]:>10}{show[1]:>14}  {wanted}{mark}", flush=True)
        self._short = self._short or not holds

    def note(self, text):
        print(f"  {text}", flush=True)

    def measure(self, function, *arguments, **options):
        """Both providers' values; a failure is printed, and is none of the values."""
        values = {}
        for provider in PROVIDERS:
            try:
                values[provider] = function(provider, *arguments, **options)
            except Failed as error:
                self.note(f"{provider} failed: {error}")
                values[provider] = float("nan")
                self._failed = self._failed or provider == RILL
        return values[RILL], values[TCP]

    def is_good(self):
        return not self._failed and not (self.options.strict and self._short)


class _Meter:
    """Latency and rate between the two hosts of a lab."""

    def __init__(self, table, hosts):
        self._table, self._hosts = table, hosts

    def latency(self, provider):
        return bench.latency_us(self._table.build, self._hosts, provider,
                                seconds=self._table.seconds)

    def rate(self, provider, size=MIB):
        value, _ = bench.rate_mb(self._table.build, self._hosts, provider, size,
                                 seconds=self._table.seconds)
        return value


def _capacity(table, hosts, wanted_mb, flows=1):
    """Says so when the machine itself cannot carry what is wanted."""
    got = bench.capacity_mb(hosts, 4 * LINK_MB, flows)
    table.note(f"bare UDP in trains over all links at once: {got:.0f} MB/s" +
               ("" if got >= wanted_mb else
                f"; this machine cannot carry the {wanted_mb:.0f} MB/s that are wanted"))


def _losses(table, hosts, meter, calm_latency, calm_rate):
    for host in hosts:
        for device in host.links:
            host.lose(device, 10)
    for single in (False, True):
        kind = "single packets" if single else "whole trains"
        if single:
            for host in hosts:
                for device in host.links:
                    host.single_packets(device)
        rill, tcp = table.measure(meter.latency)
        table.row(f"1 % lost, {kind}: 64 B one way, times loss-free", rill / calm_latency[0],
                  tcp / calm_latency[1], "at most 5", rill <= 5 * calm_latency[0])
        rill, tcp = table.measure(meter.rate)
        table.row(f"1 % lost, {kind}: 1 MiB stream, times loss-free", f"{rill / calm_rate[0]:.2f}",
                  f"{tcp / calm_rate[1]:.2f}", "at least 0.8", rill >= 0.8 * calm_rate[0])


def links(table, _lab, hosts):
    meter = _Meter(table, hosts)
    _capacity(table, hosts, 475)
    calm_latency = table.measure(meter.latency)
    table.row("64 B one way, us", *calm_latency)
    calm_rate = table.measure(meter.rate)
    table.row("1 MiB stream, MB/s", *calm_rate, "at least 475", calm_rate[0] >= 475)

    for host in hosts:
        host.shape("l1", GIGABIT // 10)
    rill, tcp = table.measure(meter.rate)
    wanted = 0.85 * 3.1 * LINK_MB
    table.row("one of four links at a tenth: 1 MiB stream, MB/s", rill, tcp,
              f"at least {wanted:.0f}", rill >= wanted)
    for host in hosts:
        host.shape("l1")

    for device in ("l0", "l1"):
        for host in hosts:
            host.set_mtu(device, JUMBO)
    rill, tcp = table.measure(meter.rate)
    table.row("9000 and 1500 bytes mixed: 1 MiB stream, MB/s", rill, tcp, "works")
    _shrink(table, hosts)
    _marks(table, hosts)
    _losses(table, hosts, meter, calm_latency, calm_rate)


def _shrink(table, hosts):
    def shrunk(provider):
        for host in hosts:
            host.set_mtu("l0", JUMBO)
        pair = bench.start(table.build, hosts, provider, "--mode", "stream", "--size", MIB,
                           "--seconds", 4)
        time.sleep(1.5)
        for host in hosts:
            host.set_mtu("l0", ETHERNET)
        return pair.finish()[0]["gb_per_s"] * 1e3
    rill, tcp = table.measure(shrunk)
    table.row("9000 to 1500 bytes in mid-stream, MB/s", rill, tcp, "works")
    for host in hosts:
        host.set_mtu("l1", ETHERNET)


def _marks(table, hosts):
    for device in hosts[0].links:
        hosts[0].mark(device, int(0.5e6 * LINK_MB))
    counted = {}

    def marked(provider):
        value, counted[provider] = bench.rate_mb(table.build, hosts, provider,
                                                 seconds=table.seconds)
        return value
    rill, tcp = table.measure(marked)
    seen = counted.get(RILL, ({}, {}))[0].get("rx_marked", 0)
    table.row("marked above half the rate: 1 MiB stream, MB/s", rill, tcp,
              f"reacts; {seen} packets were marked", seen > 0)
    for device in hosts[0].links:
        hosts[0].heal(device)


def subnet(table, _lab, hosts):
    """First as Linux comes: a host answers for any of its addresses by every link, so that packets
    arrive by other links than they were meant for. Then as such hosts are to be set up."""
    meter = _Meter(table, hosts)
    table.row("as Linux comes: 64 B one way, us", *table.measure(meter.latency))
    table.row("as Linux comes: 1 MiB stream, MB/s", *table.measure(meter.rate), "works")
    for host in hosts:
        host.sysctl(net__ipv4__conf__all__arp_ignore=1, net__ipv4__conf__all__arp_announce=2)
        host.ip("neigh flush all")
    _capacity(table, hosts, 475)
    table.row("64 B one way, us", *table.measure(meter.latency))
    rill, tcp = table.measure(meter.rate)
    table.row("1 MiB stream, MB/s", rill, tcp, "at least 475", rill >= 475)


def routes(table, _lab, hosts):
    meter = _Meter(table, hosts)
    _capacity(table, hosts, 450, flows=16)
    table.row("64 B one way, us", *table.measure(meter.latency))
    rill, tcp = table.measure(meter.rate)
    table.row("1 MiB stream, MB/s", rill, tcp, "at least 450", rill >= 450)


def routes6(table, _lab, hosts):
    """Without tcp;ofi_rxm, which libfabric 1.17 does not get to answer over IPv6 here."""
    meter = _Meter(table, hosts)
    table.row("64 B one way, us", meter.latency(RILL))
    rill = meter.rate(RILL)
    table.row("1 MiB stream, MB/s", rill, None, "at least 450", rill >= 450)


def fair(table, _lab, hosts):
    """Two streams at once over the same links."""
    def share(one, other):
        pairs = [bench.start(table.build, hosts, provider, "--mode", "stream", "--size", MIB,
                             "--seconds", 2 * table.seconds) for provider in (one, other)]
        return [1e3 * pair.finish()[0]["gb_per_s"] for pair in pairs]
    least = 0.3 * LINK_MB
    for one, other in ((RILL, RILL), (RILL, TCP), (TCP, TCP)):
        first, second = share(one, other)
        table.row(f"1 MiB streams, {one} and {other}, MB/s", f"{first:.0f}", f"{second:.0f}",
                  f"neither under {least:.0f}", min(first, second) >= least)


def quick(table, _lab, hosts):
    """Seconds, for `make check`: whether it works, not how fast."""
    table.seconds = 0.2
    meter = _Meter(table, hosts)
    table.row("64 B one way, us", *table.measure(meter.latency))
    table.row("64 KiB stream, MB/s", *table.measure(meter.rate, 64 << 10))
    for host in hosts:
        for device in host.links:
            host.lose(device, 10)
            host.single_packets(device)
    table.row("1 % lost, single packets: 64 KiB stream, MB/s", *table.measure(meter.rate, 64 << 10))
    for host in hosts:
        for device in host.links:
            host.heal(device)


# --- links that are cut ----------------------------------------------------------------------------

def _carrier(hosts, devices, cut):
    hosts[0].ip(*(f"link set {device} {'down' if cut else 'up'}" for device in devices))


def _silent(hosts, devices, cut):
    for host in hosts:
        for device in devices:
            (host.lose_all if cut else host.heal)(device)


def _full_again_s(hosts, device, watched_s=1.5):
    """How long after its return the link carried 80 % of its rate in a tenth of a second; nan: not
    within the time watched."""
    begun = time.monotonic()
    before = hosts[0].received_bytes()[device]
    while (now := time.monotonic()) < begun + watched_s:
        time.sleep(0.1)
        after = hosts[0].received_bytes()[device]
        if after - before >= 0.8e6 * LINK_MB * (time.monotonic() - now):
            return now - begun
        before = after
    return float("nan")


def _await_traffic(host, device, wanted_bytes=8 * MIB, within_s=20):
    """A cut shows only in a stream that is under way."""
    before, end = host.received_bytes()[device], time.monotonic() + within_s
    while host.received_bytes()[device] - before < wanted_bytes:
        if time.monotonic() > end:
            raise Failed(f"no traffic by {device}")
        time.sleep(0.01)


def _gap(table, hosts, what, devices, seconds, way, wanted_ms=None):
    back = {}

    def cut(provider):
        pair = bench.start(table.build, hosts, provider, "--mode", "stream", "--size", 64 << 10,
                           "--seconds", 2 * (2 + seconds), "--gaps")
        _await_traffic(hosts[0], devices[0])
        way(hosts, devices, True)
        time.sleep(seconds)
        way(hosts, devices, False)
        back[provider] = _full_again_s(hosts, devices[0])
        return pair.finish()[0]["longest_gap_ms"]
    rill, tcp = table.measure(cut)
    if wanted_ms is None:
        table.row(f"{what}: longest gap, ms", rill, tcp, "resumes")
        return
    table.row(f"{what}: longest gap, ms", rill, tcp, f"at most {wanted_ms}", rill <= wanted_ms)
    table.row(f"{what}: full again after, s", *(f"{back[name]:.1f}" for name in PROVIDERS),
              "at most 1", back[RILL] <= 1)


def cuts(table, _lab, hosts):
    _gap(table, hosts, "one link, no carrier for 2 s", ["l0"], 2, _carrier, 50)
    _gap(table, hosts, "one link silent for 2 s", ["l0"], 2, _silent, 50)
    _gap(table, hosts, "all links silent for 2 s", hosts[0].links, 2, _silent)
    _for_good(table, hosts)


def _for_good(table, hosts):
    peer_timeout_s = 2
    pair = bench.start(table.build, hosts, RILL, "--mode", "stream", "--size", MIB, "--seconds", 20,
                       extra={"FI_RILL_PEER_TIMEOUT": str(1000 * peer_timeout_s)})
    time.sleep(1)
    _silent(hosts, hosts[0].links, True)
    try:
        pair.finish()
        said = "no error"
    except Failed as error:
        said = str(error)
    good = said != "no error" and "watchdog" not in said
    table.row(f"all links silent for good, time-out {peer_timeout_s} s: error after, s",
              pair.seconds - 1, None, "an error, no hang", good)
    table.note(said)


# --- many to one -----------------------------------------------------------------------------------

def incast(table, _lab, hosts):
    """All send at once to processes of the first host, one for each, whose receive buffers have the
    size that an ordinary host gives."""
    extra = {"FI_RILL_RCVBUF": str(208 << 10)}
    dropped = {}

    def all_at_once(provider):
        pairs = [bench.start(table.build, (hosts[0], sender), provider, "--mode", "stream",
                             "--size", MIB, "--window", 4, "--seconds", table.seconds, extra=extra)
                 for sender in hosts[1:]]
        results = [pair.finish() for pair in pairs]
        counted = [server for _, (server, _) in results]
        dropped[provider] = sum(server.get("drop_kernel", 0) for server in counted), \
            sum(server.get("rx_packets", 0) for server in counted)
        return sum(result["count"] for result, _ in results) * MIB / 1e6 / \
            max(result["seconds"] for result, _ in results)
    rill, tcp = table.measure(all_at_once)
    table.row(f"{len(hosts) - 1} senders, 1 MiB streams, together MB/s", rill, tcp)
    if RILL in dropped:
        lost, got = dropped[RILL]
        _drops(table, lost, got)


def _drops(table, lost, got):
    share = 100 * lost / max(1, lost + got)
    table.row("dropped by the receive buffers, %", f"{share:.2f}", None, "under 1", share < 1)


def one_endpoint(table, lab, hosts):
    """The same into one endpoint: an MPI job of which all ranks send to the first."""
    program = [table.build / "fabtests/mpi/rill_mpi_incast", str(table.seconds)]
    with mpi.Job(lab, table.build, hosts, program,
                 extra={"FI_RILL_RCVBUF": str(208 << 10)}) as job:
        text = job.finish(100)
    said = re.search(r"incast: ([\d.]+) MB/s, senders from ([\d.]+) to ([\d.]+)", text)
    rate, least, most = map(float, said.groups())
    table.row(f"{len(hosts) - 1} senders to one endpoint, together MB/s", rate, None,
              "90 % of the link", rate >= 0.9 * LINK_MB)
    table.note(f"each from {least:.1f} to {most:.1f} MB/s")
    counted = mpi.job_counters(text)
    _drops(table, counted.get("drop_kernel", 0), counted.get("rx_packets", 0))
