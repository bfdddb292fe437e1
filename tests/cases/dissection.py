"""tshark's dissection of a capture, frame by frame, with the order and the nesting of its layers kept.

Nothing of the product is imported here: the judge must not share its mistakes.
"""

import json
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

READ = (
    *("frame", "eth", "vlan", "ieee8021ad", "sll", "wlan", "llc", "ip", "ipv6", "ah", "icmp", "icmpv6"),
    *("tcp", "udp", "udplite", "sctp", "dccp", "gre", "erspan", "arp", "dhcp", "dhcpv6"),
)
"""Protocols whose fields are wanted; the others are named only."""

_OPTIONS = (
    # Every packet speaks for itself: no datagram and no stream is put together.
    *("-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "-o", "tcp.desegment_tcp_streams:FALSE"),
    *("-o", "wlan.enable_decryption:FALSE"),
    *("-d", "udp.port==8472,vxlan"),
    *("-o", "lwapp.swap_fc:TRUE"),  # as the controllers send it that the world has
)


@dataclass(frozen=True)
class Layer:
    """One protocol of a frame: every value of each of its fields, nested ones included, in their order."""

    name: str
    fields: dict[str, list[str]]

    def first(self, name: str) -> str:
        """The first value of a field; empty where it has none."""
        return self.fields.get(name, [""])[0]

    def number(self, name: str) -> int:
        """The first value, decimal or 0x-hexadecimal; 0 where there is none."""
        return int(self.first(name) or "0", 0)


def frames(capture: Path, *options: str) -> list[list[Layer]]:
    """The layers of every frame, outermost first, begun by tshark's own called `frame`.

    `options` are more of tshark's, where a capture cannot be read without.
    What an ICMP error quotes is nested in its layer, not beside it: no layer here lies in a quotation.
    """
    # JSON names a key twice where a protocol comes twice, so that its order is read as pairs.
    said = json.loads(_tshark(capture, "json", *options) or "[]", object_pairs_hook=list)
    dissected = [dict(dict(frame)["_source"])["layers"] for frame in said]
    # A comment in the capture comes as a layer before all others.
    return [[_layer(*pair) for pair in layers if pair[0] != "pkt_comment"] for layers in dissected]


def starts(capture: Path, numbers: list[int]) -> dict[tuple[int, int], int]:
    """Where the IP layers of these frames begin: (frame number, how many IP layers before it) to bytes."""
    wanted = ("-Y", f"frame.number in {{{','.join(map(str, numbers))}}}")
    dissected = ET.fromstring(_tshark(capture, "pdml", *wanted)).iter("packet")
    found = {}
    for number, packet in zip(numbers, dissected, strict=True):
        layers = [proto for proto in packet.findall("proto") if proto.get("name") in ("ip", "ipv6")]
        found.update({(number, depth): int(proto.get("pos", "0")) for depth, proto in enumerate(layers)})
    return found


def _tshark(capture: Path, form: str, *more: str) -> str:
    """stdout; a capture that ends amid a packet is read as far as it goes."""
    arguments = ["tshark", "-n", "-r", str(capture), "-T", form, "-J", " ".join(READ), *_OPTIONS, *more]
    return subprocess.run(arguments, capture_output=True, text=True, errors="replace").stdout


def _layer(name: str, said: object) -> Layer:
    fields: dict[str, list[str]] = {}
    for key, value in _values(said):
        fields.setdefault(key, []).append(value)
    return Layer(name, fields)


def _values(said: object) -> Iterator[tuple[str, str]]:
    for key, value in said if isinstance(said, list) else []:
        if isinstance(value, list):
            yield from _values(value)
        else:
            yield key, str(value)
