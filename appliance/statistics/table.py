"""Sums of statistics as columns, to be cut by time and place and added up within milliseconds. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Table:
    """n sums in order of `at`, an hour or a day; `place` and `use` are numbers of words.

    `clients` are the most in one cell. What the table does not tell apart is 0. Each column lies by itself:
    the fast paths of numpy do not take fields of rows.
    """

    at: Int64
    place: Int64
    use: Int64
    octets: Int64
    connections: Int64
    clients: Int64

    @classmethod
    def joined(cls, days: Sequence[NDArray[np.void]], begins: Int64, numbers: Sequence[Int64]) -> "Table":
        """Rows of days (BY_PLACE, BY_USE), their words by other numbers and their instants from `begins`."""
        columns: dict[str, list[Int64]] = {name: [np.zeros(0, np.int64)] for name in cls.__dataclass_fields__}
        for rows, begin, number in zip(days, begins.tolist(), numbers, strict=True):
            of_day = rows["hour" if "hour" in (rows.dtype.names or ()) else "day"].astype(np.int64)
            columns["at"].append(begin + of_day)
            nothing = np.zeros(len(rows), np.int64)
            for name in ("place", "use"):
                columns[name].append(number[rows[name]] if name in (rows.dtype.names or ()) else nothing)
            for name in ("octets", "connections", "clients"):
                columns[name].append(rows[name])
        return cls(*(np.concatenate(parts) for parts in columns.values()))

    def between(self, begin: int, end: int) -> "Table":
        """Those at [begin, end)."""
        first, last = np.searchsorted(self.at, [begin, end])
        return self._taken(slice(first, last))

    def of(self, chosen: NDArray[np.bool_]) -> "Table":
        """Those of chosen places, a mark for each number of a word."""
        return self._taken(np.flatnonzero(chosen[self.place]))

    def added(self, which: Int64, count: int) -> tuple[Int64, Int64, Int64]:
        """Octets, connections and the most clients of `count` groups; `which` is each sum's group."""
        octets, connections, clients = (np.zeros(count, np.int64) for _ in range(3))
        np.add.at(octets, which, self.octets)
        np.add.at(connections, which, self.connections)
        np.maximum.at(clients, which, self.clients)
        return octets, connections, clients

    def summed(self, keys: Int64) -> "Table":
        """One sum for all of equal key; keys have to be in order of `at`. Place and use are of the first."""
        together, first, which = np.unique(keys, return_index=True, return_inverse=True)
        return Table(self.at[first], self.place[first], self.use[first], *self.added(which, len(together)))

    def _taken(self, rows: slice | NDArray[np.intp]) -> "Table":
        columns = (self.at, self.place, self.use, self.octets, self.connections, self.clients)
        return Table(*(column[rows] for column in columns))
