# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""MPI jobs over the hosts of a lab."""

import pathlib
import shutil
import threading

import mpi
from bench import Failed

HPCC_INPUT = pathlib.Path("/usr/share/doc/hpcc/examples/_hpccinf.txt")


def _check_program(table):
    return table.build / "fabtests/mpi/rill_mpi_check"


def _show(text):
    print(mpi.visible(text), flush=True)


def _show_paths(text):
    for line in text.splitlines():
        if line.startswith("rill:path"):
            print(f"  {line}")


def check(table, lab, hosts):
    """Our own check of MPI, but for its longest parts."""
    skipped = ("huge", "unexpected_small", "unexpected_blocking", "unexpected_large")
    program = [_check_program(table), *(word for part in skipped for word in ("--skip", part))]
    with mpi.Job(lab, table.build, hosts, program) as job:
        _show(job.finish(300))


def one_sided(table, lab, hosts):
    """Windows by RMA and atomic operations; rill's counters show that each of them crossed."""
    program = [_check_program(table), "fence", "locks", "window_atomics", "post_start"]
    with mpi.Job(lab, table.build, hosts, program, windows=mpi.ONE_SIDED) as job:
        text = job.finish(300)
    _show(text)
    counted = mpi.job_counters(text)
    crossed = mpi.crossings(text)
    for what, counter in (("puts", "remote_writes"), ("gets", "remote_reads"),
                          ("atomics", "remote_atomics")):
        table.note(f"{what}: {crossed[what]} by the program; {counter}: {counted[counter]}")
        if not 0 < crossed[what] <= counted[counter]:
            raise Failed(f"not all {what} were done by rill")


class _Flapping:
    """A link that is cut for a while every second."""

    def __init__(self, hosts, device, cut_s):
        self._hosts, self._device, self._cut_s = hosts, device, cut_s
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._flap)
        self.count = 0

    def _flap(self):
        self._await_job()
        while not self._end.wait(1 - self._cut_s):
            self._hosts[0].ip(f"link set {self._device} down")
            self._end.wait(self._cut_s)
            self._hosts[0].ip(f"link set {self._device} up")
            self.count += 1

    def _await_job(self, started_bytes=1 << 16):
        """A link that is down while a job starts is none that the job was told to use."""
        host = self._hosts[0]
        while not self._end.wait(0.05):
            received = host.received_bytes()
            if sum(received[device] for device in host.links) >= started_bytes:
                return

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()


def flapping(table, lab, hosts):
    """MPI while the first link is down for 0.3 s of every second."""
    program = [_check_program(table), "sizes", "collectives", "ordering", "fence", "locks"]
    with _Flapping(hosts, "l0", 0.3) as link, mpi.Job(lab, table.build, hosts, program) as job:
        text = job.finish(300)
    _show(text)
    table.note(f"the link went down {link.count} times")


def hpcc(table, lab, hosts):
    """HPCC on four ranks while the first link flaps; its own output says what it verified."""
    if not shutil.which("hpcc"):
        raise Failed("hpcc is not installed (Debian: hpcc)")
    shutil.copy(HPCC_INPUT, lab.directory / "hpccinf.txt")
    with _Flapping(hosts, "l0", 0.3) as link, \
            mpi.Job(lab, table.build, hosts, ["hpcc"], ranks_each=2) as job:
        text = job.finish(1800)
    _show_paths(text)
    said = (lab.directory / "hpccoutf.txt").read_text()
    table.note(f"the link went down {link.count} times")
    for line in said.splitlines():
        if line.startswith(("Success=", "HPL_Tflops=", "MPIRandomAccess_Errors=", "MPIFFT_maxErr=")):
            table.note(line)
    if "Success=1" not in said or "FAILED" in said:
        raise Failed("HPCC's verification failed")
