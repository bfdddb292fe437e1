# SPDX-License-Identifier: GPL-2.0-only
"""Odd IP frames made by scapy, in batches, each with the packets it must be taken for.

A process of its own, because scapy is GPL-2.0-only: `python tests/forge/packet_frames.py` prints one JSON
object a line: {"name", "frames" (hex), "packets": [[source, destination, protocol, source port, destination
port, octets, VLAN]]}; ports are -1 where there are none to know, the VLAN -1 without one (IEEE 802.1Q: a tag
with VLAN 0 carries a priority only). "length" is there where a frame is cut: its length on the wire.
"""

import json
from collections.abc import Iterator

from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_RR, IPOption_Timestamp, fragment
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    Jumbo,
    PadN,
    fragment6,
)
from scapy.layers.ipsec import AH
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether
from scapy.layers.sctp import SCTP
from scapy.packet import Packet, Padding, Raw

A4, B4 = "192.0.2.10", "198.51.100.5"
A6, B6 = "2001:db8::10", "2001:db8:ffff::5"
ETHERNET = Ether(src="02:11:22:33:44:55", dst="02:aa:bb:cc:dd:ee")
V4, V6 = IP(src=A4, dst=B4), IPv6(src=A6, dst=B6)
Told = list[object]
Case = tuple[str, list[Packet | bytes], list[Told]]


def told(packet: Packet, protocol: int, ports: tuple[int, int] = (-1, -1), vlan: int = -1) -> Told:
    """What a whole packet is; its octets are its length when built."""
    addresses = [A4, B4] if packet.haslayer(IP) else [A6, B6]
    return [*addresses, protocol, *ports, len(bytes(packet)), vlan]


def whole_packets() -> Iterator[tuple[str, Packet, int, tuple[int, int]]]:
    ports, pair = {"sport": 1234, "dport": 443}, (1234, 443)
    tcp, udp, load = TCP(**ports), UDP(**ports), Raw(b"x" * 50)
    yield "TCP", V4 / tcp / load, 6, pair
    yield "UDP", V4 / udp / load, 17, pair
    yield "SCTP", V4 / SCTP(**ports) / load, 132, pair
    yield "ICMP", V4 / ICMP() / load, 1, (-1, -1)
    yield "ICMP error with a packet inside", V4 / ICMP(type=3) / IP(src=B4, dst=A4) / udp / load, 1, (-1, -1)
    yield "options", IP(src=A4, dst=B4, options=[IPOption_RR(), IPOption_Timestamp()]) / tcp / load, 6, pair
    yield "TCP options", V4 / TCP(**ports, options=[("MSS", 1460), ("SAckOK", b"")]) / load, 6, pair
    yield "unknown protocol", IP(src=A4, dst=B4, proto=253) / load, 253, (-1, -1)
    yield "nothing inside", IP(src=A4, dst=B4, proto=17), 17, (-1, -1)
    yield "tiny UDP", V4 / UDP(**ports), 17, pair
    yield "IPv6 TCP", V6 / tcp / load, 6, pair
    yield "IPv6 UDP", V6 / udp / load, 17, pair
    yield "IPv6 echo", V6 / ICMPv6EchoRequest() / load, 58, (-1, -1)
    yield "no next header", IPv6(src=A6, dst=B6, nh=59) / load, 59, (-1, -1)
    hop, destination = IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 12)]), IPv6ExtHdrDestOpt()
    routing = IPv6ExtHdrRouting(addresses=[B6])
    yield "hop by hop", V6 / hop / tcp / load, 6, pair
    done = IPv6ExtHdrRouting(addresses=["2001:db8::99"], segleft=0)
    yield "three headers", V6 / hop / destination / done / udp, 17, pair
    yield "routing twice", V6 / routing.copy() / destination / UDP(**ports) / load, 17, pair
    yield "authentication", V6 / AH(nh=6, payloadlen=4, icv=b"\1" * 12, padding=b"") / tcp / load, 6, pair
    yield "atomic fragment", V6 / IPv6ExtHdrFragment(m=0, offset=0) / udp / load, 17, pair


def tagged(packet: Packet) -> Iterator[tuple[str, Packet, int]]:
    yield "", ETHERNET / packet, -1
    yield ", one tag", ETHERNET / Dot1Q(vlan=7, prio=5) / packet, 7
    yield ", priority tag only", ETHERNET / Dot1Q(vlan=0, prio=5) / packet, -1
    yield ", QinQ", ETHERNET / Dot1AD(vlan=100) / Dot1Q(vlan=7) / packet, 7
    old = Ether(src=ETHERNET.src, dst=ETHERNET.dst, type=0x9100)
    yield ", old QinQ", old / Dot1Q(vlan=3) / Dot1Q(vlan=7) / packet, 7
    yield ", trailer", ETHERNET / packet / Padding(b"\xa7" * 12), -1


def whole_cases() -> Iterator[Case]:
    for name, packet, protocol, ports in whole_packets():
        for how, frame, vlan in tagged(packet):
            yield name + how, [frame], [told(packet, protocol, ports, vlan)]


def fragment_cases() -> Iterator[Case]:
    ports, pair = {"sport": 1234, "dport": 53}, (1234, 53)
    v4 = fragment(IP(src=A4, dst=B4, id=77) / UDP(**ports) / Raw(b"x" * 3000), fragsize=1000)
    v6 = fragment6(IPv6(src=A6, dst=B6) / IPv6ExtHdrFragment(id=78) / UDP(**ports) / Raw(b"x" * 3000), 1000)
    for name, parts in (("IPv4", v4), ("IPv6", v6)):
        frames = [ETHERNET / part for part in parts]
        packets = [told(part, 17, pair) for part in parts]
        yield f"{name} fragments", frames, packets
        yield f"{name} fragments, first one last", frames[::-1], packets[::-1]
        yield f"{name} fragments, first one missing", frames[1:], [told(part, 17) for part in parts[1:]]
        yield f"{name} fragments twice", frames * 2, packets * 2
    other = fragment(IP(src=A4, dst=B4, id=77) / UDP(sport=9, dport=10) / Raw(b"y" * 1500), fragsize=1000)
    again = [told(part, 17, (9, 10)) for part in other]
    yield (
        "an identification used again",
        [ETHERNET / p for p in v4 + other],
        [told(p, 17, pair) for p in v4] + again,
    )
    tiny = fragment(IP(src=A4, dst=B4, id=79) / TCP(**ports) / Raw(b"z" * 40), fragsize=8)
    yield "tiny fragments", [ETHERNET / part for part in tiny], [told(part, 6, pair) for part in tiny]


def refused_cases() -> Iterator[Case]:
    whole = bytes(ETHERNET / V4 / UDP())
    yield "no IP", [ETHERNET / Raw(b"\0" * 60)], []
    yield "version 5", [whole[:14] + b"\x55" + whole[15:]], []
    yield "header of 16 bytes", [whole[:14] + b"\x44" + whole[15:]], []
    yield "length shorter than its header", [bytes(ETHERNET / IP(src=A4, dst=B4, len=19) / UDP())], []
    yield "cut in the address", [whole[:32]], []
    yield "empty", [b""], []
    yield "only MACs", [whole[:12]], []


def jumbogram() -> tuple[Packet, int]:
    """The first bytes of a jumbogram (RFC 2675) and the length that its frame had on the wire."""
    options = IPv6ExtHdrHopByHop(options=[Jumbo(jumboplen=70_000)])
    packet = IPv6(src=A6, dst=B6, plen=0) / options / UDP(sport=1, dport=2) / Raw(b"j" * 300)
    return ETHERNET / packet, len(ETHERNET) + 40 + 70_000


def main() -> None:
    for cases in (whole_cases(), fragment_cases(), refused_cases()):
        for name, frames, packets in cases:
            print(
                json.dumps(
                    {"name": name, "frames": [bytes(frame).hex() for frame in frames], "packets": packets}
                )
            )
    frame, length = jumbogram()
    packets = [[A6, B6, 17, 1, 2, 70_040, -1]]
    frames = [bytes(frame).hex()]
    print(json.dumps({"name": "jumbogram", "frames": frames, "packets": packets, "length": length}))


if __name__ == "__main__":
    main()
