"""Lines found by key, at a cost that does not grow with how many are remembered.

Putting a few lines in their places among many moves the many. So what came lately is a small part of its own,
which joins the large one in lots.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LOT = 1_024
"""So many lines may be in the small part; with more, the owner looks through all of them."""


def joined(*parts: NDArray[np.void]) -> NDArray[np.void]:
    """The lines of these parts, one after the other: `concatenate` compares all their fields each time."""
    lines = np.empty(sum(map(len, parts)), parts[0].dtype)
    begin = 0
    for part in parts:
        lines[begin : begin + len(part)] = part
        begin += len(part)
    return lines


@dataclass(frozen=True)
class _Part:
    lines: NDArray[np.void]
    keys: NDArray[np.uint64]  # of the lines, side by side: ascending

    @classmethod
    def of(cls, lines: NDArray[np.void]) -> "_Part":
        # `take` copies whole lines; indexing such an array goes field by field, 100 times as slow.
        lines = lines.take(np.argsort(lines["key"], kind="stable"))
        return cls(lines, lines["key"].copy())

    def places(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Where lines of these keys are, which are ascending and differ."""
        begin = self.keys.searchsorted(keys)
        count = self.keys.searchsorted(keys, side="right") - begin
        if not count.any():
            return begin[:0]
        return np.repeat(begin - np.cumsum(count) + count, count) + np.arange(count.sum())


class Lots:
    """Lines in the order of their keys, and among equal ones in that of their arrival."""

    def __init__(self, line: np.dtype[np.void]) -> None:
        self._large = self._small = _Part.of(np.empty(0, line))
        self._waiting: list[NDArray[np.void]] = []

    def __len__(self) -> int:
        return len(self._large.lines) + len(self._small.lines) + sum(map(len, self._waiting))

    def add(self, lines: NDArray[np.void]) -> None:
        """Until the batch is `over` these lines may be changed where they are, and are not found."""
        if len(lines):
            self._waiting.append(lines)

    def over(self) -> bool:
        """What was added is found from now on; says whether it is time to `replace` all lines."""
        if self._waiting:
            self._small = _Part.of(joined(self._small.lines, *self._waiting))
            self._waiting = []
        return len(self._small.lines) > LOT

    def places(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Where lines with any of these keys are, until the batch is `over`; earlier ones of a key first."""
        keys = np.sort(keys)
        keys = np.concatenate([keys[:1], keys[1:][keys[1:] != keys[:-1]]])
        return np.concatenate([self._large.places(keys), self._small.places(keys) + len(self._large.lines)])

    def take(self, places: NDArray[np.int64]) -> NDArray[np.void]:
        """A copy of the lines at ascending parts of places, as `places` gives them."""
        large = np.count_nonzero(places < len(self._large.lines))
        small = places[large:] - len(self._large.lines)
        return joined(self._large.lines.take(places[:large]), self._small.lines.take(small))

    def mark(self, places: NDArray[np.int64], field: str) -> None:
        """Set a truth of the lines at these places."""
        large = places < len(self._large.lines)
        self._large.lines[field][places[large]] = True
        self._small.lines[field][places[~large] - len(self._large.lines)] = True

    def all(self) -> NDArray[np.void]:
        """Every line that is found, in order."""
        return _Part.of(joined(self._large.lines, self._small.lines)).lines

    def replace(self, lines: NDArray[np.void]) -> None:
        """Remember these lines, some of `all` in their order, and no others."""
        self._large = _Part(lines, lines["key"].copy())
        self._small = _Part.of(lines[:0])
