# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Runs MPI jobs over the hosts of a lab, started as between machines."""

import os
import pathlib
import re
import subprocess

from bench import Failed, RILL, counters, environment
from network import CONTROL

AGENT = pathlib.Path(__file__).resolve().parent / "agent"
# Two-sided messages go by the provider or not at all. Windows are messages too, unless said otherwise.
TWO_SIDED = ("--mca", "btl", "self", "--mca", "osc", "pt2pt")
# Windows go by RMA and atomic operations of the provider. Debian's configuration excludes btl/ofi.
ONE_SIDED = ("--mca", "btl", "self,ofi", "--mca", "osc", "rdma")


def command(hosts, ranks_each, provider, windows, program):
    where = ",".join(f"{host.name}:{ranks_each}" for host in hosts)
    return ["mpirun", "--mca", "plm_rsh_agent", str(AGENT), "--mca", "plm_rsh_no_tree_spawn", "1",
            "--mca", "oob_tcp_if_include", CONTROL, "--oversubscribe", "--bind-to", "none",
            "--host", where, "-np", str(ranks_each * len(hosts)),
            "--mca", "pml", "cm", "--mca", "mtl", "ofi", "--mca", "mtl_ofi_provider_include",
            provider, "--mca", "mtl_ofi_verbose", "1", "--mca", "coll", "^sm", *windows,
            *map(str, program)]


class Job:
    """An MPI job under way; ended with the `with` at the latest."""

    def __init__(self, lab, build, hosts, program, ranks_each=1, provider=RILL, windows=TWO_SIDED,
                 extra=None, directory=None):
        variables = environment(build, hosts[0], provider) | (extra or {})
        variables |= {
            "RILL_LAB_HOSTS": " ".join(f"{host.name}={host.pid}" for host in hosts),
            "TMPDIR": str(lab.directory), "FI_PROVIDER": provider,
            "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        # The hosts' processes are not to be seen from among each other, but by the agent.
        line = lab.control.enter(command(hosts, ranks_each, provider, windows, program),
                                 processes=False)
        self._name = os.path.basename(program[0])
        self._ranks = ranks_each * len(hosts)
        self._provider = provider
        self._process = subprocess.Popen(line, env=variables, text=True, errors="replace",
                                         cwd=directory or lab.directory, stdin=subprocess.DEVNULL,
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.communicate()

    def running(self):
        return self._process.poll() is None

    def finish(self, timeout_s=300):
        """What the job printed."""
        try:
            text, _ = self._process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self._name}: not finished after {timeout_s} s") from None
        if self._process.returncode != 0:
            raise Failed(f"{self._name}: code {self._process.returncode}\n{visible(text)}")
        took = text.count(f"mtl:ofi:prov: {self._provider}")
        if took != self._ranks:
            raise Failed(f"{self._name}: {took} of {self._ranks} ranks took {self._provider}")
        return text


_NOISE = re.compile(r"mtl_ofi_component\.c:|mca: base: |^rill:counters |^\[.*rank=\d+\]$")


def visible(text):
    return "\n".join(line for line in text.splitlines() if not _NOISE.search(line))


def job_counters(text):
    """rill's counters added up over all ranks."""
    total = {}
    for line in text.splitlines():
        for name, value in counters(line).items():
            total[name] = total.get(name, 0) + value
    return total


def crossings(text):
    """One-sided operations on other ranks, as rill_mpi_check counted them."""
    found = re.search(r"on other ranks: (\d+) puts, (\d+) gets, (\d+) atomic operations", text)
    if not found:
        raise Failed("rill_mpi_check did not say what it did on other ranks")
    return dict(zip(("puts", "gets", "atomics"), map(int, found.groups())))
