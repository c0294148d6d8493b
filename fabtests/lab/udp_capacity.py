#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""udp_capacity.py receive SECONDS PORT | send SECONDS RATE DEVICE=ADDRESS:PORT...

What the machine carries at all: trains of UDP packets over several links at once, at RATE bytes per
second in all, with no protocol and no answers. A destination that is named several times is sent
several flows, which a router may tell apart. The receiver prints bytes per second, from the first
train to the last."""

import socket
import struct
import sys
import threading
import time

UDP_SEGMENT, UDP_GRO = 103, 104  # linux/udp.h
SEGMENT_BYTES = 1472
TRAIN = bytes(SEGMENT_BYTES * 44)  # 64 KiB at most


def send(end, bytes_per_s, where):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        device, where = where.split("=")
        out.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        out.setsockopt(socket.SOL_UDP, UDP_SEGMENT, SEGMENT_BYTES)
        address, port = where.split(":")
        out.connect((address, int(port)))
        # Behind a router nothing holds the sender back: unpaced, it would take the processors away
        # from those who forward.
        due = time.monotonic()
        while (now := time.monotonic()) < end:
            if now < due:
                time.sleep(due - now)
            due = max(due, now - 0.01) + len(TRAIN) / bytes_per_s
            try:
                out.send(TRAIN)
            except (BlockingIOError, ConnectionRefusedError):  # a full queue; nobody there yet
                pass


def receive(seconds, port):
    buffer = bytearray(1 << 16)
    total, first, last = 0, None, None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as into:
        into.setsockopt(socket.SOL_UDP, UDP_GRO, 1)
        into.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        into.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 1, 0))
        into.bind(("", port))
        print("ready", flush=True)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                got = into.recv_into(buffer)
            except BlockingIOError:
                continue
            last = time.monotonic()
            if first is None:
                first = last
            else:
                total += got
    print(total / (last - first) if total else 0)


def main():
    role, seconds, number, *where = sys.argv[1:]
    if role == "receive":
        return receive(float(seconds), int(number))
    end = time.monotonic() + float(seconds)
    each = float(number) / len(where)
    threads = [threading.Thread(target=send, args=(end, each, one)) for one in where]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


main()
