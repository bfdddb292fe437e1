"""The meter in the plainest words: packet after packet, one dictionary. And how packets reach a meter."""

import ipaddress
from dataclasses import dataclass, field, replace
from itertools import count
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from appliance.model.frames import PADDING_BYTES, RAW_IP, Frames
from appliance.model.rows import TRAFFIC
from appliance.wire.packets import PORTS_UNKNOWN, Packets

S = 10**9
IDLE, ACTIVE, LINGER, HOUR = 60 * S, 60 * S, 5 * S, 3600 * S
FIN, SYN, RST, ACK = 1, 2, 4, 16
IDLE_TIMEOUT, ACTIVE_TIMEOUT, END_OF_FLOW, FORCED_END, NO_ROOM = 1, 2, 3, 4, 5


Indices = NDArray[np.int64]


class Side(NamedTuple):
    ip: str
    port: int
    mac: int


@dataclass(frozen=True)
class Packet:
    time: int
    source: Side
    destination: Side
    protocol: int = 6
    octets: int = 100
    flags: int = 0
    has_ports: bool = True
    number: int = field(default_factory=count(1).__next__, compare=False)
    """What its sender wrote into it that makes it one of its kind; two of one number are one packet."""
    hops: int = 64
    vlan: int = -1
    ap_mac: int = 0
    identified: bool = True  # IPv4: the number stands in the identification

    @property
    def back(self) -> "Packet":
        return replace(self, source=self.destination, destination=self.source)


def columns(packets: list[Packet], family: int) -> Packets:
    """As the decoder gives them: addresses, ports and MACs as they lie on the wire."""
    size = 4 if family == 4 else 16
    wire = b"".join(
        ipaddress.ip_address(packet.source.ip).packed + ipaddress.ip_address(packet.destination.ip).packed
        for packet in packets
    )
    words = np.frombuffer(wire, "<u8").reshape(-1, size // 4)

    def port(packet: Packet) -> bytes:
        ports = (packet.source.port, packet.destination.port) if packet.has_ports else (0, 0)
        return ports[0].to_bytes(2, "big") + ports[1].to_bytes(2, "big")

    def macs(name: str) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
        numbers = [getattr(packet, name).mac.to_bytes(6, "big") + bytes(2) for packet in packets]
        return np.frombuffer(b"".join(numbers), "<u8").copy()

    shape = [packet.protocol | (0 if packet.has_ports else PORTS_UNKNOWN) for packet in packets]
    return Packets(
        family,
        np.array([packet.time for packet in packets], np.int64),
        tuple(np.ascontiguousarray(words[:, number]) for number in range(words.shape[1])),
        np.frombuffer(b"".join(map(port, packets)), "<u4").copy(),
        np.array(shape, np.uint16),
        np.array([packet.octets for packet in packets], np.int64),
        np.array([packet.flags for packet in packets], np.uint8),
        macs("source"),
        macs("destination"),
        np.array([packet.vlan for packet in packets], np.int16),
        *_lying(packets, family),
        np.frombuffer(b"".join(packet.ap_mac.to_bytes(6, "big") + bytes(2) for packet in packets), "<u8"),
    )


_BYTES = 64  # of each packet that are in the buffer


def _lying(packets: list[Packet], family: int) -> tuple[Frames, Indices, Indices, Indices]:
    """Frames, their numbers, where IP and where transport begin; what a router writes anew differs."""
    before = 20 if family == 4 else 40
    content = b"".join(_header(packet, family) + _transport(packet) for packet in packets)
    start = np.arange(len(packets)) * _BYTES
    size = np.full(len(packets), _BYTES)
    data = np.frombuffer(content + b"\xa5" * PADDING_BYTES, np.uint8)
    time = np.array([packet.time for packet in packets], np.int64)
    return Frames(data, start, size, size, time, RAW_IP), np.arange(len(packets)), start, start + before


def _header(packet: Packet, family: int) -> bytes:
    ends = [ipaddress.ip_address(side.ip).packed for side in (packet.source, packet.destination)]
    octets = (packet.octets & 0xFFFF).to_bytes(2, "big")
    if family == 6:
        return bytes(4) + octets + bytes([packet.protocol, packet.hops]) + b"".join(ends)
    number = packet.number % 0xFFFF + 1 if packet.identified else 0
    checksum = packet.hops.to_bytes(2, "big")  # changes with the hops, that is all that matters of it
    return (
        bytes([0x45, 0]) + octets + number.to_bytes(2, "big") + b"\x40\0"
        + bytes([packet.hops, packet.protocol]) + checksum + b"".join(ends)
    )  # fmt: skip


def _transport(packet: Packet) -> bytes:
    """What a TCP header holds, whatever the protocol; 100 octets or more carry data then."""
    ports = (packet.source.port, packet.destination.port) if packet.has_ports else (0, 0)
    number = packet.number | 1 << 32  # where UDP has its checksum: there is one
    header = b"".join(port.to_bytes(2, "big") for port in ports) + number.to_bytes(8, "big")
    family = 6 if ":" in packet.source.ip else 4
    return (header + bytes([0x50, packet.flags])).ljust(_BYTES - (40 if family == 6 else 20), b"\0")


@dataclass
class Connection:
    """One connection; `client` is the side in the site's networks, or who began."""

    client: Side
    peer: Side
    protocol: int
    first: int
    last: int
    out: list[int] = field(default_factory=lambda: [0, 0])
    back: list[int] = field(default_factory=lambda: [0, 0])
    fins: set[Side] = field(default_factory=set)
    reset: bool = False
    reason: int = 0

    @property
    def said_goodbye(self) -> bool:
        return self.reset or len(self.fins) == 2

    @property
    def told(self) -> tuple[object, ...]:
        return (
            *(self.client.ip, self.client.port, self.client.mac, self.peer.ip, self.peer.port),
            *(self.protocol, self.first, self.last, *self.out, *self.back, self.reason),
        )


def station(mac: int) -> int:
    """A group address is nobody's."""
    return 0 if mac >> 40 & 1 else mac


class Model:
    """`networks` are the site's. Packets come in order of time."""

    def __init__(self, networks: list[str]) -> None:
        self._networks = [ipaddress.ip_network(network) for network in networks]
        self._open: dict[object, Connection] = {}
        self._over: list[Connection] = []

    def _own(self, side: Side) -> bool:
        return any(ipaddress.ip_address(side.ip) in network for network in self._networks)

    def _sides(self, packet: Packet) -> tuple[object, Side, Side]:
        """The key of a packet's connection; client and peer, were it the first."""
        a, b = packet.source, packet.destination
        if not packet.has_ports:
            a, b = a._replace(port=-1), b._replace(port=-1)
        if self._own(a) != self._own(b):
            client, peer = (a, b) if self._own(a) else (b, a)
            client = client._replace(mac=station(client.mac))
            return (client, peer.ip, peer.port, packet.protocol), client, peer
        a, b = a._replace(mac=station(a.mac)), b._replace(mac=station(b.mac))
        key = (frozenset((a, b)), packet.protocol)
        called = packet.flags & (SYN | ACK) == SYN | ACK
        return key, *((b, a) if called else (a, b))

    def is_ambiguous(self, packet: Packet) -> bool:
        """What reading cannot or need not tell apart.

        A port used again soon after goodbye is not seen within one batch of packets; and connections that
        differ in nothing but the peer's MAC are one when they are read.
        """
        key, client, peer = self._sides(packet)
        known = self._open.get(key)
        if known is None:
            sides = {client, peer}
            ends = {side[:2] for side in sides}
            return any(
                {other.client[:2], other.peer[:2]} == ends and sides & {other.client, other.peer}
                for other in self._open.values()
                if other.protocol == packet.protocol
            )
        return known.said_goodbye and LINGER < packet.time - known.last <= IDLE

    def add(self, packet: Packet) -> None:
        key, client, peer = self._sides(packet)
        known = self._open.get(key)
        if known is not None and packet.time - known.last > IDLE:
            self._end(known)
            known = None
        if known is None:
            known = Connection(client, peer, packet.protocol, packet.time, packet.time)
            self._open[key] = known
        source = packet.source if packet.has_ports else packet.source._replace(port=-1)
        counter = known.out if (source.ip, source.port) == known.client[:2] else known.back
        counter[0] += 1
        counter[1] += packet.octets
        known.last = packet.time
        if packet.flags & FIN:
            known.fins.add(source)
        known.reset |= bool(packet.flags & RST)

    def _end(self, known: Connection, otherwise: int = IDLE_TIMEOUT) -> None:
        known.reason = END_OF_FLOW if known.said_goodbye else otherwise
        self._over.append(known)

    def finish(self, now: int) -> list[tuple[object, ...]]:
        """All connections, sorted, were recording to end now."""
        for known in self._open.values():
            self._end(known, IDLE_TIMEOUT if now - known.last > IDLE else FORCED_END)
        return sorted(known.told for known in self._over)


def ip(hi: int, lo: int) -> str:
    if hi == 0 and lo >> 32 == 0xFFFF:
        return str(ipaddress.IPv4Address(lo & 0xFFFFFFFF))
    return str(ipaddress.IPv6Address(hi << 64 | lo))


KEY = ("client_mac", "client_ip_hi", "client_ip_lo", "client_port")
KEY += ("peer_ip_hi", "peer_ip_lo", "peer_port", "protocol", "source")
COUNTERS = ("packets_out", "bytes_out", "packets_in", "bytes_in")


def once(rows: np.ndarray[tuple[int], np.dtype[np.void]]) -> list[dict[str, int]]:
    """Every part once: alike closed rows that begin in one millisecond are one; an open row counts only
    where no other of its key and millisecond has as many packets.
    """
    alike: dict[tuple[int, ...], dict[tuple[int, ...], dict[str, int]]] = {}
    for row in rows:
        told = {name: int(row[name]) for name in TRAFFIC.names or ()}
        key = (*(told[name] for name in KEY), told["first_seen"] // 1_000_000)
        alike.setdefault(key, {})[(*(told[name] for name in COUNTERS), told["end_reason"])] = told
    parts = []
    for group in alike.values():
        closed = [told for told in group.values() if told["end_reason"]]
        still_open = [told for told in group.values() if not told["end_reason"]]
        most = max(still_open, key=_packets, default=None)
        if most is not None and all(_packets(told) < _packets(most) for told in closed):
            closed.append(most)
        parts += closed
    return sorted(parts, key=lambda part: (part["first_seen"], part["last_seen"]))


def _packets(told: dict[str, int]) -> int:
    return told["packets_out"] + told["packets_in"]


def merged(rows: np.ndarray[tuple[int], np.dtype[np.void]]) -> list[tuple[object, ...]]:
    """Parts to connections by the rules of reading, sorted."""
    connections: list[dict[str, int]] = []
    latest: dict[tuple[int, ...], dict[str, int]] = {}
    for part in once(rows):
        key = tuple(part[name] for name in KEY)
        before = latest.get(key)
        if (
            before is not None
            and before["end_reason"] != END_OF_FLOW
            and part["first_seen"] - before["last_seen"] <= IDLE
        ):
            for name in COUNTERS:
                before[name] += part[name]
            before["last_seen"] = max(before["last_seen"], part["last_seen"])
            before["end_reason"] = part["end_reason"]
        else:
            latest[key] = part
            connections.append(part)
    return sorted(
        (
            *(ip(one["client_ip_hi"], one["client_ip_lo"]), one["client_port"], one["client_mac"]),
            *(ip(one["peer_ip_hi"], one["peer_ip_lo"]), one["peer_port"]),
            *(one["protocol"], one["first_seen"], one["last_seen"]),
            *(one["packets_out"], one["bytes_out"], one["packets_in"], one["bytes_in"], one["end_reason"]),
        )
        for one in connections
    )
