"""What packets carry over UDP and TCP to some ports: the messages of feeds, out of a capture of them.

The one place where payload leaves this room. It is for files that somebody hands over as feeds; what a
mirror sees never comes here.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from appliance.model.addresses import MAPPED_V4
from appliance.wire.packets import FIN, PORTS_UNKNOWN, RST, SYN, Packets
from appliance.wire.reassembly import Whole, is_fragment

UDP, TCP = 17, 6
_UDP_HEADER_BYTES, _TCP_HEADER_BYTES = 8, 20
_UDP_HEADER = Struct("!HHHH")


@dataclass(frozen=True)
class Cargo:
    """The payload of one packet. Addresses are (hi, lo); `at` orders it within its batch of frames.

    `whole` is false where the capture, or fragmentation, left out some of it. `number` is TCP's sequence
    number of the first byte, `begins` and `ends` say SYN and FIN or RST.
    """

    at: int
    time_ns: int
    sender: tuple[int, int]
    receiver: tuple[int, int]
    sender_port: int
    receiver_port: int
    payload: bytes
    whole: bool
    number: int = 0
    begins: bool = False
    ends: bool = False


def cargoes(batches: Sequence[Packets], protocol: int, ports: Iterable[int]) -> list[Cargo]:
    """All of one protocol to these ports, in the order of their frames; no fragments of IPv4."""
    wanted = np.array(sorted(ports), np.uint16).byteswap()
    found = [cargo for packets in batches for cargo in _cargoes(packets, protocol, wanted)]
    return sorted(found, key=lambda cargo: cargo.at)


def reassembled(wholes: Iterable[Whole], ports: Container[int]) -> list[Cargo]:
    """Datagrams that came in fragments, to these ports."""
    found = []
    for whole in wholes:
        if len(whole.content) < _UDP_HEADER_BYTES:
            continue
        source, destination, stated, _ = _UDP_HEADER.unpack_from(whole.content)
        if destination in ports:
            ends = ((0, MAPPED_V4 | whole.sender), (0, MAPPED_V4 | whole.receiver))
            payload = whole.content[_UDP_HEADER_BYTES : max(stated, _UDP_HEADER_BYTES)]
            is_whole = stated <= len(whole.content)
            found.append(Cargo(whole.at, whole.time_ns, *ends, source, destination, payload, is_whole))
    return found


def _cargoes(packets: Packets, protocol: int, wanted: NDArray[np.uint16]) -> Iterator[Cargo]:
    to_port = (packets.ports >> np.uint32(16)).astype(np.uint16)
    rows = np.flatnonzero(
        (packets.shape & np.uint16(0xFF | PORTS_UNKNOWN) == protocol)
        & (packets.transport >= 0)
        & np.isin(to_port, wanted)
    )
    if packets.family == 4 and len(rows):
        rows = rows[~is_fragment(packets)[rows]]
    if not len(rows):
        return
    senders, receivers = _ends(packets, rows)
    from_port = (packets.ports[rows] & np.uint32(0xFFFF)).astype(np.uint16).byteswap().tolist()
    data, read = packets.frames.data, _datagram if protocol == UDP else _segment
    columns = zip(
        packets.at[rows].tolist(),
        packets.time[rows].tolist(),
        senders,
        receivers,
        from_port,
        to_port[rows].byteswap().tolist(),
        packets.transport[rows].tolist(),
        (packets.network[rows] + packets.octets[rows]).tolist(),
        packets.ends(rows).tolist(),
        strict=True,
    )
    for at, time_ns, sender, receiver, source, destination, begin, stated_end, end in columns:
        carried = read(data, begin, stated_end, end)
        if carried is not None:
            yield Cargo(at, time_ns, sender, receiver, source, destination, *carried)


def _datagram(
    data: NDArray[np.uint8], begin: int, stated_end: int, end: int
) -> tuple[bytes, bool, int, bool, bool] | None:
    """Its length stands in its header; one of 0 is that of a jumbogram (RFC 2675) or of a careless driver."""
    if begin + _UDP_HEADER_BYTES > end:
        return None
    stated = int(data[begin + 4]) << 8 | int(data[begin + 5])
    until = begin + stated if stated >= _UDP_HEADER_BYTES else stated_end
    payload = data[begin + _UDP_HEADER_BYTES : min(until, end)].tobytes()
    return payload, until <= end, 0, False, False


def _segment(
    data: NDArray[np.uint8], begin: int, stated_end: int, end: int
) -> tuple[bytes, bool, int, bool, bool] | None:
    if begin + _TCP_HEADER_BYTES > end:
        return None
    header = data[begin : begin + _TCP_HEADER_BYTES].tobytes()
    payload = data[begin + 4 * (header[12] >> 4) : end].tobytes()
    flags = header[13]
    number = int.from_bytes(header[4:8], "big")
    return payload, stated_end <= end, number, bool(flags & SYN), bool(flags & (FIN | RST))


Addresses = list[tuple[int, int]]


def _ends(packets: Packets, rows: NDArray[np.int64]) -> tuple[Addresses, Addresses]:
    """(hi, lo) of sources and destinations."""
    if packets.family == 4:
        both = packets.addresses[0][rows]
        source = both.astype(np.uint32).byteswap().tolist()
        destination = (both >> np.uint64(32)).astype(np.uint32).byteswap().tolist()
        return [(0, MAPPED_V4 | low) for low in source], [(0, MAPPED_V4 | low) for low in destination]
    halves = [column[rows].byteswap().tolist() for column in packets.addresses]
    return list(zip(halves[0], halves[1], strict=True)), list(zip(halves[2], halves[3], strict=True))
