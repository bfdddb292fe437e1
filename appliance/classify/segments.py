"""ClientHellos whose name lies behind the end of their first TCP segment, with the segments that follow."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.classify.pieces import SLOTS, Pieces
from appliance.classify.tls import RECORD_BYTES
from appliance.wire.packets import Packets

FOLLOWERS = 2
"""Segments looked for behind the first; a ClientHello with a post-quantum key fills less than two."""

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Segments:
    """k TCP segments: their packets, and where their payload begins (it need not lie in the packet)."""

    packets: Packets
    rows: Int64
    payload: Int64

    def some(self, which: Int64) -> "Segments":
        """Only these."""
        return Segments(self.packets, self.rows[which], self.payload[which])

    def ends(self) -> Int64:
        """(k,) where their captured bytes stop."""
        return self.packets.ends(self.rows)


def join(segments: Segments, first: Int64, pieces: Pieces) -> Int64:
    """Put the ClientHellos begun in segments `first` together, one a slot; returns whose slots they are."""
    whole = np.flatnonzero(_are_whole(segments))
    place = np.searchsorted(whole, first)
    place = place[np.isin(first, whole)][:SLOTS]
    segments = segments.some(whole)
    chains = _chains(segments, place)
    chains = chains[chains[:, 1] >= 0]
    buffer, ends = segments.packets.frames.data.data, segments.ends()
    for chain in chains.tolist():
        pieces.begin()
        offset = -RECORD_BYTES
        for segment in chain:
            if segment < 0:
                break
            start, stop = int(segments.payload[segment]), int(ends[segment])
            if offset < 0:
                start, offset = start + RECORD_BYTES, 0
            pieces.put(offset, buffer[start:stop])
            offset += stop - start
    return whole[chains[:, 0]]


def _are_whole(segments: Segments) -> NDArray[np.bool_]:
    """(k,) captured to their end, with payload: what follows can be told from their length."""
    packets, rows, ends = segments.packets, segments.rows, segments.ends()
    transport = packets.transport[rows]
    held = (transport >= 0) & (transport + 20 <= segments.payload) & (segments.payload < ends)
    return np.asarray(held & (ends == packets.network[rows] + packets.octets[rows]))


def _chains(segments: Segments, first: Int64) -> Int64:
    """(f, 1 + FOLLOWERS) numbers of the segments that follow each other, -1 where none does."""
    packets, rows = segments.packets, segments.rows
    sequence = packets.frames.window(packets.transport[rows] + 4, 4).view(">u4").astype(np.uint64)
    ports = packets.ports[rows].astype(np.uint64) << np.uint64(32)
    behind = sequence + (segments.ends() - segments.payload).astype(np.uint64) & np.uint64(0xFFFF_FFFF)
    here_is, next_is = ports | sequence, ports | behind
    order = np.argsort(here_is)
    in_order = here_is[order]
    chains = np.full((len(first), 1 + FOLLOWERS), -1)
    chains[:, 0] = first
    for step in range(FOLLOWERS):
        here = chains[:, step]
        place = np.searchsorted(in_order, next_is[here])
        follower = order[np.minimum(place, len(order) - 1)]
        follows = (here >= 0) & (here_is[follower] == next_is[here])
        for column in packets.addresses:
            follows &= column[rows[follower]] == column[rows[here]]
        chains[:, step + 1] = np.where(follows, follower, -1)
    return chains
