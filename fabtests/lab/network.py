# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Hosts, routers and switches out of namespaces, links between them, and what befalls links.

A host is a network, UTS, mount and process namespace with its own /dev/shm, so that nothing passes
between two hosts but through their links. Nothing of it has a name outside: a host lives as long as
its first process, which ends when a pipe from the program that made it closes, for whichever
reason; the kernel then ends what still runs there and takes the links away.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

# Everything that a network program would look at is the host's own. The first process then waits
# for the end of its input.
_FIRST_PROCESS = """
hostname "$0"
mount -t tmpfs tmpfs /dev/shm
mount -t sysfs sysfs /sys
ip link set lo up
# What TCP is compared under: the default of Linux.
echo cubic > /proc/sys/net/ipv4/tcp_congestion_control
echo ready
exec cat > /dev/null
"""
# A train of 64 KiB passes whole; tbf cuts what is larger than its burst.
BURST_BYTES = 128 << 10
# What a port of a switch may hold: 8 ms at 1 Gb/s.
QUEUE_BYTES = 1 << 20
GIGABIT = 10**9
# The network over which jobs are started and measurements ordered. Nothing ever befalls it.
CONTROL = "ctl0"


class NoNamespaces(Exception):
    """The machine does not let us make a lab."""


def run(command, **options):
    result = subprocess.run(command, capture_output=True, text=True, check=False,
                            stdin=None if "input" in options else subprocess.DEVNULL, **options)
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {result.stderr.strip()}")
    return result.stdout


class Host:
    def __init__(self, name):
        self.name = name
        self.links = []  # devices towards the other hosts, in order
        self.addresses = {}  # device -> address
        try:
            self._keeper = subprocess.Popen(
                ["unshare", "--net", "--uts", "--mount", "--pid", "--fork", "--kill-child",
                 "--mount-proc", "sh", "-ec", _FIRST_PROCESS, name],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                start_new_session=True)  # an interrupt from the terminal is for us to handle
        except OSError as error:
            raise NoNamespaces(f"unshare: {error.strerror}") from None
        if self._keeper.stdout.readline() != b"ready\n":
            said = self._keeper.stderr.read().decode().strip()
            self.close()
            raise NoNamespaces(said or "no namespaces can be made here")
        keeper = self._keeper.pid
        children = pathlib.Path(f"/proc/{keeper}/task/{keeper}/children").read_text()
        self.pid = int(children.split()[0])

    def close(self):
        for pipe in (self._keeper.stdin, self._keeper.stdout, self._keeper.stderr):
            pipe.close()
        try:
            self._keeper.wait(5)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait()

    def enter(self, command, processes=True):
        """The command line that runs `command` in here; without `processes` it keeps the files and
        processes of outside, and only its network and its host's name are those in here."""
        inside = ["--mount", "--pid", "--wd=" + os.getcwd()] if processes else []
        return ["nsenter", "-t", str(self.pid), "--net", "--uts", *inside, "--", *command]

    def run(self, *command, **options):
        return run(self.enter(command), **options)

    def ip(self, *commands):
        self.run("ip", "-batch", "-", input="\n".join(commands) + "\n")

    def sysctl(self, **values):
        for name, value in values.items():
            self.run("sysctl", "-qw", f"{name.replace('__', '.')}={value}")

    def add_address(self, device, address, length=24):
        self.addresses[device] = address
        at_once = " nodad" if ":" in address else ""  # nobody else is there to ask
        self.ip(f"addr add {address}/{length} dev {device}{at_once}", f"link set {device} up")

    def received_bytes(self):
        """Bytes that each device has received so far."""
        lines = pathlib.Path(f"/proc/{self.pid}/net/dev").read_text().splitlines()[2:]
        pairs = (line.split(":") for line in lines)
        return {device.strip(): int(words.split()[0]) for device, words in pairs}

    # --- what befalls a link, as seen from here --------------------------------------------------

    def shape(self, device, bits_per_s=GIGABIT):
        self.run("tc", "qdisc", "replace", "dev", device, "root", "tbf", "rate", str(bits_per_s),
                 "burst", str(BURST_BYTES), "limit", str(QUEUE_BYTES))

    def set_mtu(self, device, mtu):
        self.ip(f"link set {device} mtu {mtu}")

    def single_packets(self, device):
        """No train leaves whole: the kernel cuts it up before the link."""
        self.ip(f"link set {device} gso_max_segs 1")

    def _on_arrival(self, device, rule):
        """Puts one rule on what arrives by a device."""
        table = f"netdev lab_{device}"
        self.run("nft", "-f", "-", input=f"""
            table {table} {{}}
            delete table {table}
            table {table} {{
                chain arrival {{
                    type filter hook ingress device {device} priority 0;
                    {rule}
                }}
            }}""")

    def lose(self, device, per_mille):
        self._on_arrival(device, f"meta protocol ip numgen random mod 1000 < {per_mille} drop")

    def lose_all(self, device):
        """Not even addresses are resolved any more, and nobody is told."""
        self._on_arrival(device, "drop")

    def mark(self, device, bytes_per_s):
        self._on_arrival(device, "ip ecn { ect0, ect1 } "
                                 f"limit rate over {bytes_per_s} bytes/second ip ecn set ce")

    def heal(self, device):
        self.run("nft", "delete", "table", "netdev", f"lab_{device}")


class Lab:
    """All the hosts of one network. `with` makes an end of them, also on a signal."""

    def __init__(self):
        self.hosts = {}
        self.directory = None
        self._control = None

    def __enter__(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._interrupted)
        if os.geteuid() != 0:
            raise NoNamespaces("namespaces and links need root")
        try:
            # Short: names of sockets below it are limited.
            self.directory = pathlib.Path(tempfile.mkdtemp(prefix="rill-lab."))
            self._control = Host("lab-control")
            self._control.ip(f"link add {CONTROL} type bridge",
                             f"addr add 10.255.0.254/24 dev {CONTROL}", f"link set {CONTROL} up")
        except BaseException:
            self.__exit__()
            raise
        return self

    @staticmethod
    def _interrupted(number, _frame):
        for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(other, signal.SIG_IGN)
        raise SystemExit(128 + number)

    def __exit__(self, *_):
        for host in [*self.hosts.values(), self._control]:
            if host:
                host.close()
        if self.directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def control(self):
        """Where jobs are started from; no host of the network that is tested."""
        return self._control

    def add_host(self, name):
        """A host on the control network."""
        host = self.add_node(name)
        number = len(self.hosts)
        self.cable(host, CONTROL, self._control, f"port{number}")
        self._control.ip(f"link set port{number} master {CONTROL} up")
        host.add_address(CONTROL, f"10.255.0.{number}")
        return host

    def add_node(self, name):
        """A router or a switch: nobody starts a job there."""
        self.hosts[name] = Host(name)
        return self.hosts[name]

    @staticmethod
    def cable(one, device_one, other, device_other):
        # Made where it belongs: its ends never appear outside.
        run(["ip", "link", "add", "name", device_one, "netns", str(one.pid), "type", "veth",
             "peer", "name", device_other, "netns", str(other.pid)])
        one.ip(f"link set {device_one} up")
        other.ip(f"link set {device_other} up")
