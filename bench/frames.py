"""Conversations and their packets, as columns, written as a capture file. Whole batches at once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TCP, UDP = 6, 17
SYN, ACK, FIN, PSH = 0x02, 0x10, 0x01, 0x08
Rows = NDArray[Any]  # of one of the structures below
MINIMUM_FRAME = 60  # Ethernet pads shorter frames (IEEE 802.3: 64 octets with the check sequence)

_BATCH = 250_000
_LONGEST_RECORD = 256  # the record header and the longest frame drawn here
_IS_ARP = 4  # after the four kinds 2 * IPv6 + TCP
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
    """(n,) columns of packets in time order.

    `conversation` -1 - k stands for an ARP request of conversation k's client. `payload` counts the
    octets after the TCP or UDP header; `time_us` is microseconds since 1970.
    """

    time_us: NDArray[np.int64]
    conversation: NDArray[np.int32]
    outward: NDArray[np.bool_]
    rank: NDArray[np.int32]
    flags: NDArray[np.uint8]
    payload: NDArray[np.int64]

    def slice(self, first: int, last: int) -> "Packets":
        return Packets(*(getattr(self, name)[first:last] for name in self.__dataclass_fields__))


def write(path: Path, conversations: Conversations, packets: Packets, snaplen: int = 262_144) -> None:
    """Write a microsecond pcap; frames are cut at `snaplen` octets, their original length is kept."""
    rng = np.random.default_rng(7)
    size = min(_BATCH, len(packets.time_us)) * _LONGEST_RECORD
    noise = rng.integers(0, 256, size=size, dtype=np.uint8)  # what payloads and padding are cut from
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
    kind = np.where(is_arp, _IS_ARP, is_v6 * 2 + is_tcp)
    for which in range(_IS_ARP + 1):
        chosen = np.flatnonzero(kind == which)
        if which == _IS_ARP:
            rows = _requests(conversations, number[chosen])
        else:
            v6, tcp = which >= 2, which % 2 == 1
            rows = _headers(conversations, packets, chosen, number[chosen], internet[chosen], v6, tcp)
        rows["seconds"], rows["microseconds"] = np.divmod(packets.time_us[chosen], 1_000_000)
        rows["captured"], rows["original"] = captured[chosen], frame[chosen]
        width = min(rows.itemsize, 16 + snaplen)
        octets = rows.view(np.uint8).reshape(-1, rows.itemsize)[:, :width]
        flat[starts[chosen][:, None] + np.arange(width)] = octets
    return flat[: ends[-1]]


def _headers(
    conversations: Conversations,
    packets: Packets,
    chosen: NDArray[np.int64],
    number: NDArray[np.int64],
    internet: NDArray[np.int64],
    v6: bool,
    tcp: bool,
) -> Rows:
    """The records of the packets `chosen`, up to the end of their TCP or UDP header."""
    rows = np.zeros(
        len(chosen), dtype=_RECORD + _ETHERNET + (_IPV6 if v6 else _IPV4) + (_TCP if tcp else _UDP)
    )
    out = packets.outward[chosen]
    octets = slice(None) if v6 else slice(12, None)
    for source, target, client, peer in (
        ("from", "to", conversations.client_mac[number], conversations.gateway_mac[number]),
        ("source", "target", conversations.client_ip[number, octets], conversations.peer_ip[number, octets]),
        ("from_port", "to_port", conversations.client_port[number], conversations.peer_port[number]),
    ):
        side = out if client.ndim == 1 else out[:, None]
        rows[source], rows[target] = np.where(side, client, peer), np.where(side, peer, client)
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


def _checksum(rows: Rows) -> NDArray[np.uint32]:
    """The IPv4 header checksum (RFC 791 section 3.1) of rows whose checksum field is zero."""
    octets = rows.view(np.uint8).reshape(len(rows), -1)[:, 30:50]
    total: NDArray[np.uint32] = np.ascontiguousarray(octets).view(">u2").sum(axis=1, dtype=np.uint32)
    for _ in range(2):  # fold the carries back in
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def _requests(conversations: Conversations, number: NDArray[np.int64]) -> Rows:
    """ARP requests (RFC 826): each client asks for the first address of its network."""
    rows = np.zeros(len(number), dtype=_RECORD + _ETHERNET + _ARP)
    rows["to"], rows["from"], rows["type"] = 0xFF, conversations.client_mac[number], 0x0806
    rows["hardware"], rows["kind"], rows["sizes"], rows["operation"] = 1, 0x0800, 0x0604, 1
    rows["sender_mac"] = conversations.client_mac[number]
    rows["sender"] = conversations.client_ip[number][:, 12:]
    rows["wanted"] = (10, 20, 0, 1)
    return rows
