"""What a sender wrote into a packet and nobody on its way changes: by this two sightings of it are alike.

Left out is what a router, a bridge or a mirror may write anew: MACs, VLAN, TTL, DSCP and ECN, the header
checksum. Nothing leaves this module but whether two packets are alike.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.wire.packets import SYN, Packets

WORDS = 9
"""64-bit words of the longest content: addresses, size and protocol, identification, `_LOOK_BYTES` of it."""

_LOOK_BYTES = 24
"""Of the transport layer: a whole TCP header, or that of UDP and 16 bytes of what it carries."""

_TCP, _UDP = 6, 17
_PROTOCOL = np.uint64(0xFF)
_BYTES = np.arange(_LOOK_BYTES + 1)[:, None] - np.arange(0, _LOOK_BYTES, 8)
_CAPTURED = np.array([[(1 << 8 * min(max(have, 0), 8)) - 1 for have in row] for row in _BYTES], np.uint64)
"""(25, 3) masks of the three words for each number of bytes there are."""

_NOT_DF = np.uint64(0xFF3F_FFFF)  # of identification, flags and offset, as read little-endian
_FRAGMENT = 44
_UP_TO_FLAGS = np.uint64(0xFFFF_FFFF_FFFF)
_SURELY_WITH_DATA = 120
"""Octets of a TCP packet that is longer than any two headers."""

U64 = NDArray[np.uint64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Contents:
    """Of n packets: (n,) columns that are equal where the packets are alike, and a hash of them."""

    words: tuple[U64, ...]
    hash: U64

    @property
    def identified(self) -> NDArray[np.bool_]:
        """(n,) the sender numbered it (IPv4 identification, fragments): it sends no second one like it.

        A number alone may be a constant. Together with a checksum over all of the packet it is none; UDP may
        leave its own out (RFC 768), and then what is looked at says nothing of the rest.
        """
        protocol = self.words[-5] >> np.uint64(32) & _PROTOCOL
        unchecked = (protocol == _UDP) & (self.words[-3] >> np.uint64(48) == 0)
        return np.asarray((self.words[-4] != 0) & ~unchecked)

    def carries_tcp(self, rows: Rows, headers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(k,) TCP that opens a connection or carries data; `headers` are the octets before the TCP header.

        It is sent again only after a timeout or three acknowledgements, not at once as a mere one may be.
        """
        size = self.words[-5][rows]
        tcp = (size >> np.uint64(32) & _PROTOCOL) == _TCP
        offset_and_flags = self.words[-2][rows] >> np.uint64(32)
        words = (offset_and_flags >> np.uint64(4) & np.uint64(0xF)).astype(np.int64)
        octets = (size & np.uint64(0xFFFF_FFFF)).astype(np.int64)
        opens = (offset_and_flags >> np.uint64(8) & np.uint64(SYN)) != 0
        return np.asarray(tcp & (opens | (octets > headers + 4 * words)))

    @property
    def telling(self) -> NDArray[np.bool_]:
        """(n,) packets that show at a glance whether a mirror doubles: a sender does not send them twice."""
        size = self.words[-5]
        tcp = (size >> np.uint64(32) & _PROTOCOL) == _TCP
        return np.asarray(self.identified | tcp & ((size & np.uint64(0xFFFF_FFFF)) > _SURELY_WITH_DATA))


def contents(packets: Packets, multipliers: U64) -> Contents:
    """The contents of packets of one family; `multipliers` are WORDS random odd numbers, kept secret."""
    everything = np.arange(len(packets))
    network, ends = packets.network, packets.ends(everything)
    base = network + (20 if packets.family == 4 else 40)
    start = np.where((packets.transport >= network) & (packets.transport <= ends), packets.transport, base)
    seen = packets.frames.window(start, _LOOK_BYTES).view("<u8").reshape(-1, 3)
    have = np.clip(ends - start, 0, _LOOK_BYTES)
    if have.min(initial=_LOOK_BYTES) < _LOOK_BYTES:
        seen = seen & _CAPTURED[have]
    first, second, third = (seen[:, word] for word in range(3))
    # A router may lower the segment size that a SYN offers (its options and checksum change).
    opening = np.flatnonzero(packets.tcp_flags & SYN)
    if len(opening):
        second, third = second.copy(), third.copy()
        second[opening] &= _UP_TO_FLAGS
        third[opening] = 0
    protocol = (packets.shape & np.uint16(0xFF)).astype(np.uint64)
    size = packets.octets.astype(np.uint64) | protocol << np.uint64(32)
    words = (*packets.addresses, size, _identification(packets, base), first, second, third)
    hashed = words[0] * multipliers[0]
    for word, multiplier in zip(words[1:], multipliers[1:], strict=False):
        hashed += word * multiplier
    return Contents(words, hashed)


def _identification(packets: Packets, base: NDArray[np.int64]) -> U64:
    """(n,) the sender's number of an IPv4 datagram or of what an IPv6 fragment is of; 0: none."""
    if packets.family == 4:
        numbers = packets.frames.window(packets.network + 4, 4).view("<u4").astype(np.uint64)
        return numbers & _NOT_DF
    found = np.zeros(len(packets), np.uint64)
    rows = np.flatnonzero(packets.transport != base)
    rows = rows[packets.frames.data[packets.network[rows] + 6] == _FRAGMENT]
    found[rows] = packets.frames.window(base[rows], 8).view("<u8")
    return found
