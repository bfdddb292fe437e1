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
from numpy.typing import NDArray

from appliance.capture import netlink
from appliance.capture.ring import Ring
from appliance.config.values import is_private
from appliance.model.addresses import ip_text
from appliance.model.errors import CaptureError
from appliance.model.frames import ETHERNET, Frames
from appliance.model.networks import Networks
from appliance.wire.decode import Decoded, Decoder
from appliance.wire.packets import MAC_MASK, Packets

RING_BYTES = 4 << 20
LONGEST_S = 5.0
MOST = 16
"""Interfaces listened to at once; a box has few."""

NETWORKS = 8
_NEIGHBOURS = 8
"""A MAC that sends from more addresses than this is a router's, and they lie elsewhere."""

_DEVICES = 4096
_SENDERS = 1024
"""Of one batch: what is looked at stays bounded, whatever comes."""


@dataclass
class Heard:
    """What came in `seconds`; `foreign` frames are for a single other machine.

    `of_clients` packets go to clients or come from them. `hosts` are the addresses that each MAC has sent
    from; bounded.
    """

    seconds: float = 0.0
    frames: int = 0
    foreign: int = 0
    of_clients: int = 0
    hosts: dict[int, set[str]] = field(default_factory=dict)

    def networks(self) -> tuple[str, ...]:
        """Where the devices of the link have their addresses: those with most of them first.

        A router sends on what the Internet answers, at a quiet hour from one or two addresses only. So a
        public network is one of the link only if several devices speak from it, and of IPv4 none does where
        a private one is heard: addresses are translated there.
        """
        counts = Counter(
            network
            for sent in self.hosts.values()
            if len(sent) <= _NEIGHBOURS
            for network in {_network(address) for address in sent}
            if network
        )
        translated = any("." in network and is_private(network) for network in counts)
        found = (
            network
            for network, devices in counts.most_common()
            if is_private(network) or (devices > 1 and not (translated and "." in network))
        )
        return tuple(found)[:NETWORKS]


def listen(interfaces: Sequence[str], seconds: float, clients: Networks | None = None) -> dict[str, Heard]:
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
        decoders = {ring.interface: Decoder() for ring in rings}
        until = time.monotonic() + seconds
        while (left_s := until - time.monotonic()) > 0:
            for ring in rings:
                frames = ring.read(min(left_s, 0.1 / len(rings)))
                if frames is not None:
                    name = ring.interface
                    hear(heard[name], frames, own.get(name, b""), decoders[name], clients)
        return heard


def hear(heard: Heard, frames: Frames, own: bytes, decoder: Decoder, clients: Networks | None = None) -> None:
    """Count a batch; `own` is the MAC of the interface that it came in at."""
    heard.frames += len(frames)
    heard.foreign += _foreign(frames, own)
    decoded = decoder.decode(frames)
    for packets in decoded.packets:
        _see(heard, packets)
        if clients is not None:
            heard.of_clients += _within(packets, clients)
    _meet(heard, decoded)


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


def _foreign(frames: Frames, own: bytes) -> int:
    """Frames to a single machine that is not us."""
    if frames.link_type != ETHERNET:
        return len(frames)  # Wi-Fi off the air is for nobody here
    at = frames.offsets[frames.captured >= 6]
    target = frames.window(at, 6).view(np.uint8).reshape(-1, 6)
    single = target[:, 0] & 1 == 0
    ours = (target == np.frombuffer(own.ljust(6, b"\0"), np.uint8)).all(axis=1)
    return int((single & ~ours).sum())


def _within(packets: Packets, clients: Networks) -> int:
    """How many go to these networks or come from there."""
    if packets.family == 4:
        pair = packets.addresses[0]
        source, target = pair.astype(np.uint32), (pair >> np.uint64(32)).astype(np.uint32)
        return int((clients.hold_ipv4(source) | clients.hold_ipv4(target)).sum())
    from_hi, from_lo, to_hi, to_lo = packets.addresses
    return int((clients.hold_ipv6(from_hi, from_lo) | clients.hold_ipv6(to_hi, to_lo)).sum())


def _see(heard: Heard, packets: Packets) -> None:
    """Who sends from where. Numbers lie as on the wire."""
    macs = packets.source_mac & MAC_MASK
    if packets.family == 4:
        columns: tuple[NDArray[np.uint64], ...] = (macs, packets.addresses[0] & np.uint64(0xFFFF_FFFF))
        width = 4
    else:
        columns, width = (macs, *packets.addresses[:2]), 8
    for mac, *words in np.unique(np.stack(columns, axis=1), axis=0)[:_SENDERS].tolist():
        address = b"".join(word.to_bytes(width, "little") for word in words)
        _note(heard, mac, str(ipaddress.ip_address(address)))


def _meet(heard: Heard, decoded: Decoded) -> None:
    """Who says of itself where it is: ARP, neighbours of IPv6, DHCP."""
    for claim in decoded.claims[:_SENDERS]:
        if claim["ip_hi"] or claim["ip_lo"]:
            mac = int.from_bytes(int(claim["mac"]).to_bytes(6, "big"), "little")
            _note(heard, mac, ip_text(int(claim["ip_hi"]), int(claim["ip_lo"])))


def _note(heard: Heard, mac: int, address: str) -> None:
    if mac in heard.hosts or len(heard.hosts) < _DEVICES:
        sent = heard.hosts.setdefault(mac, set())
        if len(sent) <= _NEIGHBOURS:
            sent.add(address)


def _network(address: str) -> str:
    """The network that an address is usually of: /24 of IPv4, /64 of IPv6; "" for one of no network."""
    with contextlib.suppress(ValueError):
        found = ipaddress.ip_address(address)
        if not (found.is_unspecified or found.is_link_local or found.is_multicast or found.is_loopback):
            return str(ipaddress.ip_network((found, 24 if found.version == 4 else 64), strict=False))
    return ""
