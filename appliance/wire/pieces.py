"""What part of its datagram each fragment carries, and which of the known misuses it is.

RFC 1858 and RFC 3128 (tiny fragments, fragments that rewrite flags), RFC 7112 (first fragments without all
headers), RFC 5722 (overlaps), and datagrams longer than any can be. Nothing here changes what is recorded: it
is counted.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.wire.careful import TCP, UDP, Layers
from appliance.wire.lots import Lots, joined
from appliance.wire.packets import Packets

LIMIT = 16_384
APART_NS = 500_000_000
"""Fragments of one key further apart are of different datagrams: at 1 Gbit/s a sender's 65,536
identifications last for 0.79 s (RFC 4963)."""

LONGEST_DATAGRAM = 65_535
TINY_TCP_BYTES = 16
"""RFC 1858, 3.1: the smallest first fragment that has the flags."""

_NEEDED_BYTES = np.zeros(256, np.int64)  # of the first fragment, by protocol
_NEEDED_BYTES[[0, 43, 60, 135, 139, 140]] = 8  # another IPv6 header would follow (RFC 7112)
_NEEDED_BYTES[UDP] = 8
_NEEDED_BYTES[TCP] = TINY_TCP_BYTES
_MORE_IPV4, _MORE_IPV6 = 0x20, 0x01
_FAR = 1 << 20  # further than any fragment reaches

_PIECE = np.dtype([("key", "<u8"), ("start", "<i8"), ("stop", "<i8"), ("time", "<i8"), ("ports", "<i8")])


@dataclass(frozen=True)
class Pieces:
    """k fragments: bytes `start` to `stop` of what their datagrams carry."""

    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    last: NDArray[np.bool_]  # no more fragments follow
    tiny: NDArray[np.bool_]
    beyond_end: NDArray[np.bool_]
    ports: NDArray[np.int64]  # (k,) of first fragments; -1 in later ones

    @classmethod
    def of(cls, packets: Packets, found: Layers, rows: NDArray[np.int64]) -> "Pieces":
        """The fragments in these rows, as their headers say, captured or not."""
        start, network = found.fragment[rows], found.network[rows]
        transport, protocol = np.maximum(found.transport[rows], network), packets.shape[rows] & 0xFF
        carried = np.maximum(found.octets[rows] - (transport - network), 0)
        first = start == 0
        data = packets.frames.data
        if packets.family == 4:
            more = data[network + 6] & _MORE_IPV4 != 0
            longest = LONGEST_DATAGRAM - (transport - network)
        else:
            # The walk through the extensions ends behind a later fragment's own header.
            more = first | (data[np.where(first, network, transport - 5)] & _MORE_IPV6 != 0)
            longest = np.full(len(rows), LONGEST_DATAGRAM)
        needed = _NEEDED_BYTES[protocol]
        return cls(
            start,
            np.minimum(start + carried, _FAR - 1),
            ~more,
            first & (carried < needed) | (start == 8) & (protocol == TCP),
            start + carried > longest,
            np.where(first, packets.ports[rows].astype(np.int64), -1),
        )


class Recent:
    """The pieces heard in the last `APART_NS`, about `LIMIT` at most, to see which of them overlap."""

    def __init__(self) -> None:
        self._heard = Lots(_PIECE)
        self._since = np.iinfo(np.int64).min

    def overlapping(self, key: NDArray[np.uint64], pieces: Pieces, time: NDArray[np.int64]) -> int:
        """How many of these lie over another piece of their datagram.

        The same piece again is no overlap: a mirror may show a packet twice.
        """
        new = np.empty(len(key), _PIECE)
        new["key"], new["time"], new["ports"] = key, time, pieces.ports
        new["start"], new["stop"] = pieces.start, pieces.stop
        self._heard.add(new)
        before = self._heard.take(self._heard.places(key))
        before = before.take(np.flatnonzero(before["time"] >= self._since))
        known = len(before)
        together = joined(before, new)
        order = np.argsort(together["key"], kind="stable")
        by_key = together.take(order)
        other = (by_key["key"][1:] != by_key["key"][:-1]) | (np.abs(np.diff(by_key["time"])) > APART_NS)
        datagram = np.concatenate([[0], np.cumsum(other)])
        inside = np.argsort(datagram * _FAR + by_key["start"], kind="stable")
        return int(
            np.count_nonzero(_over(by_key.take(inside), datagram[inside]) & _touches(order[inside] >= known))
        )

    def forget(self, now: int) -> None:
        """A batch is over whose last fragment came now."""
        self._since = now - APART_NS
        if not self._heard.over():
            return
        pieces = self._heard.all()
        pieces = pieces.take(np.flatnonzero(pieces["time"] >= self._since))
        if len(pieces) > LIMIT:
            pieces = pieces.take(np.sort(np.argsort(pieces["time"], kind="stable")[-LIMIT:]))
        self._heard.replace(pieces)


def _over(pieces: NDArray[np.void], datagram: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(k,) pieces, in the order of their datagrams and starts, that begin before an earlier one stops."""
    reach = np.maximum.accumulate(pieces["stop"] + datagram * _FAR)
    over = np.zeros(len(pieces), np.bool_)
    over[1:] = pieces["start"][1:] + datagram[1:] * _FAR < reach[:-1]
    again = datagram[1:] == datagram[:-1]
    for name in ("start", "stop", "ports"):
        again &= pieces[name][1:] == pieces[name][:-1]
    over[1:] &= ~again
    return over


def _touches(new: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(k,) where a piece or the one before it is of this batch: the others were counted with theirs."""
    touches = new.copy()
    touches[1:] |= new[:-1]
    return touches
