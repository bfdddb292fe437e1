# SPDX-License-Identifier: GPL-2.0-only
"""Conversations of one client as mirrors show them once, twice and three times; made by scapy.

A process of its own, because scapy is GPL-2.0-only: `python tests/forge/twice_seen.py` prints a JSON object:
for each way of mirroring a list of [nanoseconds, frame in hexadecimal], in order of time. `once` is the
client's own link; all others show the same packets there and somewhere else too.
"""

import json
from collections.abc import Callable, Iterator

from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

CLIENT, ROUTER, BEYOND, UPSTREAM = (f"02:00:00:00:00:{last:02x}" for last in (7, 1, 2, 3))
SECONDS = 4
Sightings = list[tuple[int, Packet]]
US = 1000


def conversation(second: int) -> Iterator[tuple[bool, Packet]]:
    """(whether the client sends it, packet): TCP with what is really repeated, DNS, pings, fragments."""
    port, number = 40000 + second, 1000 * second
    for ends, back in (
        (IP(src="10.20.0.7", dst="198.51.100.7"), IP(src="198.51.100.7", dst="10.20.0.7", flags="DF", id=0)),
        (IPv6(src="2001:db8::7", dst="2001:db9::9"), IPv6(src="2001:db9::9", dst="2001:db8::7")),
    ):
        for step in range(8):
            if isinstance(ends, IP):
                ends.id = number + step + 1
            yield True, ends / TCP(sport=port, dport=443, flags="A", seq=step * 300, ack=7) / Raw(b"x" * 300)
            answer = back / TCP(sport=443, dport=port, flags="A", seq=7, ack=step * 300 + 300)
            yield False, answer
            if step == 5:
                yield False, answer  # a duplicate acknowledgement, without identification: really sent twice
        yield True, ends / TCP(sport=port, dport=443, flags="S", seq=9, options=[("MSS", 1460)])
        yield True, ends / UDP(sport=port, dport=53) / Raw(b"?" * 30)
        yield False, back / UDP(sport=53, dport=port) / Raw(b"!" * 90)
    yield True, IP(src="10.20.0.7", dst="198.51.100.7", id=number + 90) / ICMP(id=7, seq=second)
    yield True, IPv6(src="2001:db8::7", dst="2001:db9::9") / ICMPv6EchoRequest(id=7, seq=second)
    large = (
        IP(src="10.20.0.7", dst="198.51.100.7", id=number + 91) / UDP(sport=port, dport=99) / Raw(b"f" * 3000)
    )
    for piece in fragment(large, 1400):
        yield True, IP(bytes(piece))


def hops(packet: Packet, gone: int) -> Packet:
    """The packet after some routers."""
    passed = packet.copy()
    if isinstance(passed, IP):
        passed.ttl -= gone
        del passed.chksum
    else:
        passed.hlim -= gone
    return passed


def link(out: bool, packet: Packet, near: str, far: str, vlan: int = 0) -> Packet:
    ends = Ether(src=near, dst=far) if out else Ether(src=far, dst=near)
    return ends / Dot1Q(vlan=vlan) / packet if vlan else ends / packet


def client_link(out: bool, packet: Packet, vlan: int = 0) -> Packet:
    """On the client's link: what comes has passed one router more than beyond it."""
    return link(out, packet if out else hops(packet, 9), CLIENT, ROUTER, vlan)


def beyond(out: bool, packet: Packet, vlan: int = 0) -> Packet:
    """Beyond the router, which lowers the segment size that a SYN offers."""
    seen = hops(packet, 1 if out else 8)
    if TCP in seen and seen[TCP].options:
        seen[TCP].options = [("MSS", 1400)]
        del seen[TCP].chksum
    return link(out, seen, BEYOND, UPSTREAM, vlan)


def tunnelled(out: bool, packet: Packet) -> Packet:
    outer = (
        Ether(src=BEYOND, dst=UPSTREAM) / IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=5555, dport=4789)
    )
    return outer / VXLAN(vni=7, flags=8, NextProtocol=0) / client_link(out, packet)


def in_order(out: bool, near: Packet, *others: Packet) -> list[Packet]:
    return [near, *others] if out else [*others, near]


WAYS: dict[str, Callable[[bool, Packet], list[Packet]]] = {
    "once": lambda out, packet: [client_link(out, packet)],
    "both directions of two ports": lambda out, packet: [client_link(out, packet)] * 2,
    "three mirrors": lambda out, packet: [client_link(out, packet)] * 3,
    "both sides of a router": lambda out, packet: in_order(
        out, client_link(out, packet), beyond(out, packet)
    ),
    "a router between two VLANs": lambda out, packet: in_order(
        out, client_link(out, packet, 10), beyond(out, packet, 20)
    ),
    "untagged and trunk": lambda out, packet: in_order(
        out, client_link(out, packet), client_link(out, packet, 10)
    ),
    "tunnel and plain": lambda out, packet: [tunnelled(out, packet), client_link(out, packet)],
    "router, both sides twice": lambda out, packet: in_order(
        out, client_link(out, packet), client_link(out, packet), beyond(out, packet), beyond(out, packet)
    ),
}


def seen(way: Callable[[bool, Packet], list[Packet]]) -> list[tuple[int, str]]:
    frames = []
    for second in range(SECONDS):
        for number, (out, packet) in enumerate(conversation(second)):
            at = second * 1_000_000_000 + number * 400 * US
            for copy, frame in enumerate(way(out, packet)):
                frames.append((at + copy * 40 * US, bytes(frame).hex()))
    return frames


if __name__ == "__main__":
    print(json.dumps({name: seen(way) for name, way in WAYS.items()}))
