"""What a connection has shown so far, in eight bits: goodbyes, who has sent, and over a router or not."""

import numpy as np
from numpy.typing import NDArray

FIN_FORTH, FIN_BACK = np.uint8(1), np.uint8(2)
"""FIN seen from the first side of the key, from the other side."""

RESET = np.uint8(4)
"""RST seen from either."""

FORWARDED_FORTH, FORWARDED_BACK = np.uint8(8), np.uint8(16)
"""The first packet that this side sent had been forwarded before it was seen: its MAC is a router's."""

SENT_FORTH, SENT_BACK = np.uint8(32), np.uint8(64)
"""This side has sent a packet; of the other side it is said only where that may be the client."""

TO_FORWARDED = 2
"""Bits from a side's SENT down to its FORWARDED."""

TOLD = np.uint8(128)
"""A row was told while it was open. If that says no MAC, so do the later ones: rows are joined by it."""

_SENT = SENT_FORTH | SENT_BACK
_OF_THE_FIRST = FORWARDED_FORTH | FORWARDED_BACK | _SENT

Flags = NDArray[np.uint8]


def said_goodbye(flags: Flags) -> NDArray[np.bool_]:
    """Whether both sides have said goodbye, or one has reset."""
    return np.asarray((flags & (RESET | FIN_FORTH | FIN_BACK)) >= FIN_FORTH | FIN_BACK)


def of_the_first(flags: Flags) -> Flags:
    """What the first packet of each side gave."""
    return flags & _OF_THE_FIRST


def joined(mine: Flags, theirs: Flags) -> Flags:
    """Flags of connections and of what follows: who has sent before has said whether over a router."""
    fresh = theirs & _SENT & ~mine
    return np.asarray(mine | theirs & ~_OF_THE_FIRST | fresh | theirs & (fresh >> TO_FORWARDED))


def joined_runs(flags: Flags, begins: NDArray[np.int64]) -> Flags:
    """(c,) the same of runs that follow one another from each of `begins` on."""
    said = np.bitwise_or.reduceat(flags & ~_OF_THE_FIRST, begins)
    for sent in (SENT_FORTH, SENT_BACK):
        place = np.where(flags & sent, np.arange(len(flags)), len(flags))
        first = np.minimum.reduceat(place, begins)
        known = np.flatnonzero(first < len(flags))
        said[known] |= flags[first[known]] & (sent | sent >> TO_FORWARDED)
    return np.asarray(said)
