"""Whether a mirror arrives: listens to several interfaces at once for some seconds, and counts.

Of what passes only numbers stay: how many frames, how many of them for somebody else, and in which networks
the devices are that share the link.
"""

import contextlib
import ipaddress
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np

from appliance.capture import netlink
from appliance.capture.ring import Ring
from appliance.model.errors import CaptureError
from appliance.model.frames import ETHERNET, Frames

RING_BYTES = 4 << 20
LONGEST_S = 5.0
MOST = 16
"""Interfaces listened to at once; a box has few."""

NETWORKS = 8
_HEADER_BYTES = 54  # Ethernet and IPv6
_NEIGHBOURS = 8
"""A MAC that sends from more addresses than this is a router's, and they lie elsewhere."""


@dataclass
class Heard:
    """What came in `seconds`; `foreign` frames are for a single other machine. `hosts` by address text."""

    seconds: float = 0.0
    frames: int = 0
    foreign: int = 0
    hosts: dict[str, set[bytes]] = field(default_factory=dict)
    """The addresses that each MAC has sent from, as 4 or 16 bytes; bounded."""

    def networks(self) -> tuple[str, ...]:
        """Where the devices of the link have their addresses: those with most of them first."""
        counts = Counter(
            network
            for sent in self.hosts.values()
            if len(sent) <= _NEIGHBOURS
            for network in {_network(address) for address in sent}
            if network
        )
        return tuple(network for network, _ in counts.most_common(NETWORKS))


def listen(interfaces: Sequence[str], seconds: float) -> dict[str, Heard]:
    """What came on each; those that cannot be listened to are missing. At most LONGEST_S.

    Raises CaptureError where none can be listened to, such as for want of CAP_NET_RAW.
    """
    seconds = min(seconds, LONGEST_S)
    with ExitStack() as opened:
        rings, refused = _open(interfaces[:MOST], opened)
        if interfaces and not rings:
            raise refused or CaptureError("there is no interface to listen to")
        own = {one.name: one.mac for one in netlink.devices()}
        heard = {ring.interface: Heard(seconds) for ring in rings}
        until = time.monotonic() + seconds
        while (left_s := until - time.monotonic()) > 0:
            for ring in rings:
                frames = ring.read(min(left_s, 0.1 / len(rings)))
                if frames is not None:
                    _count(heard[ring.interface], frames, own.get(ring.interface, b""))
        return heard


def _open(interfaces: Iterable[str], opened: ExitStack) -> tuple[list[Ring], CaptureError | None]:
    rings, refused = [], None
    for name in interfaces:
        ring = Ring(name, RING_BYTES)
        try:
            ring.open()
        except CaptureError as error:
            refused = error
            continue
        opened.callback(ring.close)
        rings.append(ring)
    return rings, refused


def _count(heard: Heard, frames: Frames, own: bytes) -> None:
    heard.frames += len(frames)
    if frames.link_type != ETHERNET:
        heard.foreign += len(frames)  # Wi-Fi off the air is for nobody here
        return
    whole = frames.captured >= _HEADER_BYTES
    at = frames.offsets[whole]
    headers = frames.window(at, _HEADER_BYTES).view(np.uint8).reshape(-1, _HEADER_BYTES)
    target = headers[:, :6]
    single = target[:, 0] & 1 == 0
    ours = (target == np.frombuffer(own.ljust(6, b"\0"), np.uint8)).all(axis=1)
    heard.foreign += int((single & ~ours).sum())
    for header in np.unique(headers[:, 6:], axis=0)[:256]:
        _see(heard, header.tobytes())


def _see(heard: Heard, header: bytes) -> None:
    """`header` without its first 6 bytes: source MAC, type, IP header."""
    mac, kind = header[:6].hex(), header[6:8]
    address = header[20:24] if kind == b"\x08\x00" else header[16:32] if kind == b"\x86\xdd" else b""
    if address and (mac in heard.hosts or len(heard.hosts) < 4096):
        sent = heard.hosts.setdefault(mac, set())
        if len(sent) <= _NEIGHBOURS:
            sent.add(address)


def _network(address: bytes) -> str:
    """The network that an address is usually of: /24 of IPv4, /64 of IPv6; "" for one of no network."""
    with contextlib.suppress(ValueError):
        found = ipaddress.ip_address(address)
        if not (found.is_unspecified or found.is_link_local or found.is_multicast or found.is_loopback):
            return str(ipaddress.ip_network((found, 24 if found.version == 4 else 64), strict=False))
    return ""
