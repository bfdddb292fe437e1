"""The slots of what is open, and the rows it leaves: what a table of holdings stands on. Pure.

A slot has a key, what is held (a BINDING row without its period) and a spell. It is written in parts so that
what is recorded is never far behind: a part runs from the first claim since the last part was written, never
crosses a UTC hour, and ends as ACTIVE_TIMEOUT where it goes on.
"""

from collections.abc import Sequence
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from appliance.identity import spells
from appliance.identity.spells import NOTHING, SPELL
from appliance.model.instants import HOUR_NS
from appliance.model.reasons import EndReason
from appliance.model.rows import BINDING

Rows = NDArray[np.void]
Slots = NDArray[np.int64]

_LARGE = 1 << 14
_FIRST_NS = 1 << 62  # longer than any instant is after 1970


class Table:
    """At most `limit` slots; when one more is wanted, some are closed: see `_make_room`.

    `key` are fields of the claims; the source of a claim is part of its key, too.
    """

    def __init__(self, limit: int, key: Sequence[str]) -> None:
        self.evicted = 0
        self._limit = limit
        self._key_fields = tuple(key)
        self._key = np.dtype([*((name, BINDING[name]) for name in key), ("source", np.uint16)])
        self._slot_of: dict[bytes, int] = {}
        self._key_of = np.zeros(limit, np.object_)  # bytes of each open slot
        self._free = list(range(limit - 1, -1, -1))
        self._held = np.zeros(limit, BINDING)
        self._spells = np.zeros(limit, SPELL)
        self._open = np.zeros(limit, np.bool_)
        self._changed = np.zeros(limit, np.bool_)

    def __len__(self) -> int:
        return len(self._slot_of)

    def _slots(self, claims: Rows, keys: Rows, source: int) -> tuple[Slots, Rows]:
        """The slot of each claim, -1 for the release of what was not held; and what is closed for them.

        What has fallen silent before these claims is closed: what was said of it is not said of what comes.
        """
        packed = self._packed(keys)
        slots = np.fromiter(map(self._slot_of.get, packed, repeat(-1)), np.int64, len(packed))
        over = self._over_before(claims["seen"], slots)
        held = self._spells[over]
        ended = self._close(held, natural_end(held))
        slots[np.isin(slots, over)] = -1
        unknown = np.flatnonzero((slots < 0) & ~claims["released"])
        first = {packed[index]: index for index in reversed(unknown.tolist())}
        evicted = self._make_room(len(first), slots[slots >= 0])
        left = len(self._free) - len(first)
        given, self._free[left:] = self._free[left:], []
        self._slot_of.update(zip(first, given, strict=True))
        self._key_of[given] = list(first)
        self._fill(claims[list(first.values())], np.array(given, np.int64), source)
        missing = np.flatnonzero(slots < 0)
        packed = [packed[index] for index in missing.tolist()]
        slots[missing] = list(map(self._slot_of.get, packed, repeat(-1)))
        return slots, self._joined([ended, evicted])

    def _packed(self, keys: Rows) -> list[bytes]:
        """As bytes, so that the dict's keyed hash protects us."""
        packed: list[bytes] = keys.view(f"V{self._key.itemsize}").tolist()
        return packed

    def _found(self, keys: Rows) -> Slots:
        """(n,) the slot of each key, -1 where nothing is held."""
        return np.fromiter(map(self._slot_of.get, self._packed(keys), repeat(-1)), np.int64, len(keys))

    def _known_leases(self, keys: Rows) -> NDArray[np.int64]:
        """(n,) the lease that is known of what is held, 0 none."""
        slots = self._found(keys)
        return np.where(slots >= 0, self._spells["lease"][slots], 0)

    def _over_before(self, seen: NDArray[np.int64], slots: Slots) -> Slots:
        """The slots, of these, whose spell had ended before the first of the claims on it."""
        known = slots >= 0
        late = seen[known] > spells.reach(self._spells[slots[known]])
        return np.setdiff1d(slots[known][late], slots[known][~late]) if late.any() else slots[:0]

    def _fill(self, claims: Rows, slots: Slots, source: int) -> None:
        """Write what makes up each of these claims into a slot that was free."""
        fresh = self._blank(len(claims))
        for name in self._key_fields:
            fresh[name] = claims[name]
        fresh["source"] = source
        self._held[slots] = fresh

    def _blank(self, count: int) -> Rows:
        """Rows that say nothing yet."""
        return np.zeros(count, BINDING)

    def _make_room(self, wanted: int, busy: Slots) -> Rows:
        """Close as many of the longest unheard of as it takes, none of the `busy` ones.

        They are taken from the source that has most: who floods takes no other's place.
        """
        excess = wanted - len(self._free)
        if excess <= 0:
            return np.zeros(0, BINDING)
        candidates = self._open.copy()
        candidates[busy] = False
        held = self._spells[candidates]
        if self._limit >= _LARGE:  # looking for the oldest costs milliseconds: not for each of many batches
            excess = min(max(excess, self._limit // 64), len(held))
        source = self._held["source"][held["slot"]]
        fullest = source == np.bincount(source).argmax()
        age = held["last"] - np.where(fullest, _FIRST_NS, 0)
        oldest = held[np.argpartition(age, excess - 1)[:excess]]
        self.evicted += excess
        return self._close(oldest, EndReason.LACK_OF_RESOURCES, self._until(oldest))

    def _until(self, held: Rows) -> NDArray[np.int64]:
        """Until when a part stands as far as is known: the end of its lease or hour, else the last claim."""
        begin = np.where(held["from"] == NOTHING, held["last"], held["from"])
        return np.asarray(np.minimum(spells.stated_until(held), (begin // HOUR_NS + 1) * HOUR_NS - 1))

    def _close(
        self, held: Rows, reason: int | NDArray[np.int64], until: NDArray[np.int64] | None = None
    ) -> Rows:
        """Take what is held out of the table; returns its last parts."""
        for key in self._key_of[held["slot"]].tolist():
            del self._slot_of[key]
        self._free.extend(held["slot"].tolist())
        self._open[held["slot"]] = False
        return self._rows(held, spells.stated_until(held) if until is None else until, reason)

    def _write(self, held: Rows, until_ns: int | NDArray[np.int64], next_ns: int | NDArray[np.int64]) -> Rows:
        """Close the parts of what goes on: leases up to `until_ns`, others up to their last claim.

        A lease's next part begins at `next_ns`, any other at its next claim.
        """
        stated = spells.stated_until(held)
        is_leased = stated > held["last"]
        parts = self._rows(
            held, np.where(is_leased, np.minimum(stated, until_ns), stated), EndReason.ACTIVE_TIMEOUT
        )
        self._spells["from"][held["slot"]] = np.where(is_leased, np.maximum(held["from"], next_ns), NOTHING)
        self._changed[held["slot"]] = is_leased
        return parts

    def _rows(self, held: Rows, until: NDArray[np.int64], reason: int | NDArray[np.int64]) -> Rows:
        """BINDING rows, cut by the hour; spells that have nothing to tell are left out."""
        rows = self._held[held["slot"]]
        rows["from"], rows["end_reason"] = held["from"], reason
        rows["until"] = np.maximum(until, held["from"])
        return spells.by_hour(rows[held["from"] != NOTHING])

    @staticmethod
    def _joined(parts: list[Rows]) -> Rows:
        return np.concatenate([np.zeros(0, BINDING), *parts])


def natural_end(held: Rows) -> NDArray[np.int64]:
    """Why a spell ended by itself: its lease ended or was given back, or it fell silent."""
    is_leased = (held["lease"] > held["last"]) | held["released"]
    return np.where(is_leased, EndReason.END_OF_FLOW, EndReason.IDLE_TIMEOUT)
