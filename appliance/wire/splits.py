"""Frames that a tunnel splits itself (CAPWAP, LWAPP): which later pieces follow a first one that was read.

Only these may be left out, since their first piece told the whole length. All others stay records of the
packet that carries them, or whoever writes such a header would be recorded nowhere.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from appliance.wire.carriers import LATER
from appliance.wire.levels import Numbered
from appliance.wire.packets import Packets
from appliance.wire.pieces import APART_NS

Rows = NDArray[np.int64]

LIMIT = 16_384
"""First pieces that are remembered. Beyond that later pieces in another batch are recorded as packets."""

_WORDS = 5


class Splits:
    """First pieces that were read in the last `APART_NS`, at most `LIMIT` a family."""

    def __init__(self) -> None:
        self._heard = {4: _Heard(), 6: _Heard()}

    def settle(self, found: Iterable[tuple[Packets, Numbered]], entered: NDArray[np.bool_]) -> int:
        """Set `entered`, by number, at later pieces whose first one is there; returns how many these are.

        The first ones of the same batch are learnt before any is asked for: a mirror may change their order.
        """
        later: list[tuple[_Heard, Rows, NDArray[np.uint64], Rows]] = []
        for packets, numbered in found:
            inside, split = numbered.carriers.inside, numbered.carriers.inside.split
            if split is None:
                continue
            pieces = np.flatnonzero(split >= 0)
            frames, times = _frames(packets, numbered.carriers.rows[pieces], split[pieces])
            numbers, follows = pieces + numbered.first, inside.link[pieces] == LATER
            heard, read = self._heard[packets.family], ~follows & entered[numbers]
            heard.learn(frames[read], times[read])
            later.append((heard, numbers[follows], frames[follows], times[follows]))
        count = 0
        for heard, numbers, frames, times in later:
            known = numbers[heard.near(frames, times)]
            entered[known] = True
            count += len(known)
        return count

    def forget(self) -> None:
        """A batch is over: keep what may have later pieces in the next one."""
        for heard in self._heard.values():
            heard.forget()


class _Heard:
    """First pieces: (k, 5) which frame each is of, and when it was heard."""

    def __init__(self) -> None:
        self._frames = np.empty((0, _WORDS), np.uint64)
        self._times = np.empty(0, np.int64)

    def learn(self, frames: NDArray[np.uint64], times: Rows) -> None:
        self._frames = np.concatenate([self._frames, frames])
        self._times = np.concatenate([self._times, times])

    def near(self, frames: NDArray[np.uint64], times: Rows) -> NDArray[np.bool_]:
        """(k,) whether a first piece of this frame was heard at most `APART_NS` before or after."""
        known = len(self._frames)
        if not known or not len(frames):
            return np.zeros(len(frames), np.bool_)
        together, when = np.concatenate([self._frames, frames]), np.concatenate([self._times, times])
        order = np.lexsort((when, *together.T))
        together, when, first = together[order], when[order], order < known
        other = np.ones(len(order), np.bool_)
        other[1:] = (together[1:] != together[:-1]).any(axis=1)
        frame, place = np.cumsum(other), np.arange(len(order))
        before = np.maximum.accumulate(np.where(first, place, 0))
        behind = np.minimum.accumulate(np.where(first, place, len(order) - 1)[::-1])[::-1]
        near = np.zeros(len(order), np.bool_)
        for piece in (before, behind):
            near |= first[piece] & (frame[piece] == frame) & (np.abs(when[piece] - when) <= APART_NS)
        answer = np.empty(len(order), np.bool_)
        answer[order] = near
        return answer[known:]

    def forget(self) -> None:
        if len(self._times):
            lately = np.flatnonzero(self._times >= self._times.max() - APART_NS)[-LIMIT:]
            self._frames, self._times = self._frames[lately], self._times[lately]


def _frames(packets: Packets, rows: Rows, split: Rows) -> tuple[NDArray[np.uint64], Rows]:
    """(k, 5) addresses, ports and the number that the tunnel gave the frame; and the time of each piece."""
    frames = np.zeros((len(rows), _WORDS), np.uint64)
    for word, column in enumerate(packets.addresses):
        frames[:, word] = column[rows]
    frames[:, -1] = packets.ports[rows].astype(np.uint64) << np.uint64(16) | split.astype(np.uint64)
    return frames, packets.time[rows]
