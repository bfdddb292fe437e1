"""Networks of a test's own: a network namespace without a name, which is gone when its last user is.

Nothing is left behind, even when the test run is killed: the namespace lives as long as the file
descriptor held here (and the processes started inside), and the virtual cables in it as long as it.
"""

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Iterator
from types import TracebackType
from typing import Self

CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def may_make() -> bool:
    """Whether this process may make a network namespace and raw sockets in it."""
    return os.geteuid() == 0 and os.path.exists("/proc/self/ns/net")


class Network:
    """A network namespace; `inside` puts the calling thread, and the processes it starts, into it."""

    def __enter__(self) -> Self:
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _check(_libc.unshare(CLONE_NEWNET), "cannot make a network namespace")
            try:
                self._handle = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            finally:
                _check(_libc.setns(home, CLONE_NEWNET), "cannot come back from the network namespace")
        finally:
            os.close(home)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._handle)

    @property
    def handle(self) -> int:
        """The file descriptor that keeps it alive: `ip link set X netns /proc/PID/fd/HANDLE`."""
        return self._handle

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _check(_libc.setns(self._handle, CLONE_NEWNET), "cannot enter the network namespace")
            try:
                yield
            finally:
                _check(_libc.setns(home, CLONE_NEWNET), "cannot leave the network namespace")
        finally:
            os.close(home)

    def run(self, *command: str) -> str:
        with self.inside():
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done.stdout

    def cable(self, one: str, other: str, up: bool = True) -> None:
        """A virtual Ethernet cable whose two ends say nothing by themselves (no IPv6, no ARP)."""
        self.run(
            "ip",
            "link",
            "add",
            "name",
            one,
            "mtu",
            "9000",
            "type",
            "veth",
            "peer",
            "name",
            other,
            "mtu",
            "9000",
        )
        for end in (one, other):
            with self.inside(), open(f"/proc/sys/net/ipv6/conf/{end}/disable_ipv6", "w") as setting:
                setting.write("1")
            self.run("ip", "link", "set", end, "arp", "off")
            if up:
                self.run("ip", "link", "set", end, "up")
