"""First packets of QUIC connections: a bounded number is opened, those of one connection together."""

import numpy as np
from numpy.typing import NDArray

from appliance.classify.pieces import Pieces
from appliance.classify.quic import VERSIONS, Opener
from appliance.model.instants import NS
from appliance.wire.packets import Packets

SMALLEST_DATAGRAM = 1200
"""A client fills its Initials up to this (RFC 9000 section 14.1)."""

MOST_A_SECOND = 2000
"""Opened in a second of capture time, and in a batch: 60 us each, so a flood costs an eighth of a core."""

_TOGETHER = 3
"""Packets of one connection opened in a batch; a ClientHello with a post-quantum key needs two."""

_LONG_HEADER = 0xC0

Int64 = NDArray[np.int64]


def starts_initial(first: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(k, 8) first bytes of datagrams: which begin with a long header of a version that can be opened."""
    version = first[:, 1:5].copy().view(">u4").reshape(-1)
    known = version == VERSIONS[0]
    for number in VERSIONS[1:]:
        known |= version == number
    return np.asarray(known & (first[:, 0] & 0xC0 == _LONG_HEADER))


class Initials:
    """Opens Initials within a budget. `passed_over` counts those beyond it."""

    def __init__(self) -> None:
        self.passed_over = 0
        self._opener = Opener()
        self._second = 0
        self._opened = 0

    def open(
        self, packets: Packets, rows: Int64, payload: Int64, hashes: NDArray[np.uint64], pieces: Pieces
    ) -> NDArray[np.uint64]:
        """Put the handshakes of client Initials into slots, one a connection; returns whose slots they are.

        `rows` are the packets' numbers, `hashes` those of their connections.
        """
        end = packets.ends(rows)
        buffer = packets.frames.data.data
        chosen = self._within_budget(packets.time[rows], hashes)
        of: list[int] = []
        taken = 0
        for index in chosen.tolist():
            whose = int(hashes[index])
            if not of or of[-1] != whose:
                if pieces.is_full:
                    self.passed_over += 1
                    continue
                pieces.begin()
                of.append(whose)
                taken = 0
            if taken < _TOGETHER:
                taken += 1
                self._opener.crypto(buffer[int(payload[index]) : int(end[index])], pieces.put)
        return np.array(of, np.uint64)

    def _within_budget(self, time: Int64, hashes: NDArray[np.uint64]) -> Int64:
        """The packets that may be opened, those of a connection beside each other in the order they came."""
        second = int(time[-1] // NS) if len(time) else self._second
        if second != self._second:
            self._second, self._opened = second, 0
        left = MOST_A_SECOND - self._opened
        self.passed_over += max(len(time) - left, 0)
        allowed = min(len(time), left)
        self._opened += allowed
        return np.argsort(hashes[:allowed], kind="stable")
