"""Ports for servers of the tests: free, and given to nobody else, by the kernel or by another worker.

A port that the kernel chose may be a client's a moment later, when the server it was meant for is not up yet,
or is just being started again.
"""

import contextlib
import itertools
import os
import random
import socket
import time
from pathlib import Path

_FIRST, _LAST = 61_000, 65_535
"""Above what the kernel gives to clients (ip_local_port_range), unless somebody has changed it."""

_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_MINE = range(_FIRST + _WORKER, _LAST + 1, _WORKERS)
_given = itertools.islice(itertools.cycle(_MINE), random.randrange(len(_MINE)), None)


def free_port(kind: int = socket.SOCK_STREAM, address: str = "127.0.0.1") -> int:
    """A port of this address that nobody has; the next call gives another."""
    for port in itertools.islice(_given, len(_MINE)):
        with socket.socket(socket.AF_INET, kind) as tried, contextlib.suppress(OSError):
            tried.bind((address, port))
            return port
    raise OSError("no port is free")


def wait_until_taken(port: int) -> None:
    """Until whoever has bound this UDP port of 127.0.0.1 has read every datagram that was sent there."""
    nothing_waits = f"0100007F:{port:04X} 00000000:0000 07 00000000:00000000 "
    until = time.monotonic() + 20
    while nothing_waits not in Path("/proc/thread-self/net/udp").read_text():
        assert time.monotonic() < until, f"what was sent to port {port} is not read"
        time.sleep(0.005)
