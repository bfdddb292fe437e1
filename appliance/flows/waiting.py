"""Connections of which one direction was stated: what waits for the other, and what was stated lately.

One slot a connection, found by a sorted index of keyed hashes and proven equal by its key. What is over stays
as a memory for a while: by it a flow that is stated again is known, and which side began.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from appliance.flows.couples import Index, alike
from appliance.flows.sides import BACK, BOTH, COLUMNS, FORTH, KEY, Halves, Mask

UNKNOWN, NEAR, FAR = -1, 0, 1
"""Which side is the client of a connection whose networks do not tell."""

_SMALLEST = 1 << 10
_EVICTED_SHARE = 16
_SPOKEN = ("first", "last", "packets", "octets")
_NEVER = np.iinfo(np.int64).min


class Waiting:
    """Slots of connections; `halves` of those not `open` are the last that was heard of them."""

    def __init__(self) -> None:
        self._hash = np.empty(0, np.uint64)  # sorted
        self._slot = np.empty(0, np.int64)  # beside it
        self._free = np.empty(0, np.int64)
        self.columns: dict[str, NDArray[Any]] = {name: np.empty(0, kind) for name, kind in COLUMNS.items()}
        self.columns |= {
            "open": np.empty(0, np.bool_),
            "told": np.empty(0, np.bool_),
            "changed": np.empty(0, np.bool_),
            "client": np.empty(0, np.int8),
        }
        for way in (FORTH, BACK):
            self.columns |= {f"{name}_{way}": np.empty(0, np.int64) for name in _SPOKEN}
        self._grow(_SMALLEST)

    def __len__(self) -> int:
        return len(self._slot)

    @property
    def slots(self) -> Index:
        """All slots in use."""
        return self._slot

    def open_slots(self) -> Index:
        """Slots of what waits."""
        return np.asarray(self._slot[self.columns["open"][self._slot]])

    def halves(self, slots: Index) -> Halves:
        """What is held at these slots."""
        return Halves({name: self.columns[name][slots] for name in COLUMNS})

    def find(self, hashes: NDArray[np.uint64], key: tuple[NDArray[np.uint64], ...]) -> Index:
        """(k,) the slot of each key, -1 where it is not known."""
        slots = np.full(len(hashes), -1, np.int64)
        if not len(self._hash):
            return slots
        pending = np.arange(len(hashes))
        place = np.searchsorted(self._hash, hashes)
        while len(pending):
            inside = place < len(self._hash)
            pending, place = pending[inside], place[inside]
            near = self._hash[place] == hashes[pending]
            pending, place = pending[near], place[near]
            slot = self._slot[place]
            same = np.ones(len(slot), np.bool_)
            for name, column in zip(KEY, key, strict=True):
                same &= self.columns[name][slot] == column[pending]
            slots[pending[same]] = slot[same]
            pending, place = pending[~same], place[~same] + 1
        return slots

    def enter(self, hashes: NDArray[np.uint64], key: tuple[NDArray[np.uint64], ...]) -> Index:
        """(k,) slots for distinct keys that are not known yet; nothing is said of them."""
        if len(hashes) > len(self._free):
            self._grow(len(self.columns["open"]) + len(hashes) - len(self._free))
        slots, self._free = self._free[: len(hashes)], self._free[len(hashes) :]
        for name, column in zip(KEY, key, strict=True):
            self.columns[name][slots] = column
        for name in ("open", "told", "changed"):
            self.columns[name][slots] = False
        self.columns["client"][slots] = UNKNOWN
        for way in (FORTH, BACK):
            self.columns[f"first_{way}"][slots] = _NEVER
        order = np.argsort(hashes)
        place = np.searchsorted(self._hash, hashes[order])
        self._hash = np.insert(self._hash, place, hashes[order])
        self._slot = np.insert(self._slot, place, slots[order])
        return slots

    def crowded(self, limit: int, is_open: bool) -> Index:
        """Slots of those, open or not, that came first, where there are more than `limit`."""
        slots = self._slot[self.columns["open"][self._slot] == is_open]
        beyond = len(slots) - limit
        if beyond <= 0:
            return np.empty(0, np.int64)
        count = min(beyond + limit // _EVICTED_SHARE, len(slots))
        return np.asarray(slots[np.argpartition(self.columns["since"][slots], count - 1)[:count]])

    def forget(self, slots: Index) -> None:
        """Forget the connections at these slots."""
        if len(slots):
            leaving = np.zeros(len(self.columns["open"]), np.bool_)
            leaving[slots] = True
            self.remove(leaving[self._slot])

    def remove(self, gone: Mask) -> None:
        """Forget connections: (n,) of `slots`."""
        if gone.any():
            self._free = np.concatenate([self._slot[gone], self._free])
            self._hash, self._slot = self._hash[~gone], self._slot[~gone]

    def put(self, slots: Index, halves: Halves) -> None:
        """Hold these halves at these slots."""
        for name in COLUMNS:
            self.columns[name][slots] = halves[name]

    def remember(self, slots: Index, halves: Halves, rows: Index) -> None:
        """Know these halves again if they are stated again; later ones in place of earlier ones."""
        for way, packets, octets in ((FORTH, "sent", "sent_octets"), (BACK, "got", "got_octets")):
            which = np.flatnonzero((halves["way"][rows] == way) | (halves["way"][rows] == BOTH))
            at, spoken = slots[which], rows[which]
            values = (halves[name][spoken] for name in ("first", "last", packets, octets))
            for name, column in zip(_SPOKEN, values, strict=True):
                self.columns[f"{name}_{way}"][at] = column

    def knows(self, slots: Index, halves: Halves, rows: Index) -> Mask:
        """(k,) whether each half was stated before at its slot."""
        known = np.ones(len(rows), np.bool_)
        for way, packets, octets in ((FORTH, "sent", "sent_octets"), (BACK, "got", "got_octets")):
            told = {name: self.columns[f"{name}_{way}"][slots] for name in _SPOKEN}
            same = told["first"] != _NEVER
            same &= told["packets"] == halves[packets][rows].astype(np.int64)
            same &= told["octets"] == halves[octets][rows].astype(np.int64)
            known_first = np.where(same, told["first"], 0)
            same &= alike(halves["first"][rows], halves["last"][rows], known_first, told["last"])
            known &= same | (halves["way"][rows] == (BACK if way == FORTH else FORTH))
        return known

    def _grow(self, wanted: int) -> None:
        old = len(self.columns["open"])
        size = max(_SMALLEST, old)
        while size < wanted:
            size += size // 2
        for name, column in self.columns.items():
            self.columns[name] = np.concatenate([column, np.zeros(size - old, column.dtype)])
        self._free = np.concatenate([self._free, np.arange(old, size)])
