"""Later fragments carry no ports: they are given those of their datagram's first fragment.

Bounded: at most `LIMIT` datagrams are remembered, the oldest give way; a fragment whose first one was never
seen keeps unknown ports. Nothing is reassembled, so overlapping or endless fragments cost nothing.
"""

import numpy as np
from numpy.typing import NDArray

from appliance.wire.careful import Layers
from appliance.wire.packets import PORTS_UNKNOWN, Packets

LIMIT = 16_384
TIMEOUT_NS = 30_000_000_000
"""RFC 791 suggests 15 s, Linux waits 30 s for the rest of a datagram."""

_DATAGRAM = np.dtype([("high", "<u8"), ("low", "<u8"), ("flow", "<u8")])


class Fragments:
    """Ports of the datagrams whose first fragment was seen lately."""

    def __init__(self) -> None:
        self._datagrams = np.empty(0, _DATAGRAM)
        self._ports = np.empty(0, np.uint32)
        self._time = np.empty(0, np.int64)

    def attribute(self, packets: Packets, found: Layers) -> Packets:
        """The same packets with the ports of later fragments filled in where they are known.

        A sender uses its 16-bit identifications again within a batch: a fragment belongs to the first
        fragment that came last before it, or where none did, to the one that comes next.
        """
        split = np.flatnonzero(found.fragment >= 0)
        if not len(split):
            return packets
        datagrams = _identify(packets, found, split)
        is_first = (found.fragment[split] == 0) & (packets.shape[split] & PORTS_UNKNOWN == 0)
        first, later = np.flatnonzero(is_first), np.flatnonzero(found.fragment[split] > 0)
        heard = np.concatenate([self._datagrams, datagrams[first]])
        ports = np.concatenate([self._ports, packets.ports[split[first]]])
        time = np.concatenate([self._time, packets.time[split[first]]])
        place = np.concatenate([np.full(len(self._datagrams), -1), first])
        match = _nearest(heard, place, datagrams[later], later)
        rows = split[later]
        known = match >= 0
        known[known] = np.abs(packets.time[rows[known]] - time[match[known]]) <= TIMEOUT_NS
        packets.ports[rows[known]] = ports[match[known]]
        packets.shape[rows[known]] &= ~np.uint16(PORTS_UNKNOWN)
        self._remember(heard, ports, time)
        return packets

    def _remember(
        self, datagrams: NDArray[np.void], ports: NDArray[np.uint32], time: NDArray[np.int64]
    ) -> None:
        """Keep the newest first fragment of each of the newest datagrams; given oldest first."""
        newest_first = slice(None, None, -1)
        _, newest = np.unique(_numbered(datagrams[newest_first]), return_index=True)
        kept = len(datagrams) - 1 - np.sort(newest)[:LIMIT][newest_first]
        self._datagrams, self._ports, self._time = datagrams[kept], ports[kept], time[kept]


def _nearest(
    heard: NDArray[np.void], place: NDArray[np.int64], wanted: NDArray[np.void], at: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Which of the `heard` datagrams each of the `wanted` is: the last before it, else the next; else -1.

    `place` and `at` are positions in the batch, -1 for what came before it.
    """
    if not len(heard) or not len(wanted):
        return np.full(len(wanted), -1)
    number = _numbered(np.concatenate([heard, wanted]))
    rank = number * (max(at.max(), place.max()) + 2) + np.concatenate([place, at]) + 1
    order = np.argsort(rank[: len(heard)])
    after = np.searchsorted(rank[order], rank[len(heard) :], side="right")
    before = order[np.maximum(after - 1, 0)]
    behind = order[np.minimum(after, len(heard) - 1)]
    sought = number[len(heard) :]
    return np.where(number[before] == sought, before, np.where(number[behind] == sought, behind, -1))


def _numbered(datagrams: NDArray[np.void]) -> NDArray[np.int64]:
    """Equal datagrams to equal numbers (np.unique on a structured dtype takes ten times as long)."""
    order = np.lexsort([datagrams[word] for word in ("flow", "low", "high")])
    in_order = datagrams[order]
    number = np.zeros(len(datagrams), np.int64)
    number[order[1:]] = np.cumsum(in_order[1:] != in_order[:-1])
    return number


def _identify(packets: Packets, found: Layers, rows: NDArray[np.int64]) -> NDArray[np.void]:
    """(k,) what makes fragments of one datagram one (RFC 791, RFC 8200): addresses, protocol, identification.

    IPv6 addresses are folded into one number each: two datagrams that fold alike within 30 s could swap
    ports, never addresses; the fold is keyed by nothing because ports are all that hangs on it.
    """
    identified = np.empty(len(rows), _DATAGRAM)
    columns = [column[rows] for column in packets.addresses]
    if packets.family == 4:
        identified["high"], identified["low"] = 0, columns[0]
    else:
        identified["high"] = columns[0] * np.uint64(0x9E3779B97F4A7C15) ^ columns[1]
        identified["low"] = columns[2] * np.uint64(0xC2B2AE3D27D4EB4F) ^ columns[3]
    identified["flow"] = found.identification[rows].astype(np.uint64) << np.uint64(8)
    identified["flow"] |= (packets.shape[rows] & 0xFF).astype(np.uint64)
    return identified
