"""Conversations and their packets, as columns, written as a capture file. Whole batches at once."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TCP, UDP, ICMP6 = 6, 17, 58
SYN, ACK, FIN, PSH = 0x02, 0x10, 0x01, 0x08
MINIMUM_FRAME = 60  # Ethernet pads shorter frames (IEEE 802.3: 64 octets with the check sequence)

_BATCH = 250_000
_FILE_HEADER = np.array(
    [(0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)],
    dtype="<u4,<u2,<u2,<i4,<u4,<u4,<u4",
)
_RECORD = [("seconds", "<u4"), ("microseconds", "<u4"), ("captured", "<u4"), ("original", "<u4")]
_ETHERNET = [("to", "u1", 6), ("from", "u1", 6), ("type", ">u2")]
_IPV4 = [
    ("version", "u1"),
    ("service", "u1"),
    ("length", ">u2"),
    ("id", ">u2"),
    ("fragment", ">u2"),
    ("hops", "u1"),
    ("protocol", "u1"),
    ("checksum", ">u2"),
    ("source", "u1", 4),
    ("target", "u1", 4),
]
_IPV6 = [
    ("version", ">u4"),
    ("length", ">u2"),
    ("protocol", "u1"),
    ("hops", "u1"),
    ("source", "u1", 16),
    ("target", "u1", 16),
]
_TCP = [
    ("from_port", ">u2"),
    ("to_port", ">u2"),
    ("sequence", ">u4"),
    ("acknowledged", ">u4"),
    ("offset", "u1"),
    ("flags", "u1"),
    ("window", ">u2"),
    ("sum", ">u2"),
    ("urgent", ">u2"),
]
_UDP = [("from_port", ">u2"), ("to_port", ">u2"), ("datagram", ">u2"), ("sum", ">u2")]
_ARP = [
    ("hardware", ">u2"),
    ("kind", ">u2"),
    ("sizes", ">u2"),
    ("operation", ">u2"),
    ("sender_mac", "u1", 6),
    ("sender", "u1", 4),
    ("wanted_mac", "u1", 6),
    ("wanted", "u1", 4),
]


@dataclass(frozen=True)
class Conversations:
    """(n,) columns of conversations. Addresses are (n, 16) bytes; IPv4 fills the last four."""

    is_v6: NDArray[np.bool_]
    protocol: NDArray[np.uint8]
    client_mac: NDArray[np.uint8]
    client_ip: NDArray[np.uint8]
    client_port: NDArray[np.uint16]
    peer_ip: NDArray[np.uint8]
    peer_port: NDArray[np.uint16]
    gateway_mac: NDArray[np.uint8]


@dataclass(frozen=True)
class Packets:
    """(n,) columns of packets in time order; `conversation` -1 - k is an ARP request of conversation k's client.

    `payload` counts the octets after the TCP or UDP header; `time_us` is microseconds since 1970.
    """

    time_us: NDArray[np.int64]
    conversation: NDArray[np.int32]
    outward: NDArray[np.bool_]
    rank: NDArray[np.int32]
    flags: NDArray[np.uint8]
    payload: NDArray[np.uint16]

    def slice(self, first: int, last: int) -> "Packets":
        return Packets(*(getattr(self, name)[first:last] for name in self.__dataclass_fields__))


def write(path: Path, conversations: Conversations, packets: Packets, snaplen: int = 262_144) -> None:
    """Write a microsecond pcap; frames are cut at `snaplen` octets, their original length is kept."""
    rng = np.random.default_rng(7)
    noise = rng.integers(0, 256, size=_BATCH * 400, dtype=np.uint8)
    unfinished = path.with_suffix(".new")
    path.parent.mkdir(parents=True, exist_ok=True)
    with unfinished.open("wb") as file:
        file.write(_FILE_HEADER.tobytes())
        for first in range(0, len(packets.time_us), _BATCH):
            batch = packets.slice(first, first + _BATCH)
            file.write(_lay_out(conversations, batch, noise, snaplen).data)
    unfinished.rename(path)


def _lay_out(
    conversations: Conversations, packets: Packets, noise: NDArray[np.uint8], snaplen: int
) -> NDArray[np.uint8]:
    """One batch as the flat bytes of its records."""
    is_arp = packets.conversation < 0
    number = np.where(is_arp, -1 - packets.conversation, packets.conversation)
    is_v6 = conversations.is_v6[number] & ~is_arp
    is_tcp = conversations.protocol[number] == TCP
    internet = np.where(is_v6, 40, 20) + np.where(is_tcp, 20, 8) + packets.payload
    internet[is_arp] = 28
    frame = np.maximum(14 + internet, MINIMUM_FRAME)
    captured = np.minimum(frame, snaplen)
    ends = np.cumsum(16 + captured)
    starts = ends - 16 - captured
    flat = noise[: ends[-1] + 128].copy()  # room for the headers of a last frame that is cut
    for v6 in (False, True):
        for tcp in (False, True):
            chosen = np.flatnonzero((is_v6 == v6) & (is_tcp == tcp) & ~is_arp)
            rows = _headers(conversations, packets, chosen, number[chosen], internet[chosen], v6, tcp)
            _place(flat, rows, starts[chosen], packets.time_us[chosen], captured[chosen], frame[chosen], snaplen)
    chosen = np.flatnonzero(is_arp)
    rows = _requests(conversations, number[chosen])
    _place(flat, rows, starts[chosen], packets.time_us[chosen], captured[chosen], frame[chosen], snaplen)
    return flat[: ends[-1]]


def _place(
    flat: NDArray[np.uint8],
    rows: np.ndarray,
    starts: NDArray[np.int64],
    time_us: NDArray[np.int64],
    captured: NDArray[np.int64],
    frame: NDArray[np.int64],
    snaplen: int,
) -> None:
    if not len(rows):
        return
    rows["seconds"], rows["microseconds"] = np.divmod(time_us, 1_000_000)
    rows["captured"], rows["original"] = captured, frame
    octets = rows.view(np.uint8).reshape(len(rows), -1)
    width = min(octets.shape[1], 16 + snaplen)
    flat[starts[:, None] + np.arange(width)] = octets[:, :width]


def _headers(
    conversations: Conversations,
    packets: Packets,
    chosen: NDArray[np.int64],
    number: NDArray[np.int32],
    internet: NDArray[np.int64],
    v6: bool,
    tcp: bool,
) -> np.ndarray:
    rows = np.zeros(len(chosen), dtype=_RECORD + _ETHERNET + (_IPV6 if v6 else _IPV4) + (_TCP if tcp else _UDP))
    out = packets.outward[chosen]
    for field, of_client, of_peer in (
        ("from", conversations.client_mac, conversations.gateway_mac),
        ("source", conversations.client_ip, conversations.peer_ip),
        ("from_port", conversations.client_port, conversations.peer_port),
    ):
        opposite = {"from": "to", "source": "target", "from_port": "to_port"}[field]
        client, peer = of_client[number], of_peer[number]
        if field == "source" and not v6:
            client, peer = client[:, 12:], peer[:, 12:]
        side = out if client.ndim == 1 else out[:, None]
        rows[field], rows[opposite] = np.where(side, client, peer), np.where(side, peer, client)
    rows["protocol"] = TCP if tcp else UDP
    rows["hops"] = np.where(out, 64, 52)
    if v6:
        rows["type"], rows["version"], rows["length"] = 0x86DD, 0x6000_0000, internet - 40
    else:
        rows["type"], rows["version"], rows["length"] = 0x0800, 0x45, internet
        rows["id"] = packets.rank[chosen] & 0xFFFF
        rows["fragment"] = 0x4000
        rows["checksum"] = _checksum(rows)
    if tcp:
        rows["sequence"], rows["acknowledged"] = packets.rank[chosen] * 1448, packets.rank[chosen]
        rows["offset"], rows["flags"], rows["window"] = 0x50, packets.flags[chosen], 0xFFFF
    else:
        rows["datagram"] = 8 + packets.payload[chosen]
    return rows


def _checksum(rows: np.ndarray) -> NDArray[np.uint16]:
    """The IPv4 header checksum (RFC 791 section 3.1) of rows whose checksum field is zero."""
    octets = rows.view(np.uint8).reshape(len(rows), -1)[:, 30:50]
    total = np.ascontiguousarray(octets).view(">u2").sum(axis=1, dtype=np.uint32)
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return (~total).astype(np.uint16)


def _requests(conversations: Conversations, number: NDArray[np.int32]) -> np.ndarray:
    """ARP requests (RFC 826): each client asks for the first address of its network."""
    rows = np.zeros(len(number), dtype=_RECORD + _ETHERNET + _ARP)
    rows["to"], rows["from"], rows["type"] = 0xFF, conversations.client_mac[number], 0x0806
    rows["hardware"], rows["kind"], rows["sizes"], rows["operation"] = 1, 0x0800, 0x0604, 1
    rows["sender_mac"] = conversations.client_mac[number]
    rows["sender"] = conversations.client_ip[number][:, 12:]
    rows["wanted"] = (10, 20, 0, 1)
    return rows
