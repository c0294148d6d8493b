# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Runs fabtests/benchmarks between two hosts of a lab."""

import json
import os
import pathlib
import re
import subprocess
import sys
import time

from network import CONTROL

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
RILL = "rill"
TCP = "tcp;ofi_rxm"
PROVIDERS = (RILL, TCP)
WATCHDOG_S = 50
_COUNTER = re.compile(r"^rill:counters (\w+) (\d+)$", re.MULTILINE)


class Failed(Exception):
    """A measurement that ended without a value."""


def environment(build, host, provider):
    """What the provider needs to use all of a host's links, and nothing else."""
    variables = {name: value for name, value in os.environ.items()
                 if not name.startswith(("FI_", "OMPI_"))}
    if provider == RILL:
        variables["FI_PROVIDER_PATH"] = str(build / "prov/rill/.libs")
        variables["FI_RILL_IFACE"] = ",".join(host.links)
        variables["FI_RILL_STATS"] = "1"
        variables.update((name, value) for name, value in os.environ.items()
                         if name.startswith("FI_RILL_"))
    else:
        variables["FI_TCP_IFACE"] = host.links[0]  # it takes one
    return variables


def counters(text):
    """rill's counters at the end of a process, from its standard error."""
    return {name: int(value) for name, value in _COUNTER.findall(text)}


class Pair:
    """A server on one host and a client on another, under way."""

    _ports = iter(range(20000, 30000))

    def __init__(self, build, hosts, program, arguments, each):
        """`each`: further arguments and the environment of either, the server's first."""
        server, _ = hosts
        meeting = f"{server.addresses[CONTROL]}:{next(self._ports)}"
        command = [str(build / "fabtests/benchmarks" / program), *map(str, arguments),
                   "--watchdog", str(WATCHDOG_S)]
        self.subject = " ".join(map(str, (program, *arguments)))
        self._processes = [
            subprocess.Popen(host.enter([*command, *own, role, meeting]), env=variables, text=True,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
            for host, role, (own, variables) in zip(hosts, ("--listen", "--connect"), each)]
        self.seconds = 0.0
        self._begun = time.monotonic()

    def finish(self):
        """The client's result and the counters of both processes, the server's first."""
        said = [process.communicate() for process in reversed(self._processes)]
        self.seconds = time.monotonic() - self._begun
        (result, client_error), (_, server_error) = said
        if any(process.returncode for process in self._processes):
            lines = [line for line in (client_error + server_error).splitlines()
                     if line and not line.startswith("rill:counters")]
            raise Failed("; ".join(dict.fromkeys(lines)) or f"{self.subject}: ended badly")
        return json.loads(result), (counters(server_error), counters(client_error))


def start(build, hosts, provider, *arguments, extra=None):
    """rill_bench from the second host to the first."""
    each = [((), environment(build, host, provider) | (extra or {})) for host in hosts]
    return Pair(build, hosts, "rill_bench", ("--provider", provider, *arguments), each)


def latency_us(build, hosts, provider, size=64, seconds=2.0):
    """Mean one-way time, in microseconds."""
    result, _ = start(build, hosts, provider, "--mode", "pingpong", "--size", size,
                      "--seconds", seconds).finish()
    return result["us_one_way"]


def rate_mb(build, hosts, provider, size=1 << 20, seconds=2.0, extra=None):
    """Megabytes a second of a stream, and rill's counters of both sides."""
    result, counted = start(build, hosts, provider, "--mode", "stream", "--size", size,
                            "--seconds", seconds, extra=extra).finish()
    return result["gb_per_s"] * 1e3, counted


def capacity_mb(hosts, rate_mb, flows=1, seconds=1.5):
    """What the machine carries over all links at once, in bare UDP trains: no measurement of a
    provider can be above it."""
    program = [sys.executable, str(pathlib.Path(__file__).with_name("udp_capacity.py"))]
    port = 19999
    receiver = subprocess.Popen(
        hosts[0].enter([*program, "receive", str(seconds + 0.5), str(port)]), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    receiver.stdout.readline()
    hosts[1].run(*program, "send", str(seconds), str(rate_mb * 1e6),
                 *(f"{mine}={hosts[0].addresses[other]}:{port}"
                   for mine, other in zip(hosts[1].links, hosts[0].links) for _ in range(flows)))
    return float(receiver.communicate()[0]) / 1e6
