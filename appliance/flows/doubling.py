"""Whether a mirror doubles what it shows, second by second, by what no sender sends twice."""

import numpy as np
from numpy.typing import NDArray

from appliance.model.instants import NS

_ENOUGH = 8
"""Of so many packets that tell, one was seen twice: far above what odd senders do, and a mirror of one port
of several reaches it."""

Counts = NDArray[np.int64]


class Doubling:
    """Counts by second of the packets' time: those that tell, and the copies among them.

    A second is judged by the one before it, so that the answer hangs on the packets alone and not on how they
    were cut into batches.
    """

    def __init__(self) -> None:
        self._second: Counts = np.empty(0, np.int64)  # ascending
        self._told: Counts = np.empty(0, np.int64)
        self._copies: Counts = np.empty(0, np.int64)

    def learn(self, told: NDArray[np.int64], copies: NDArray[np.int64]) -> None:
        """Add instants of packets that tell, and of the copies among them."""
        if not len(told):
            return
        told_in, told_count = _by_second(told)
        copied_in, copied_count = _by_second(copies)
        second = np.unique(np.concatenate([self._second, told_in, copied_in]))
        count, doubled = np.zeros(len(second), np.int64), np.zeros(len(second), np.int64)
        np.add.at(count, np.searchsorted(second, told_in), told_count)
        np.add.at(doubled, np.searchsorted(second, copied_in), copied_count)
        before = np.searchsorted(second, self._second)
        count[before] += self._told
        doubled[before] += self._copies
        self._second, self._told, self._copies = second, count, doubled

    def forget(self) -> None:
        """Keep what the packets to come can still hang on."""
        self._second, self._told, self._copies = self._second[-3:], self._told[-3:], self._copies[-3:]

    def at(self, time: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(k,) whether the mirror doubled in the second before each instant."""
        if not len(self._second):
            return np.zeros(len(time), np.bool_)
        before = time // NS - 1
        place = np.minimum(np.searchsorted(self._second, before), len(self._second) - 1)
        known = self._second[place] == before
        copies = self._copies[place]
        return np.asarray(known & (copies > 0) & (copies * _ENOUGH >= self._told[place]))


def _by_second(time: NDArray[np.int64]) -> tuple[Counts, Counts]:
    """Seconds and how many instants lie in each; one that is left and entered again comes twice."""
    if not len(time):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    second = time // NS
    starts = np.flatnonzero(np.append(True, second[1:] != second[:-1]))
    return second[starts], np.diff(np.append(starts, len(second)))
