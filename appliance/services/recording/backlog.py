"""Closed rows of one vault that no segment holds yet, and which of them the journal has not got."""

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.void]


class Backlog:
    """Rows in the order they closed. `total` counts every row ever added."""

    def __init__(self, dtype: np.dtype[np.void]) -> None:
        self.total = 0
        self._dtype = dtype
        self._rows: list[Rows] = []
        self._count = 0
        self._written = 0

    def __len__(self) -> int:
        return self._count

    def add(self, rows: Rows) -> None:
        """Take closed rows over."""
        if len(rows):
            self._rows.append(rows)
            self._count += len(rows)
            self.total += len(rows)

    def unwritten(self, changed: Rows) -> Rows:
        """What the journal lacks: rows closed since `written` was last called, and these open ones."""
        lacking: list[Rows] = []
        left = self._count - self._written
        for rows in reversed(self._rows):
            if left <= 0:
                break
            lacking.append(rows[-left:])
            left -= len(rows)
        return np.concatenate([*lacking[::-1], changed]) if lacking else changed

    def written(self) -> None:
        """The journal has everything added until now."""
        self._written = self._count

    def take(self) -> Rows:
        """All rows as one array; they stay until `sealed`."""
        together = np.concatenate(self._rows) if self._rows else np.empty(0, self._dtype)
        self._rows = [together]
        return together

    def sealed(self) -> None:
        """A segment holds everything added until now."""
        self._rows, self._count, self._written = [], 0, 0

    def give_up(self, limit: int) -> Rows:
        """Drop the oldest rows beyond `limit`, and return them for the counting."""
        beyond = max(0, self._count - limit)
        rows = self.take()
        self._rows, self._count = [rows[beyond:].copy()], self._count - beyond
        self._written = max(0, self._written - beyond)
        return rows[:beyond]
