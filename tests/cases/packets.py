"""tshark's layers to packets by the rules of who is recorded: the innermost IP packet that is understood.

- What a tunnel of `TUNNELS` carries is the packet, with the MACs of the innermost link that has any. Anything
  else that carries packets (Teredo, LISP, NSH, ESP, ...) is payload: a client's own business.
- Where the inside is not understood (no protocol tshark knows, cut, malformed) the outer packet stays.
- Where the inside is a link's own traffic (ARP, spanning tree, EAPOL, LCP ...) there is no packet.
- Encrypted 802.11 is none. Later fragments of a tunnel's datagram are none: the first has told.
- A packet seen again within 20 ms as only the same packet can be is none; the sighting nearest the client is.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tests.cases.dissection import Layer, frames, starts

LINKS = frozenset({"eth", "wlan", "llc", "ppp"})
"""What a frame, or a tunnel, may carry and may say more than IP in."""

TUNNELS = frozenset(
    {
        *("gre", "erspan", "vxlan", "geneve", "tzsp", "gtp", "l2tp", "mpls", "pppoes"),
        *("capwap", "lwapp", "aruba_erm"),
    }
)
FRAMING = frozenset(
    {"radiotap", "wlan_radio", "ppi", "prism", "avs", "pcap_pktdata", "raw", "null", "sll", "chdlc"}
)
TAGS = {"vlan": "vlan.id", "ieee8021ad": "ieee8021ad.id"}
PORTED = {"tcp": "tcp", "udp": "udp", "udplite": "udp", "sctp": "sctp", "dccp": "dccp"}
EXTENSIONS = {
    0: "ipv6.hopopts.nxt",
    43: "ipv6.routing.nxt",
    44: "ipv6.fraghdr.nxt",
    51: "ah.next_header",
    60: "ipv6.dstopts.nxt",
}
KNOWN = LINKS | TUNNELS | FRAMING | TAGS.keys()
CONTENT = {
    "tcp": ("tcp.seq_raw", "tcp.ack_raw", "tcp.flags", "tcp.checksum"),
    "udp": ("udp.length", "udp.checksum", "udp.payload"),
    "icmp": ("icmp.type", "icmp.checksum", "icmp.seq"),
}
NOTHING = ("", "data", "_ws.malformed", "_ws.short", "_ws.unreassembled")
DEEPEST = 8
WINDOW_S = 0.02
MOST_IPV6_OCTETS = 40 + 0xFFFF


@dataclass(frozen=True)
class Packet:
    """One IP packet in tshark's words; ports are -1 where it has none, MACs empty, VLAN -1."""

    frame: int  # tshark's number, from 1
    source_mac: str
    destination_mac: str
    vlan: int
    ap: str
    source: str
    destination: str
    protocol: int
    octets: int
    hops: int
    fragment: tuple[int, bool, str]  # offset in octets, more to come, identification
    stack: str  # protocols from the outside in
    time: float  # s
    source_port: int = -1
    destination_port: int = -1
    starts_answer: bool = False  # SYN and ACK: its sender answers
    repeated: bool = False  # the radio that sent it says that it sends it again
    hidden: bool = False  # its MACs are those of the link that carried a tunnel of bare IP
    content: tuple[str, ...] = ()  # what the sender alone writes: numbers and checksum of the transport

    @property
    def datagram(self) -> tuple[str, str, int, str]:
        return self.source, self.destination, self.protocol, self.fragment[2]

    @property
    def names_no_sides(self) -> bool:
        """The MACs are a tunnel's, or the link tells the sender's only."""
        return self.hidden or bool(self.source_mac and self.destination_mac in ("", "00:00:00:00:00:00"))

    @property
    def is_numbered(self) -> bool:
        """The sender gave it a number, so that it sends no second one like it."""
        return self.fragment[2] not in ("", "0x0000")

    @property
    def sighting(self) -> tuple[object, ...]:
        """Where it was seen: what differs tells two places of one packet, not two packets."""
        return self.source_mac, self.destination_mac, self.hidden, self.vlan, self.hops


@dataclass(frozen=True)
class Heard:
    """What is said of the network itself: a layer of ARP, ICMPv6, DHCP or DHCPv6, and who sent it."""

    layer: Layer
    source_mac: str
    destination_mac: str
    source: str  # IP address; empty for ARP
    hops: int


@dataclass(frozen=True)
class Testimony:
    packets: list[Packet]
    heard: list[Heard]


@dataclass(frozen=True)
class _Link:
    source_mac: str = ""
    destination_mac: str = ""
    vlan: int = -1
    ap: str = ""
    repeated: bool = False


def testify(capture: Path, *options: str) -> Testimony:
    """All that a capture's frames say, in their order; `options` are tshark's."""
    found: list[Packet] = []
    heard: list[Heard] = []
    peeled: set[tuple[str, str, int, str]] = set()
    offloaded: list[tuple[int, int]] = []  # the packet's place in `found`, IP layers before it
    for number, layers in enumerate(frames(capture, *options), 1):
        walk = _Walk(number, layers)
        heard += walk.heard
        for outer in walk.outers:
            if outer.fragment[1]:
                peeled.add(outer.datagram)
        if walk.packet is not None:
            if walk.length_untold:
                offloaded.append((len(found), len(walk.outers)))
            found.append(walk.packet)
    _measure(capture, found, offloaded)
    kept = [packet for packet in found if not packet.fragment[0] or packet.datagram not in peeled]
    return Testimony(list(_ports_of_fragments(kept)), heard)


def once(found: list[Packet], is_inside: Callable[[str], bool]) -> list[Packet]:
    """Each packet once, however often it was seen: the sighting nearest the client, which is inside."""
    kept: list[Packet] = []
    latest: dict[tuple[object, ...], int] = {}  # place in `kept`
    for packet in found:
        same = (*packet.datagram, packet.octets, packet.fragment, packet.content, packet.destination_port)
        place = latest.get(same, -1)
        first = kept[place] if place >= 0 else packet
        is_copy = place >= 0 and abs(packet.time - first.time) <= WINDOW_S
        if is_copy and (packet.is_numbered or packet.repeated or packet.sighting != first.sighting):
            farther = packet.hops < first.hops if is_inside(packet.source) else packet.hops > first.hops
            kept[place] = first if farther or packet.hops == first.hops else packet
            continue
        latest[same] = len(kept)
        kept.append(packet)
    return kept


class _Walk:
    """One frame from the outside in, as far as it is understood."""

    def __init__(self, number: int, layers: list[Layer]) -> None:
        self.number = number
        self.time = float(layers[0].first("frame.time_epoch") or 0)
        self.stack = ":".join(layer.name for layer in layers[1:])
        self.outers: list[Packet] = []
        self.heard: list[Heard] = []
        self.packet: Packet | None = None
        self.length_untold = False
        self._link = _Link()
        self._mirrored_vlan = -1  # told by ERSPAN, for the frame behind it if that has no tag
        self._named_behind = 0  # IP headers before the link that named the MACs
        self._entered: list[str] = []  # tunnels and links since the last IP header
        stopped_at = next((layer for layer in layers[1:] if not self._enter(layer)), None)
        if stopped_at is not None:
            self._hear(stopped_at)
        # A link's own words inside a tunnel are understood, and are nobody's packet.
        if LINKS & set(self._entered) and not self._is_nothing(stopped_at):
            self.packet = None

    def _is_nothing(self, stopped_at: Layer | None) -> bool:
        name = "" if stopped_at is None else stopped_at.name
        # Behind 802.11 comes LLC, or what is encrypted; LLC says how long it is.
        has_told = "llc" in self._entered or "wlan" in self._entered
        return name == "_ws.malformed" or (name in NOTHING and not has_told)

    def _enter(self, layer: Layer) -> bool:
        """False where the walk ends: what lies further in is not a network's business."""
        name = layer.name
        if name in ("ip", "ipv6"):
            return self._enter_ip(layer)
        if name in CONTENT and self.packet is not None and not self.packet.content:
            self.packet = replace(self.packet, content=tuple(layer.first(field) for field in CONTENT[name]))
        if name in PORTED:
            return self._enter_ports(layer)
        if name == "ah":
            return self.packet is not None and ":" in self.packet.source
        if name in TUNNELS or name in LINKS:
            self._entered.append(name)
        return self._enter_link(layer)

    def _enter_link(self, layer: Layer) -> bool:
        name = layer.name
        if name == "wlan":
            return self._enter_wlan(layer)
        if name == "eth":
            mirrored, self._mirrored_vlan = self._mirrored_vlan, -1
            self._named_behind = len(self.outers) + (self.packet is not None)
            self._link = _Link(layer.first("eth.src"), layer.first("eth.dst"), mirrored, self._link.ap)
        elif name == "erspan" and layer.first("erspan.vlan"):
            self._mirrored_vlan = layer.number("erspan.vlan") or -1
        elif name == "sll":
            self._link = _Link(layer.first("sll.src.eth"))
        elif name in TAGS:
            vlan = layer.number(TAGS[name])
            self._link = replace(self._link, vlan=vlan or self._link.vlan)
        return name in KNOWN or name.startswith("pweth")

    def _enter_wlan(self, layer: Layer) -> bool:
        if layer.number("wlan.fc.type") != 2 or layer.number("wlan.fc.subtype") & 4:
            return False
        macs = layer.first("wlan.sa"), layer.first("wlan.da")
        self._named_behind = len(self.outers) + (self.packet is not None)
        self._link = _Link(*macs, ap=layer.first("wlan.bssid"), repeated=layer.number("wlan.fc.retry") == 1)
        return True

    def _enter_ip(self, layer: Layer) -> bool:
        packet = self._ip(layer)
        if packet is None or len(self.outers) == DEEPEST - 1:
            return False
        if self.packet is not None:
            self.outers.append(self.packet)
        hidden = len(self.outers) > self._named_behind and bool(self._link.source_mac)
        self.packet, self._entered = replace(packet, hidden=hidden), []
        return True

    def _ip(self, layer: Layer) -> Packet | None:
        """None where the header says what cannot be, or is cut."""
        family = layer.name
        source, destination = layer.first(f"{family}.src"), layer.first(f"{family}.dst")
        if not source or not destination:
            return None
        if family == "ip":
            octets = layer.number("ip.len")
            self.length_untold = not octets
            if layer.number("ip.hdr_len") < 20 or 0 < octets < layer.number("ip.hdr_len"):
                return None
            protocol, hops = layer.number("ip.proto"), layer.number("ip.ttl")
            more, ident = layer.number("ip.flags.mf"), layer.first("ip.id")
            offset = layer.number("ip.frag_offset")
        else:
            octets = layer.number("ipv6.plen") + 40
            self.length_untold = octets == 40 and layer.number("ipv6.nxt") != 59
            protocol, hops = _ipv6_protocol(layer), layer.number("ipv6.hlim")
            more, ident = layer.number("ipv6.fraghdr.more"), layer.first("ipv6.fraghdr.ident")
            offset = layer.number("ipv6.fraghdr.offset")
        return Packet(
            self.number, self._link.source_mac, self._link.destination_mac, self._link.vlan, self._link.ap,
            source, destination, protocol, octets, hops, (offset, bool(more), ident), self.stack,
            self.time, repeated=self._link.repeated,
        )  # fmt: skip

    def _enter_ports(self, layer: Layer) -> bool:
        name = PORTED[layer.name]
        if self.packet is None or self.packet.fragment[0] or not layer.first(f"{name}.dstport"):
            return False
        flags = layer.number("tcp.flags")
        self.packet = replace(
            self.packet,
            source_port=layer.number(f"{name}.srcport"),
            destination_port=layer.number(f"{name}.dstport"),
            starts_answer=flags & 0x12 == 0x12,
        )
        return name == "udp"

    def _hear(self, layer: Layer) -> None:
        source, hops = ("", 0) if self.packet is None else (self.packet.source, self.packet.hops)
        self.heard.append(Heard(layer, self._link.source_mac, self._link.destination_mac, source, hops))


def _ipv6_protocol(layer: Layer) -> int:
    following = layer.number("ipv6.nxt")
    for _ in EXTENSIONS:
        if not layer.first(EXTENSIONS.get(following, "")):
            break
        following = layer.number(EXTENSIONS[following])
    return following


def _measure(capture: Path, found: list[Packet], offloaded: list[tuple[int, int]]) -> None:
    """Give packets whose header leaves its length out (offloads, jumbograms) that of their frame."""
    if not offloaded:
        return
    numbers = [found[place].frame for place, _ in offloaded]
    positions = starts(capture, numbers)
    lengths = [layers[0].number("frame.len") for layers in frames(capture)]
    for place, depth in offloaded:
        packet = found[place]
        octets = lengths[packet.frame - 1] - positions[packet.frame, depth]
        if ":" not in packet.source or octets > MOST_IPV6_OCTETS:
            found[place] = replace(packet, octets=octets)


def _ports_of_fragments(found: list[Packet]) -> Iterator[Packet]:
    """Later fragments get the ports of the first of their datagram."""
    ports: dict[tuple[str, str, int, str], tuple[int, int]] = {}
    for packet in found:
        offset, more, _ = packet.fragment
        if offset:
            source, destination = ports.get(packet.datagram, (-1, -1))
            yield replace(packet, source_port=source, destination_port=destination)
            continue
        if more:
            ports[packet.datagram] = packet.source_port, packet.destination_port
        yield packet
