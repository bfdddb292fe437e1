# SPDX-License-Identifier: GPL-2.0-only
"""Frames in every tunnel and on every link made by scapy, each with what its inside must be taken for.

A process of its own, because scapy is GPL-2.0-only: `python tests/forge/tunnel_frames.py` prints one JSON
object a line, the fields of `Forged` below.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field

from scapy.contrib.erspan import ERSPAN_II, ERSPAN_III, ERSPAN_PlatformSpecific
from scapy.contrib.etherip import EtherIP
from scapy.contrib.geneve import GENEVE, GeneveOptions
from scapy.contrib.gtp import GTP_U_Header, GTPPDUSessionContainer
from scapy.contrib.mpls import MPLS, EoMCW
from scapy.contrib.tzsp import TZSP, TZSPTagEnd, TZSPTagPadding, TZSPTagRawRSSIByte, TZSPTagTimestamp
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dot11 import Dot11
from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.layers.inet6 import ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6, IPv6ExtHdrDestOpt
from scapy.layers.l2 import (
    ARP,
    GRE,
    GRE_PPTP,
    LLC,
    SNAP,
    STP,
    CookedLinux,
    CookedLinuxV2,
    Dot1AD,
    Dot1Q,
    Dot3,
    Ether,
    GRErouting,
    Loopback,
)
from scapy.layers.l2tp import L2TP
from scapy.layers.ppp import HDLC, PPP, PPPoE
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Padding, Raw

TEXT = Raw(b"\x99" * 40)
OUTER_MACS = ("02:00:00:00:00:01", "02:00:00:00:00:02")
INNER_MACS = ("06:11:22:33:44:55", "06:aa:bb:cc:dd:ee")
FOUR, SIX = 0x0800, 0x86DD


@dataclass
class Forged:
    """`packet` is [source, destination, protocol, octets, ports, MACs (source, destination), VLAN, hidden].

    None of it where the frame gives no packet: then `refused` says why, unless it is a claim. `outers` are
    the pairs of addresses of the IP layers around the innermost: recorded where bytes are missing.
    """

    name: str
    frame: str
    packet: list[object] | None
    link_type: int = 1
    outers: list[list[str]] = field(default_factory=list)
    refused: str = ""
    noted: int = 0


@dataclass
class Inner:
    """An innermost packet with what it is."""

    packet: Packet
    kind: int
    protocol: int
    ports: list[int]


def innermost() -> Iterator[Inner]:
    udp, tcp = UDP(sport=1111, dport=2222) / TEXT, TCP(sport=3333, dport=443, flags="SA") / TEXT
    yield Inner(IP(src="192.0.2.10", dst="198.51.100.7") / udp, FOUR, 17, [1111, 2222])
    yield Inner(IPv6(src="2001:db8::10", dst="2001:db9::7") / tcp, SIX, 6, [3333, 443])


Make = Callable[[bytes, int], tuple[int, Packet]]
"""From the inner frame and its ethertype to the outer IP's protocol number and what follows its header."""


def udp_to(port: int, *headers: Packet, source: int = 55555) -> Callable[[bytes], tuple[int, Packet]]:
    def make(body: bytes) -> tuple[int, Packet]:
        header = b"".join(bytes(one) for one in headers)
        return 17, UDP(sport=source, dport=port) / Raw(header + body)

    return make


def behind(number: int, *headers: Packet) -> tuple[int, Packet]:
    return number, Raw(b"".join(bytes(one) for one in headers))


def labels(*numbers: int) -> list[Packet]:
    return [MPLS(label=one, s=int(place == len(numbers) - 1)) for place, one in enumerate(numbers)]


def gtp(body: bytes, **fields: int) -> Packet:
    extra = GTP_U_Header(teid=7, gtp_type=255, **fields)
    size = len(bytes(extra)) - 8
    return UDP(sport=2152, dport=2152) / Raw(
        bytes(GTP_U_Header(teid=7, gtp_type=255, length=size + len(body), **fields)) + body
    )


def gtp_extended(body: bytes) -> Packet:
    """Two extension headers by hand (3GPP TS 29.281, 5.2): scapy builds the session container's contents."""
    first = b"\x01\x12\x34\x85"  # one word, next: PDU session container
    second = b"\x01" + bytes(GTPPDUSessionContainer(type=1, QFI=5))[1:3] + b"\x00"
    rest = b"\x00\x00\x00\xc0" + first + second + body  # sequence, N-PDU, next: PDCP PDU number
    return UDP(sport=2152, dport=2152) / Raw(b"\x34\xff" + len(rest).to_bytes(2, "big") + b"\0\0\0\7" + rest)


IP_TUNNELS: dict[str, Make] = {
    "IP in IP": lambda body, kind: (4 if kind == FOUR else 41, Raw(body)),
    "GRE": lambda body, kind: (47, GRE(proto=kind) / Raw(body)),
    "GRE with everything": lambda body, kind: (
        47,
        GRE(proto=kind, chksum_present=1, key_present=1, seqnum_present=1, key=9, seqence_number=8)
        / Raw(body),
    ),
    "GRE with routes": lambda body, kind: (
        47,
        Raw(
            bytes(GRE(proto=kind, routing_present=1))[:8]
            + bytes(GRErouting(address_family=0x0800, SRE_offset=0, SRE_len=4, routing_info=b"\x0a\0\0\1"))[
                :8
            ]
            + b"\0\0\0\0"
            + body
        ),
    ),
    "GRE with labels": lambda body, _: behind(47, GRE(proto=0x8847), *labels(17, 18), Raw(body)),
    "GRE with PPP": lambda body, kind: behind(
        47, GRE(proto=0x880B), PPP(proto=0x21 if kind == FOUR else 0x57), Raw(body)
    ),
    "WCCP": lambda body, kind: behind(
        47, GRE(proto=0x883E if kind == FOUR else kind), Raw(b"\x01\0\0\0"[: 4 * (kind == FOUR)] + body)
    ),
    "PPTP": lambda body, kind: behind(
        47,
        GRE_PPTP(
            seqnum_present=1,
            acknum_present=1,
            payload_len=len(body) + 4,
            call_id=3,
            seqence_number=5,
            ack_number=4,
        ),
        HDLC(),
        PPP(proto=0x21 if kind == FOUR else 0x57),
        Raw(body),
    ),
    "PPTP, compressed": lambda body, kind: behind(
        47,
        GRE_PPTP(seqnum_present=1, payload_len=len(body) + 1, call_id=3, seqence_number=5),
        Raw(b"\x21" if kind == FOUR else b"\x57"),
        Raw(body),
    ),
    "ERSPAN III of IP": lambda body, _: behind(
        47, GRE(proto=0x22EB, seqnum_present=1), ERSPAN_III(ft=2, session_id=5), Raw(body)
    ),
    "VXLAN-GPE of IP": lambda body, kind: udp_to(
        4790, VXLAN(flags="Instance+NextProtocol", NextProtocol=1 if kind == FOUR else 2, vni=5)
    )(body),
    "Geneve of IP": lambda body, kind: udp_to(6081, GENEVE(proto=kind, vni=5))(body),
    "GTP-U": lambda body, _: (17, gtp(body)),
    "GTP-U with sequence": lambda body, _: (17, gtp(body, S=1, seq=3)),
    "GTP-U with extensions": lambda body, _: (17, gtp_extended(body)),
    "MPLS in UDP": lambda body, _: udp_to(6635, *labels(17, 18))(body),
    "MPLS in IP": lambda body, _: behind(137, *labels(17), Raw(body)),
    "L2TP": lambda body, kind: udp_to(
        1701,
        L2TP(hdr=0, version=2, tunnel_id=5, session_id=6),
        HDLC(),
        PPP(proto=0x21 if kind == FOUR else 0x57),
    )(body),
    "L2TP with everything": lambda body, kind: udp_to(
        1701,
        Raw(b"\x4a\x02" + (len(body) + 20).to_bytes(2, "big") + b"\0\5\0\6" + b"\0\1\0\2" + b"\0\2\0\0"),
        HDLC(),
        PPP(proto=0x21 if kind == FOUR else 0x57),
        source=1701,
    )(body),
}

ETHERNET_TUNNELS: dict[str, Make] = {
    "GRE of Ethernet": lambda body, _: (47, GRE(proto=0x6558, key_present=1, key=4) / Raw(body)),
    "ERSPAN I": lambda body, _: (47, GRE(proto=0x88BE) / Raw(body)),
    "ERSPAN II": lambda body, _: behind(
        47, GRE(proto=0x88BE, seqnum_present=1), ERSPAN_II(ver=1, vlan=0, session_id=5), Raw(body)
    ),
    "ERSPAN II of VLAN 33": lambda body, _: behind(
        47, GRE(proto=0x88BE, seqnum_present=1), ERSPAN_II(ver=1, vlan=33, session_id=5), Raw(body)
    ),
    "ERSPAN III": lambda body, _: behind(
        47, GRE(proto=0x22EB, seqnum_present=1), ERSPAN_III(ft=0, session_id=5, p=1), Raw(body)
    ),
    "ERSPAN III with platform": lambda body, _: behind(
        47,
        GRE(proto=0x22EB, seqnum_present=1),
        ERSPAN_III(ft=0, session_id=5, vlan=34, o=1),
        ERSPAN_PlatformSpecific(),
        Raw(body),
    ),
    "VXLAN": lambda body, _: udp_to(4789, VXLAN(flags="Instance", vni=5))(body),
    "VXLAN, Linux port, answered": lambda body, _: udp_to(55555, VXLAN(flags="Instance", vni=5), source=8472)(
        body
    ),
    "VXLAN with policy": lambda body, _: udp_to(4789, VXLAN(flags="Instance+G", gpid=77, vni=5))(body),
    "VXLAN-GPE": lambda body, _: udp_to(4790, VXLAN(flags="Instance+NextProtocol", NextProtocol=3, vni=5))(
        body
    ),
    "Geneve": lambda body, _: udp_to(
        6081,
        GENEVE(
            proto=0x6558,
            optionlen=3,
            vni=5,
            options=[GeneveOptions(classid=1, type=2, length=2, data=b"\1" * 8)],
        ),
    )(body),
    "TZSP": lambda body, _: udp_to(
        37008,
        TZSP(type=0, encapsulated_protocol=1),
        TZSPTagPadding(),
        TZSPTagRawRSSIByte(raw_rssi=40),
        TZSPTagTimestamp(timestamp=5),
        TZSPTagEnd(),
    )(body),
    "TZSP, sent": lambda body, _: udp_to(
        55555, TZSP(type=1, encapsulated_protocol=1), TZSPTagEnd(), source=37008
    )(body),
    "EtherIP": lambda body, _: behind(97, EtherIP(version=3), Raw(body)),
    "Ethernet in IP": lambda body, _: (143, Raw(body)),
    "GRE of a pseudowire": lambda body, _: behind(47, GRE(proto=0x8847), *labels(19), EoMCW(), Raw(body)),
}
"""In all of them the inner frame says its VLAN itself, but for the two that say one for it."""

VLAN_OF = {"ERSPAN II of VLAN 33": 33, "ERSPAN III with platform": 34}


def octets(packet: Packet) -> int:
    return len(bytes(packet))


def around(level: int, version: int, made: tuple[int, Packet]) -> tuple[Packet, int, list[str]]:
    number, content = made
    if version == 6:
        ends = [f"2001:db8:{level + 1}::1", f"2001:db8:{level + 1}::2"]
        return IPv6(src=ends[0], dst=ends[1], nh=number) / content, SIX, ends
    ends = [f"10.{level}.0.1", f"10.{level}.0.2"]
    return IP(src=ends[0], dst=ends[1], proto=number) / content, FOUR, ends


def tunnelled(inner: Inner, chain: list[str], versions: list[int], inner_vlan: int = 0) -> Forged:
    """`chain` from the outside in: the last tunnel carries the innermost packet."""
    content, kind, outers = inner.packet, inner.kind, []
    size = octets(content)
    macs, hidden, vlan = None, False, None
    for level in reversed(range(len(chain))):
        name = chain[level]
        body = bytes(content)
        if name in ETHERNET_TUNNELS:
            link = Ether(src=INNER_MACS[0], dst=INNER_MACS[1], type=kind)
            if macs is None:
                tag = inner_vlan if level == len(chain) - 1 else 0
                vlan = tag or VLAN_OF.get(name, -1)
                macs = list(INNER_MACS)
                if tag:
                    link = Ether(src=INNER_MACS[0], dst=INNER_MACS[1]) / Dot1Q(vlan=tag, type=kind)
            body = bytes(link) + body
            made = ETHERNET_TUNNELS[name](body, kind)
        else:
            hidden = hidden or macs is None
            made = IP_TUNNELS[name](body, kind)
        content, kind, ends = around(level, versions[level], made)
        outers.insert(0, ends)
    frame = Ether(src=OUTER_MACS[0], dst=OUTER_MACS[1], type=kind) / content
    told = [str(inner.packet.src), str(inner.packet.dst), inner.protocol, size, inner.ports]
    told += [macs or list(OUTER_MACS), -1 if vlan is None else vlan, hidden]
    name = " > ".join([*chain, f"IPv{4 if inner.kind == FOUR else 6}"])
    name += f" in VLAN {inner_vlan}" if inner_vlan else ""
    return Forged(f"{name} over {versions}", bytes(frame).hex(), told, outers=outers)


def tunnels() -> Iterator[Forged]:
    names = [*IP_TUNNELS, *ETHERNET_TUNNELS]
    for inner in innermost():
        for name in names:
            for version in (4, 6):
                yield tunnelled(inner, [name], [version])
        for name in ETHERNET_TUNNELS:
            yield tunnelled(inner, [name], [4], inner_vlan=55)
    first, second = innermost()
    for number, outermost in enumerate(names):
        for deeper in names:
            inner = first if number % 2 else second
            yield tunnelled(inner, [outermost, deeper], [4 + 2 * (number % 2), 4])
    yield tunnelled(first, ["VXLAN", "ERSPAN II", "GTP-U", "IP in IP", "TZSP", "GRE", "Geneve"], [4] * 7)


def linked(
    name: str, link_type: int, frame: bytes, inner: Inner, macs: list[str] | None = None, vlan: int = -1
) -> Forged:
    nobody = "00:00:00:00:00:00"
    told = [str(inner.packet.src), str(inner.packet.dst), inner.protocol, octets(inner.packet), inner.ports]
    version = 4 if inner.kind == FOUR else 6
    return Forged(
        f"{name}, IPv{version}", frame.hex(), [*told, macs or [nobody, nobody], vlan, False], link_type
    )


def links() -> Iterator[Forged]:
    for inner in innermost():
        yield from bare_links(inner)
        yield from ethernet_links(inner)


def bare_links(inner: Inner) -> Iterator[Forged]:
    body, four = bytes(inner.packet), inner.kind == FOUR
    kind = inner.kind.to_bytes(2, "big")
    for link_type in (12, 14, 101, 228 if four else 229):
        yield linked(f"raw {link_type}", link_type, body, inner)
    for family in (2,) if four else (10, 24, 28, 30):
        yield linked(f"loopback {family}, little", 0, bytes(Loopback(type=family)) + body, inner)
        yield linked(f"loopback {family}, big", 0, family.to_bytes(4, "big") + body, inner)
        yield linked(f"OpenBSD loopback {family}", 108, family.to_bytes(4, "big") + body, inner)
    protocol = 0x21 if four else 0x57
    ppp, framed = bytes(PPP(proto=protocol)), bytes(HDLC())
    for link_type in (9, 50):
        yield linked(f"PPP {link_type}", link_type, framed + ppp + body, inner)
    yield linked("PPP without address", 9, ppp + body, inner)
    yield linked("PPP, compressed", 9, bytes([protocol]) + body, inner)
    yield linked("PPP with labels", 9, b"\xff\x03\x02\x81" + bytes(labels(17)[0]) + body, inner)
    session = PPPoE(sessionid=3, len=len(body) + 2)
    yield linked("PPPoE alone", 51, bytes(session) + ppp + body + b"\0" * 9, inner)
    yield linked("Cisco HDLC", 104, b"\x0f\x00" + kind + body, inner)
    for link_type in (9, 50):
        yield linked(f"Cisco HDLC among PPP {link_type}", link_type, b"\x0f\x00" + kind + body, inner)
    yield linked("labels", 219, bytes(labels(17)[0]) + body, inner)
    told = [INNER_MACS[0], "00:00:00:00:00:00"]
    address = {"lladdrlen": 6, "lladdrtype": 1, "pkttype": 0}
    source = bytes.fromhex(INNER_MACS[0].replace(":", ""))
    cooked = CookedLinux(src=source + b"\0\0", proto=inner.kind, **address)
    yield linked("cooked", 113, bytes(cooked) + body, inner, told)
    nameless = CookedLinux(src=b"", proto=inner.kind, lladdrlen=0, lladdrtype=512, pkttype=4)
    yield linked("cooked without address", 113, bytes(nameless) + body, inner)
    tagged = bytes(CookedLinux(src=source + b"\0\0", proto=0x8100, **address)) + bytes(
        Dot1Q(vlan=5, type=inner.kind)
    )
    yield linked("cooked, tagged", 113, tagged + body, inner, told, 5)
    second = CookedLinuxV2(src=source + b"\0\0", proto=inner.kind, **address)
    yield linked("cooked 2", 276, bytes(second) + body, inner, told)


def ethernet_links(inner: Inner) -> Iterator[Forged]:
    body, kind, macs = bytes(inner.packet), inner.kind, list(INNER_MACS)
    addresses = {"src": macs[0], "dst": macs[1]}
    ppp = PPP(proto=0x21 if kind == FOUR else 0x57)
    session = PPPoE(sessionid=3, len=len(body) + 2)

    def one(name: str, *layers: Packet, vlan: int = -1, behind: bytes = b"") -> Forged:
        frame = b"".join(bytes(layer) for layer in layers) + body + behind
        return linked(name, 1, frame, inner, macs, vlan)

    yield one("PPPoE", Ether(**addresses, type=0x8864), session, ppp)
    yield one("PPPoE, padded", Ether(**addresses, type=0x8864), session, ppp, behind=b"\x45" * 30)
    tags = Ether(**addresses) / Dot1AD(vlan=9) / Dot1Q(vlan=10, type=0x8864)
    yield one("PPPoE, QinQ", tags, session, ppp, vlan=10)
    for count in (1, 2, 16):
        yield one(f"{count} labels", Ether(**addresses, type=0x8847), *labels(*range(20, 20 + count)))
    yield one("multicast label", Ether(**addresses, type=0x8848), *labels(20))
    yield one("tagged label", Ether(**addresses) / Dot1Q(vlan=4, type=0x8847), *labels(20), vlan=4)
    outer = Ether(src=OUTER_MACS[0], dst=OUTER_MACS[1], type=0x8847)
    yield one("pseudowire", outer, *labels(20), Ether(**addresses, type=kind))
    yield one(
        "pseudowire with control word", outer, *labels(20, 21), EoMCW(seq=7), Ether(**addresses, type=kind)
    )
    tagged = Ether(**addresses) / Dot1Q(vlan=6, type=kind)
    yield one(
        "pseudowire with a tag",
        Ether(src=OUTER_MACS[0], dst=OUTER_MACS[1]) / Dot1Q(vlan=3, type=0x8847),
        *labels(20),
        tagged,
        vlan=6,
    )
    backbone = Ether(src=OUTER_MACS[0], dst=OUTER_MACS[1], type=0x88E7)
    yield one("provider backbone", backbone, Raw(b"\0\0\0\5"), Ether(**addresses, type=kind))
    for name, oui in (("RFC 1042", 0), ("802.1H", 0xF8)):
        snap = LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=oui, code=kind)
        yield one(f"SNAP, {name}", Dot3(**addresses, len=len(body) + 8), snap, behind=b"\x45" * 20)
    snap = LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0, code=kind)
    tag = Raw(bytes(Dot1Q(vlan=5, type=len(body) + 8)))
    yield one("SNAP in a tag", Ether(**addresses, type=0x8100), tag, snap, vlan=5)
    for number in (0x9100, 0x9200, 0x9300, 0x88A8):
        yield one(
            f"tag {number:x}", Ether(**addresses, type=number), Raw(bytes(Dot1Q(vlan=5, type=kind))), vlan=5
        )


def whole(name: str, packet: Packet, noted: int = 0) -> Forged:
    """What only looks like a tunnel: recorded as it is."""
    network = packet.payload
    protocol = network.proto if isinstance(network, IP) else network.nh
    ports = [network.sport, network.dport] if protocol in (6, 17) else [-1, -1]
    told = [network.src, network.dst, protocol, octets(network), ports, [packet.src, packet.dst], -1, False]
    return Forged(name, bytes(packet).hex(), told, noted=noted)


def datagram(source: int, destination: int, content: bytes) -> Packet:
    return (
        Ether(src=OUTER_MACS[0], dst=OUTER_MACS[1])
        / IP(src="10.0.0.1", dst="10.0.0.2")
        / UDP(sport=source, dport=destination)
        / Raw(content)
    )


def protocol_of(number: int, content: bytes) -> Packet:
    return (
        Ether(src=OUTER_MACS[0], dst=OUTER_MACS[1])
        / IP(src="10.0.0.1", dst="10.0.0.2", proto=number)
        / Raw(content)
    )


def look_alikes() -> Iterator[Forged]:
    query = bytes.fromhex("1234010000010000000000000377777706676f6f676c6503636f6d0000010001")
    quic = b"\xc3\x00\x00\x00\x01\x08" + b"\x5a" * 60
    stun = bytes.fromhex("000100002112a442") + b"\x33" * 12
    bodies = {
        "DNS": query,
        "QUIC": quic,
        "STUN": stun,
        "zeros": bytes(60),
        "ones": b"\xff" * 60,
        "nothing": b"",
    }
    for port in (4789, 8472, 4790, 6081, 37008, 2152, 6635, 1701):
        for name, body in bodies.items():
            yield whole(f"{name} from {port}", datagram(port, 53, body))
            yield whole(f"{name} to {port}", datagram(443, port, body))
    ethernet = bytes(Ether(src=INNER_MACS[0], dst=INNER_MACS[1]) / next(innermost()).packet)
    inside = bytes(next(innermost()).packet)
    for name, port, header, body in (
        ("VXLAN without a network", 4789, b"\0" * 8, ethernet),
        ("VXLAN with a reserved bit", 4789, b"\x08\0\0\1\0\0\5\0", ethernet),
        ("VXLAN with a reserved byte", 4789, b"\x08\0\0\0\0\0\5\1", ethernet),
        ("VXLAN-GPE of version 1", 4790, b"\x1c\0\0\3\0\0\5\0", ethernet),
        ("Geneve of version 1", 6081, b"\x40\0\x65\x58\0\0\5\0", ethernet),
        ("Geneve of what nobody knows", 6081, b"\0\0\x12\x34\0\0\5\0", ethernet),
        ("Geneve with a reserved byte", 6081, b"\0\0\x65\x58\0\0\5\1", ethernet),
        ("Geneve with options beyond its end", 6081, b"\x3f\0\x65\x58\0\0\5\0", b"\1" * 60),
        ("TZSP of version 2", 37008, b"\2\0\0\1\1", ethernet),
        ("TZSP of a token ring", 37008, b"\1\0\0\2\1", ethernet),
        ("TZSP kept alive", 37008, b"\1\4\0\1\1", ethernet),
        ("TZSP without an end", 37008, b"\1\0\0\1", b"\0" * 60),
        ("GTP echo", 2152, b"\x32\1\0\4\0\0\0\0\0\1\0\0", b""),
        ("GTP of a wrong length", 2152, b"\x30\xff\0\5\0\0\0\1", inside),
        ("GTP's charging", 2152, b"\x20\xff" + len(inside).to_bytes(2, "big") + b"\0\0\0\1", inside),
        ("GTP of no IP", 2152, b"\x30\xff\0\x28\0\0\0\1", b"\x99" * 40),
        ("labels without an end", 6635, b"\0\x01\x40\x40" * 15, b""),
        ("labels of no IP", 6635, b"\0\x01\x41\x40", b"\x99" * 40),
        ("labels of a shorter IP", 6635, b"\0\x01\x41\x40", inside + b"\0"),
        ("L2TP control", 1701, b"\xc8\2\0\x0c\0\0\0\0\0\0\0\0", b""),
        ("L2TP of a wrong length", 1701, b"\x40\2\0\5\0\5\0\6\xff\3\0\x21", inside),
        ("L2TP of version 3", 1701, b"\0\3\0\5\0\6\xff\3\0\x21", inside),
    ):
        yield whole(name, datagram(443, port, header + body))


def forty_tags() -> Packet:
    return (
        Raw(bytes(Dot1Q(vlan=5, type=0x8100)) * 39 + bytes(Dot1Q(vlan=5, type=FOUR)))
        / next(innermost()).packet
    )


def unknown() -> Iterator[Forged]:
    """Tunnels whose inside nobody understands: recorded as they are, and counted."""
    link = Ether(src=INNER_MACS[0], dst=INNER_MACS[1], type=0x1234) / TEXT
    inside = bytes(next(innermost()).packet)
    vxlan, four = b"\x08\0\0\0\0\0\5\0", b"\0\0\x08\0"
    short = bytes(Ether(src=INNER_MACS[0], dst=INNER_MACS[1], type=0x0800)) + inside[:10]
    for name, packet in (
        ("VXLAN of an unknown type", datagram(55555, 4789, vxlan + bytes(link))),
        (
            "VXLAN of forty tags",
            datagram(
                55555,
                4789,
                vxlan + bytes(Ether(src=INNER_MACS[0], dst=INNER_MACS[1], type=0x8100) / forty_tags()),
            ),
        ),
        ("VXLAN of nothing", datagram(55555, 4789, vxlan)),
        ("VXLAN of half a header", datagram(55555, 4789, vxlan + bytes(link)[:9])),
        ("VXLAN of half an IP header", datagram(55555, 4789, vxlan + short)),
        (
            "VXLAN of a false length",
            datagram(
                55555,
                4789,
                vxlan + bytes(Dot3(src=INNER_MACS[0], dst=INNER_MACS[1], len=900) / LLC()) + bytes(50),
            ),
        ),
        ("GRE of nothing", protocol_of(47, four)),
        ("GRE kept alive", protocol_of(47, bytes(4))),
        ("GRE of version 3", protocol_of(47, b"\0\3\x08\0" + inside)),
        ("GRE with a reserved bit", protocol_of(47, b"\1\0\x08\0" + inside)),
        ("GRE of routing protocols", protocol_of(47, b"\0\0\0\xfe" + inside)),
        (
            "GRE whose routes never end",
            protocol_of(47, b"\x40\0\x08\0\0\0\0\0" + b"\x08\0\0\4\1\1\1\1" * 9 + inside),
        ),
        ("GRE of another IP", protocol_of(47, b"\0\0\x86\xdd" + inside)),
        ("PPTP of encrypted PPP", protocol_of(47, b"\x30\1\x88\x0b\0\x22\0\3\0\0\0\5\0\xfd" + b"\x77" * 32)),
        ("ERSPAN of version 9", protocol_of(47, b"\x10\0\x88\xbe\0\0\0\1\x90\0\0\5\0\0\0\0" + bytes(link))),
        (
            "ERSPAN III of 802.11",
            protocol_of(47, b"\x10\0\x22\xeb\0\0\0\1\x20\0\0\5\0\0\0\0\0\0\x04\0" + bytes(link)),
        ),
        ("IP in IP of version 5", protocol_of(4, b"\x55" + inside[1:])),
        ("IP in IP of a short header", protocol_of(4, b"\x44" + inside[1:])),
        ("half an IP in IP", protocol_of(4, inside[:19])),
        ("EtherIP of version 2", protocol_of(97, b"\x20\0" + bytes(link))),
        ("labels without an end in IP", protocol_of(137, b"\0\1\x40\x40" * 40)),
        (
            "GTP with an endless extension",
            datagram(2152, 2152, b"\x34\xff\0\x30\0\0\0\7\0\0\0\xc0" + b"\1\0\0\xc0" * 11),
        ),
    ):
        yield whole(name, packet, noted=1)
    yield nested_too_deep()


def nested_too_deep() -> Forged:
    first = next(innermost())
    forged = tunnelled(first, ["IP in IP"] * 9, [4] * 9)
    source, destination = forged.outers[7]
    size = octets(first.packet) + 20 * 2
    forged.packet = [source, destination, 4, size, [-1, -1], list(OUTER_MACS), -1, True]
    forged.outers, forged.noted, forged.name = forged.outers[:7], 1, "nine tunnels"
    return forged


def silent() -> Iterator[Forged]:
    """Tunnels and links that carry no IP, and are known not to."""
    macs = {"src": INNER_MACS[0], "dst": INNER_MACS[1]}
    vxlan = b"\x08\0\0\0\0\0\5\0"
    spanning = Dot3(**macs) / LLC(dsap=0x42, ssap=0x42, ctrl=3) / STP()
    arp = Ether(**macs) / ARP(
        op=2, hwsrc=INNER_MACS[0], psrc="192.0.2.10", hwdst=INNER_MACS[1], pdst="192.0.2.1"
    )
    for name, content, refused in (
        ("LLDP", Ether(**macs, type=0x88CC) / TEXT, "not_ip"),
        ("EAPOL", Ether(**macs, type=0x888E) / TEXT, "not_ip"),
        ("spanning tree", spanning / Padding(b"\0" * 8), "not_ip"),
        ("tagged LLDP", Ether(**macs) / Dot1Q(vlan=4, type=0x88CC) / TEXT, "not_ip"),
        ("PPPoE discovery", Ether(**macs, type=0x8863) / TEXT, "not_ip"),
        (
            "PPPoE negotiation",
            Ether(**macs, type=0x8864) / PPPoE(sessionid=3, len=12) / Raw(b"\xc0\x21" + b"\1" * 10),
            "not_ip",
        ),
        ("ARP", arp, ""),
        (
            "ARP probe",
            Ether(**macs) / ARP(op=1, hwsrc=INNER_MACS[0], psrc="0.0.0.0", pdst="192.0.2.1"),
            "not_ip",
        ),
    ):
        inside = vxlan + bytes(content)
        once, again = datagram(55555, 4789, inside), protocol_of(47, b"\0\0\x65\x58" + bytes(content))
        again[IP].src, again[IP].dst = "198.51.100.1", "198.51.100.2"
        outer = IPv6(src="2001:db8:1::1", dst="2001:db8:1::2") / UDP(sport=55555, dport=4789) / Raw(inside)
        pair = ["10.0.0.1", "10.0.0.2"]
        for where, packet, outers in (
            ("alone", content, []),
            ("in VXLAN", once, [pair]),
            ("in VXLAN over IPv6", Ether(**macs) / outer, [[outer.src, outer.dst]]),
            (
                "in GRE in VXLAN",
                datagram(55555, 4789, vxlan + bytes(again)),
                [pair, [again[IP].src, again[IP].dst]],
            ),
        ):
            yield Forged(f"{name} {where}", bytes(packet).hex(), None, outers=outers, refused=refused)
    yield from air()
    for link_type, frame in (
        (113, bytes(CookedLinux(proto=0x88CC)) + bytes(40)),
        (9, b"\xff\3\xc0\x21" + bytes(9)),
    ):
        yield Forged(f"nothing on link {link_type}", frame.hex(), None, link_type, refused="not_ip")
    yield Forged("loopback of no family", (b"\7\0\0\0" + bytes(40)).hex(), None, 0, refused="not_ip")
    yield Forged("raw of version 7", (b"\x75" + bytes(40)).hex(), None, 101, refused="bad_version")
    wrong = Ether(**macs, type=0x8864) / Raw(b"\x21\0\0\3\0\x20") / TEXT
    yield Forged("PPPoE of version 2", bytes(wrong).hex(), None, refused="bad_version")
    long = Ether(**macs, type=0x8864) / Raw(b"\x11\0\0\3\0\xff") / TEXT
    yield Forged("PPPoE longer than its frame", bytes(long).hex(), None, refused="bad_length")
    endless = Ether(**macs, type=0x8847) / Raw(b"\0\1\x40\x40" * 40)
    yield Forged("labels without an end", bytes(endless).hex(), None, refused="too_deep")
    yield Forged(
        "forty tags", bytes(Ether(**macs, type=0x8100) / forty_tags()).hex(), None, refused="too_deep"
    )


def air() -> Iterator[Forged]:
    """802.11 without anything to record, in TZSP."""
    address = {"addr1": OUTER_MACS[0], "addr2": INNER_MACS[0], "addr3": INNER_MACS[1]}
    for name, frame, refused in (
        ("encrypted 802.11", Dot11(type=2, FCfield="to_DS+protected", **address) / TEXT, "wifi_encrypted"),
        ("null frame", Dot11(type=2, subtype=4, FCfield="to_DS", **address), "wifi_no_data"),
        ("beacon", Dot11(type=0, subtype=8, **address) / TEXT, "wifi_no_data"),
        ("later piece", Dot11(type=2, FCfield="to_DS", SC=1, **address) / TEXT, "wifi_fragment"),
    ):
        packet = datagram(55555, 37008, b"\1\0\0\x12\1" + bytes(frame))
        pair = ["10.0.0.1", "10.0.0.2"]
        yield Forged(f"{name} in TZSP", bytes(packet).hex(), None, outers=[pair], refused=refused)


def claims() -> Iterator[Forged]:
    """ND that came through a tunnel without MACs says nothing of this network."""
    ask = IPv6(src="fe80::1", dst="ff02::1:ff00:2", hlim=255) / ICMPv6ND_NS(tgt="fe80::2")
    forged = tunnelled(Inner(ask, SIX, 58, [-1, -1]), ["IP in IP"], [4])
    forged.name = "ND in 6in4"
    yield forged
    ask = IPv6(src="fe80::1", dst="ff02::1:ff00:2", hlim=255) / ICMPv6ND_NS(tgt="fe80::2")
    ask /= ICMPv6NDOptSrcLLAddr(lladdr=INNER_MACS[0])
    forged = tunnelled(Inner(ask, SIX, 58, [-1, -1]), ["VXLAN"], [4])
    forged.name = "ND in VXLAN"
    yield forged
    lease = BOOTP(op=2, yiaddr="192.0.2.10", chaddr=bytes.fromhex(INNER_MACS[0].replace(":", "")))
    lease /= DHCP(options=[("message-type", "ack"), ("lease_time", 600), "end"])
    ack = IP(src="192.0.2.1", dst="192.0.2.10") / UDP(sport=67, dport=68) / lease
    forged = tunnelled(Inner(ack, FOUR, 17, [67, 68]), ["VXLAN"], [4])
    forged.name = "DHCP in VXLAN"
    yield forged
    options = (
        IPv6(src="2001:db8::10", dst="2001:db9::7") / IPv6ExtHdrDestOpt() / UDP(sport=1111, dport=2222) / TEXT
    )
    forged = tunnelled(Inner(options, SIX, 17, [1111, 2222]), ["VXLAN"], [6])
    forged.name = "options in VXLAN"
    yield forged


def split() -> Iterator[Forged]:
    """Datagrams of tunnels in fragments: the first one says everything, the others nothing."""
    long = IP(src="192.0.2.10", dst="198.51.100.7") / UDP(sport=1111, dport=2222) / Raw(b"\x99" * 1400)
    inner = Inner(long, FOUR, 17, [1111, 2222])
    for number, name in enumerate((*IP_TUNNELS, *ETHERNET_TUNNELS)):
        forged = tunnelled(inner, [name], [4])
        frame = Ether(bytes.fromhex(forged.frame))
        frame[IP].id = 100 + number
        pieces = fragment(frame[IP], fragsize=576)
        for place, piece in enumerate(pieces):
            wrapped = bytes(Ether(src=OUTER_MACS[0], dst=OUTER_MACS[1], type=FOUR)) + bytes(piece)
            first = place == 0
            yield Forged(
                f"piece {place} of {name}",
                wrapped.hex(),
                forged.packet if first else None,
                outers=forged.outers,
                refused="" if first else "tunnel_fragment",
            )


if __name__ == "__main__":
    for make in (tunnels, links, look_alikes, unknown, silent, claims, split):
        for one in make():
            print(json.dumps(asdict(one) | {"group": make.__name__}))
