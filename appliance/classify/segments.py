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
    """k TCP segments with payload: their packets, where it begins, where their captured bytes end."""

    packets: Packets
    rows: Int64
    payload: Int64
    end: Int64

    def some(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> "Segments":
        """Only these."""
        return Segments(self.packets, self.rows[which], self.payload[which], self.end[which])


def join(segments: Segments, first: Int64, pieces: Pieces) -> Int64:
    """Put the ClientHellos begun in segments `first` together, one a slot; returns whose slots they are."""
    chains = _chains(segments, first[:SLOTS])
    joined = chains[chains[:, 1] >= 0]
    buffer = segments.packets.frames.data.data
    for chain in joined.tolist():
        pieces.begin()
        offset = -RECORD_BYTES
        for segment in chain:
            if segment < 0:
                break
            start, stop = int(segments.payload[segment]), int(segments.end[segment])
            if offset < 0:
                start, offset = start + RECORD_BYTES, 0
            pieces.put(offset, buffer[start:stop])
            offset += stop - start
    return joined[:, 0]


def _chains(segments: Segments, first: Int64) -> Int64:
    """(f, 1 + FOLLOWERS) numbers of the segments that follow each other, -1 where none does."""
    packets, rows = segments.packets, segments.rows
    window = packets.frames.window(packets.transport[rows] + 4, 4)
    sequence = window.view(">u4").astype(np.uint64)
    ports = packets.ports[rows].astype(np.uint64) << np.uint64(32)
    order = np.argsort(ports | sequence)
    sought_in = (ports | sequence)[order]
    whole = segments.end == packets.network[rows] + packets.octets[rows]
    behind = sequence + (segments.end - segments.payload).astype(np.uint64) & np.uint64(0xFFFF_FFFF)
    chains = np.full((len(first), 1 + FOLLOWERS), -1)
    chains[:, 0] = first
    for step in range(FOLLOWERS):
        here = chains[:, step]
        place = np.searchsorted(sought_in, ports[here] | behind[here])
        next_one = order[np.minimum(place, len(order) - 1)]
        follows = (here >= 0) & whole[here] & ((ports | sequence)[next_one] == (ports[here] | behind[here]))
        for column in packets.addresses:
            follows &= column[rows[next_one]] == column[rows[here]]
        chains[:, step + 1] = np.where(follows & (next_one != here), next_one, -1)
    return chains
