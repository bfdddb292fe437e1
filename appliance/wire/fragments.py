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
        """The same packets with the ports of later fragments filled in where they are known."""
        split = np.flatnonzero(found.fragment >= 0)
        if not len(split):
            return packets
        datagrams = _identify(packets, found, split)
        first = (found.fragment[split] == 0) & (packets.shape[split] & PORTS_UNKNOWN == 0)
        self._remember(datagrams[first], packets.ports[split[first]], packets.time[split[first]])
        later = split[found.fragment[split] > 0]
        ports, known = self._look_up(datagrams[found.fragment[split] > 0], packets.time[later])
        packets.ports[later[known]] = ports[known]
        packets.shape[later[known]] &= ~np.uint16(PORTS_UNKNOWN)
        return packets

    def _remember(
        self, datagrams: NDArray[np.void], ports: NDArray[np.uint32], time: NDArray[np.int64]
    ) -> None:
        everything = np.concatenate([datagrams[::-1], self._datagrams])  # newest first
        _, newest = np.unique(everything, return_index=True)
        newest = np.sort(newest)[:LIMIT]
        self._datagrams = everything[newest]
        self._ports = np.concatenate([ports[::-1], self._ports])[newest]
        self._time = np.concatenate([time[::-1], self._time])[newest]

    def _look_up(
        self, datagrams: NDArray[np.void], time: NDArray[np.int64]
    ) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
        if not len(self._datagrams) or not len(datagrams):
            return np.zeros(len(datagrams), np.uint32), np.zeros(len(datagrams), np.bool_)
        order = np.argsort(self._datagrams)
        place = np.minimum(np.searchsorted(self._datagrams, datagrams, sorter=order), len(order) - 1)
        match = order[place]
        known = self._datagrams[match] == datagrams
        known &= np.abs(time - self._time[match]) <= TIMEOUT_NS
        return self._ports[match], known


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
