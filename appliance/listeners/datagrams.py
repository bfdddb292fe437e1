"""UDP sockets that feeds arrive at, drained many datagrams at a time.

The kernel keeps what comes while the listener is busy, in as much memory as it was given, notes when each
datagram came, and counts what it had no room for.
"""

import contextlib
import errno
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from appliance.feeds.told import Messages
from appliance.listeners.arrivals import Arrival, Ways, address_text
from appliance.model.errors import ListenError
from appliance.model.feeds import FeedKind
from appliance.model.instants import NS

_SO_RCVBUFFORCE = 33  # asm-generic/socket.h, of all architectures that the box runs on
_SO_TIMESTAMPNS = 35
_SO_MEMINFO = 55
_MEMINFO_DROPS = 8  # linux/sock_diag.h: SK_MEMINFO_DROPS, the last of nine
_TIMESPEC = 16
_LONGEST = 65_535
_CONTROL_BYTES = socket.CMSG_SPACE(_TIMESPEC)

BATCH = 8_192
"""Datagrams taken at a time: 20 ms' worth. recvmsg costs 2.2 us, its fellows no less (recvfrom_into 2.3)."""


class DatagramSocket:
    """One UDP port. Opened by the constructor, which raises ListenError; `close` it."""

    def __init__(self, kind: FeedKind, address: str, port: int, buffer_bytes: int) -> None:
        self.kind = kind
        self.port = port
        self._socket = bound(socket.SOCK_DGRAM, address, port)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.buffer_bytes = _give_room(self._socket, buffer_bytes)
        self._drops = 0

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def drops(self) -> int:
        """Datagrams that the kernel had no room for, since the last call."""
        told = self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 4 * (_MEMINFO_DROPS + 1))
        drops = int.from_bytes(told[4 * _MEMINFO_DROPS :], sys.byteorder)
        more = (drops - self._drops) & 0xFFFF_FFFF
        self._drops = drops
        return more

    def ready(self, take: Callable[[Arrival], None]) -> bool:
        """Hand on what has come, by sender, up to a batch; whether there may be more."""
        senders: dict[tuple[str, int], _Came] = {}
        receive = self._socket.recvmsg
        # Lines and accounting are of a machine, whatever port it drew for them; flows are of an exporter.
        by_port = self.kind in (FeedKind.NETFLOW, FeedKind.SFLOW)
        answered = self.kind is FeedKind.RADIUS
        count = 0
        try:
            while count < BATCH:
                payload, control, _, source = receive(_LONGEST, _CONTROL_BYTES)
                count += 1
                sender = (source[0], source[1] if by_port else 0)
                found = senders.get(sender)
                if found is None:
                    found = senders[sender] = _Came()
                found.payloads.append(payload)
                found.instants.append(control[0][2])
                if answered:
                    found.sources.append(source)
        except BlockingIOError:
            pass
        except OSError as error:  # no memory for one datagram; it stays with the kernel
            if error.errno not in (errno.ENOMEM, errno.ENOBUFS):
                raise
        for sender, came in senders.items():
            take(self._arrival(sender, came))
        return count == BATCH

    def _arrival(self, sender: tuple[str, int], came: "_Came") -> Arrival:
        when = np.frombuffer(b"".join(came.instants), np.int64).reshape(-1, 2)
        messages = Messages(when[:, 0] * NS + when[:, 1], came.payloads)
        backs = {source: _Back(self._socket, source) for source in came.sources}
        way_back = Ways([backs[source] for source in came.sources])
        return Arrival(self.kind, address_text(sender[0]), f"udp {self.port} {sender[1]}", messages, way_back)


@dataclass(slots=True)
class _Came:
    """What came from one sender: datagrams, when (struct timespec), and the way back of each that has one."""

    payloads: list[bytes] = field(default_factory=list)
    instants: list[bytes] = field(default_factory=list)
    sources: list[tuple[Any, ...]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Back:
    """Answers to one sender go to the port it sent from."""

    through: socket.socket
    sender: tuple[Any, ...]

    def settle(self, count: int, answers: Sequence[bytes]) -> None:
        for each in answers:
            if each:
                with contextlib.suppress(OSError):  # it asks again when no answer comes
                    self.through.sendto(each, self.sender)


def bound(kind: socket.SocketKind, address: str, port: int) -> socket.socket:
    """A non-blocking socket at a port of ours. "::" is IPv4 as well. Raises ListenError."""
    everywhere = address == "::"
    family = socket.AF_INET6 if ":" in address and (not everywhere or _has_ipv6()) else socket.AF_INET
    here = "0.0.0.0" if everywhere and family == socket.AF_INET else address  # noqa: S104 - as configured
    made = socket.socket(family, kind | socket.SOCK_NONBLOCK)
    try:
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if everywhere else 1)
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((here, port))
    except OSError as error:
        made.close()
        raise ListenError(
            _why(error, "TCP" if kind == socket.SOCK_STREAM else "UDP", address, port)
        ) from error
    return made


def _has_ipv6() -> bool:
    """Whether this machine has not been told to do without IPv6."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as asked:
            asked.bind(("::", 0))
    except OSError:
        return False
    return True


def _why(error: OSError, protocol: str, address: str, port: int) -> str:
    where = f"{protocol} port {port}" + ("" if address == "::" else f" of {address}")
    if error.errno == errno.EADDRINUSE:
        return (
            f"{where} is taken by another program; see 'ss -lnp' for which, "
            "stop it, or change [listen] in box.toml"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{where} may not be listened to by this user; run as root, or grant CAP_NET_BIND_SERVICE"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{address} is no address of this box; correct 'address' in [listen] of box.toml"
    return f"{where} cannot be listened to ({error.strerror}); change [listen] in box.toml"


def _give_room(made: socket.socket, buffer_bytes: int) -> int:
    """Ask the kernel for so much memory; what it gave (without CAP_NET_ADMIN at most net.core.rmem_max)."""
    try:
        made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, buffer_bytes)
    except OSError:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    return made.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
