# SPDX-License-Identifier: GPL-2.0-only
"""Frames in every wrapping made by scapy, each with what it must be taken for.

A process of its own, because scapy is GPL-2.0-only: `python tests/forge/wrapped_frames.py` prints one JSON
object a line, the fields of `Forged` below.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP, IPOption_RR
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
)
from scapy.layers.ipsec import AH
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.layers.sctp import SCTP
from scapy.packet import Packet, Padding, Raw

SOURCE, DESTINATION = "02:11:22:33:44:55", "02:aa:bb:cc:dd:ee"
IP4 = {"src": "192.0.2.10", "dst": "198.51.100.7"}
IP6 = {"src": "2001:db8::10", "dst": "2001:db9::7"}
TEXT = Raw(b"\x99" * 40)


@dataclass
class Forged:
    """`network` and `transport` are byte positions in the frame, `extensions` those of headers between."""

    name: str
    frame: str
    kind: str = "packet"  # or "arp", or why it is refused
    network: int = 14
    family: int = 4
    protocol: int = 17
    octets: int = 0
    transport: int = 34
    ports: tuple[int, int] | None = (1111, 2222)
    flags: int = 0
    vlan: int = -1
    extensions: list[tuple[int, int]] = field(default_factory=list)


def ethernet(*tags: Packet) -> Packet:
    frame = Ether(src=SOURCE, dst=DESTINATION)
    for tag in tags:
        frame /= tag
    return frame


def forged(name: str, frame: Packet, **fields: object) -> Forged:
    return Forged(name, bytes(frame).hex(), **fields)  # type: ignore[arg-type]


def udp4(**fields: object) -> Packet:
    return IP(**IP4, **fields) / UDP(sport=1111, dport=2222) / TEXT


def ipv4() -> Iterator[Forged]:
    yield forged("udp", ethernet() / udp4(), octets=68)
    tcp = IP(**IP4) / TCP(sport=1111, dport=2222, flags="SA") / TEXT
    yield forged("tcp", ethernet() / tcp, octets=80, protocol=6, flags=0x12)
    yield forged("icmp", ethernet() / IP(**IP4) / ICMP() / TEXT, octets=68, protocol=1, ports=None)
    sctp = IP(**IP4, proto=132) / SCTP(sport=1111, dport=2222) / TEXT
    yield forged("sctp", ethernet() / sctp, octets=72, protocol=132)
    for words in (1, 3, 10):
        options = [IPOption_RR(length=words * 4 - 1, routers=["9.9.9.9"] * (words - 1)), IPOption_NOP()]
        packet = udp4(options=options if words > 1 else [IPOption_NOP()] * 4)
        size = 20 + words * 4
        yield forged(f"options {words}", ethernet() / packet, octets=size + 48, transport=14 + size)
    for name, fields, whole in (
        ("first fragment", {"flags": "MF", "id": 1}, True),
        ("unrelated later fragment", {"frag": 5, "id": 2}, False),
        ("last fragment", {"flags": 0, "frag": 9, "id": 3}, False),
        ("do not fragment", {"flags": "DF", "id": 4}, True),
    ):
        packet = udp4(**fields)
        yield forged(name, ethernet() / packet, octets=68, ports=(1111, 2222) if whole else None)
    short = ethernet() / (IP(**IP4, proto=17, len=22) / Raw(b"\xaa\xbb")) / Padding(b"\x11" * 24)
    yield forged("two octets of UDP, then padding", short, octets=22, ports=None)
    bare = ethernet() / (IP(**IP4, proto=6, len=20)) / Padding(b"\x11" * 26)
    yield forged("no octet of TCP, then padding", bare, octets=20, protocol=6, ports=None)
    half = ethernet() / (IP(**IP4, proto=6, len=30)) / Raw(b"\x04\x57\x08\xae" + b"\x12" * 22)
    yield forged("ports of TCP but no flags", half, octets=30, protocol=6, flags=0)
    yield forged("zero total length", ethernet() / udp4(len=0), octets=68)
    yield forged("longer than the frame", ethernet() / udp4(len=9000), octets=9000)
    yield forged("header longer than the packet", ethernet() / udp4(len=30, ihl=12), kind="bad_length")
    yield forged("header of four words", ethernet() / udp4(ihl=4), kind="bad_length")
    yield forged("total length below the header", ethernet() / udp4(len=19), kind="bad_length")
    yield forged("version 5", ethernet() / udp4(version=5), kind="bad_version")


def tags() -> Iterator[Forged]:
    for depth in (*range(1, 10), 32):
        wrapped = ethernet(*[Dot1Q(vlan=100 + number) for number in range(depth)])
        end = 14 + 4 * depth
        where = {"network": end, "transport": end + 20, "vlan": 99 + depth}
        yield forged(f"{depth} tags", wrapped / udp4(), octets=68, **where)
    for name, wrapping, vlan in (
        ("QinQ", (Dot1AD(vlan=7), Dot1Q(vlan=8)), 8),
        ("priority tag", (Dot1Q(vlan=0, prio=5),), -1),
        ("priority tag inside a VLAN", (Dot1Q(vlan=9), Dot1Q(vlan=0)), 9),
        ("VLAN 4095, all bits", (Dot1Q(vlan=4095, prio=7, id=1),), 4095),
    ):
        end = 14 + 4 * len(wrapping)
        where = {"network": end, "transport": end + 20, "vlan": vlan}
        yield forged(name, ethernet(*wrapping) / udp4(), octets=68, **where)
    old = bytes(ethernet(Dot1Q(vlan=5)) / udp4()).replace(b"\x81\x00", b"\x91\x00", 1)
    yield forged("the older QinQ", Raw(old), octets=68, network=18, transport=38, vlan=5)
    wrapped = ethernet(*[Dot1Q(vlan=100)] * 33)
    yield forged("33 tags", wrapped / udp4(), kind="too_deep", network=14 + 32 * 4)
    arp = ethernet(Dot1Q(vlan=5)) / ARP(hwsrc=SOURCE, psrc="192.0.2.10")
    yield forged("tagged ARP", arp, kind="arp", network=18)


def ipv6() -> Iterator[Forged]:
    udp, common = UDP(sport=1111, dport=2222) / TEXT, {"family": 6, "transport": 54}
    yield forged("udp6", ethernet() / IPv6(**IP6) / udp, octets=88, **common)
    tcp = TCP(sport=1111, dport=2222, flags="F") / TEXT
    yield forged("tcp6", ethernet() / IPv6(**IP6) / tcp, octets=100, protocol=6, flags=1, **common)
    ping = IPv6(**IP6) / ICMPv6EchoRequest() / TEXT
    yield forged("icmp6", ethernet() / ping, octets=88, protocol=58, ports=None, **common)
    wide = {"network": 18, "family": 6, "transport": 58, "vlan": 77}
    yield forged("tagged udp6", ethernet(Dot1Q(vlan=77)) / IPv6(**IP6) / udp, octets=88, **wide)
    nothing = IPv6(**IP6, nh=59) / Raw(b"\x11" * 20)
    yield forged("no next header", ethernet() / nothing, octets=60, protocol=59, ports=None, **common)
    cut = IPv6(**IP6, nh=17, plen=2) / Raw(b"\xaa\xbb" + b"\x11" * 20)
    yield forged("two octets of UDP6, then padding", ethernet() / cut, octets=42, ports=None, **common)
    yield forged("version 7", ethernet() / IPv6(**IP6, version=7) / udp, kind="bad_version", family=6)
    for name, chain in (
        ("hop by hop", [IPv6ExtHdrHopByHop(options=PadN(optdata=b"\0" * 4))]),
        ("long destination options", [IPv6ExtHdrDestOpt(options=PadN(optdata=b"\0" * 250))]),
        ("routing", [IPv6ExtHdrRouting(addresses=["2001:db8::99", "2001:db8::98"])]),
        ("authentication", [AH(spi=1, seq=1, icv=b"\0" * 12, padding=b"")]),
        ("atomic fragment", [IPv6ExtHdrFragment(offset=0, m=0, id=9)]),
        ("first fragment", [IPv6ExtHdrFragment(offset=0, m=1, id=8)]),
        (
            "everything",
            [
                IPv6ExtHdrHopByHop(options=PadN(optdata=b"\0" * 12)),
                IPv6ExtHdrDestOpt(),
                IPv6ExtHdrRouting(addresses=["2001:db8::99"]),
                IPv6ExtHdrFragment(offset=0, m=0, id=7),
                AH(spi=1, seq=1, icv=b"\0" * 16, padding=b""),
                IPv6ExtHdrDestOpt(),
            ],
        ),
        ("eight headers", [IPv6ExtHdrDestOpt() for _ in range(8)]),
    ):
        yield chained(name, chain, udp)
    later = IPv6ExtHdrFragment(offset=100, m=1, id=6, nh=17)
    frame = ethernet() / IPv6(**IP6) / later / Raw(b"\x99" * 40)
    where = {"family": 6, "transport": 62, "extensions": [(54, 44)]}
    yield forged("unrelated later fragment 6", frame, octets=88, ports=None, **where)


NUMBERS = {
    IPv6ExtHdrHopByHop: 0,
    IPv6ExtHdrRouting: 43,
    IPv6ExtHdrFragment: 44,
    AH: 51,
    IPv6ExtHdrDestOpt: 60,
}


def chained(name: str, chain: list[Packet], udp: Packet) -> Forged:
    """UDP behind extension headers, put together by hand: each header names the next one."""
    numbers = [NUMBERS[type(header)] for header in chain] + [17]
    body, extensions = b"", []
    for header, following in zip(chain, numbers[1:], strict=True):
        content = bytearray(bytes(header))
        content[0] = following
        if type(header) is AH:
            content[1] = len(content) // 4 - 2  # RFC 4302 section 2.2
        extensions.append((54 + len(body), NUMBERS[type(header)]))
        body += bytes(content)
    packet = IPv6(**IP6, nh=numbers[0]) / Raw(body + bytes(IPv6(**IP6) / udp)[40:])
    transport = 54 + len(body)
    octets = len(bytes(packet))
    where = {"family": 6, "transport": transport, "extensions": extensions}
    return forged(f"6 {name}", ethernet() / packet, octets=octets, **where)


def other() -> Iterator[Forged]:
    yield forged("ARP", ethernet() / ARP(hwsrc=SOURCE, psrc="192.0.2.10"), kind="arp")
    loop = Ether(src=SOURCE, dst=DESTINATION, type=0x9000) / TEXT
    yield forged("neither IP nor ARP", loop, kind="not_ip")
    length = Ether(src=SOURCE, dst=DESTINATION, type=38) / TEXT
    yield forged("802.3 with a length", length, kind="not_ip", network=17)


if __name__ == "__main__":
    for make in (ipv4, tags, ipv6, other):
        for one in make():
            print(json.dumps(asdict(one)))
