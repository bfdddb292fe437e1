"""What claims name of a holder and a place, against what is named of what is held. Pure column work."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from appliance.identity.spells import NOTHING
from appliance.identity.table import Rows, Slots, Table

Mask = NDArray[np.bool_]

FORGOTTEN = ("ap_mac", "ssid", "user", "session", "class", "bytes_out", "bytes_in")
"""What was said of one holder and does not pass to the next."""


class Named(Table):
    """A table whose slots have a holder and a place, each of some fields of the claims; 0 names none."""

    def __init__(self, limit: int, key: Sequence[str], holder: Sequence[str], place: Sequence[str]) -> None:
        super().__init__(limit, key)
        self._holder, self._place = holder, place
        self._names = (*holder, *place)
        self._told = (*holder, *holder, *place)  # twice: what names a holder may follow what names another
        self._begun = np.zeros(limit, np.int64)  # from when on each has been held as it is named now
        self._plain = True  # nothing was ever said but who holds what

    def _keys(self, claims: Rows, source: int) -> Rows:
        """What makes the holding of each claim one and the same."""
        keys = np.zeros(len(claims), self._key)
        for name in self._key_fields:
            keys[name] = claims[name]
        keys["source"] = source
        return keys

    def _contested(self, claims: Rows) -> Mask:
        """(n,) whether the holder is not part of the key: then a claim may name another one."""
        return np.ones(len(claims), np.bool_)

    def _leases(self, claims: Rows) -> NDArray[np.int64]:
        """(n,) the end that each claim states, 0 none."""
        return np.asarray(claims["until"])

    def _lasts(self, claims: Rows) -> NDArray[np.int64]:
        """(n,) until when each claim itself has seen what it says."""
        return np.asarray(claims["seen"])

    def _gives(self, claims: Rows) -> Mask:
        """(n,) whether a claim can put its holder in the place of another."""
        return np.ones(len(claims), np.bool_)

    def _is_alone(self, claims: Rows) -> Mask:
        """(n,) whether a claim names another place by naming none: it is taken apart from those that do."""
        return np.zeros(len(claims), np.bool_)

    def _testifies(self, claims: Rows) -> Mask:
        """(n,) whether the end of what nobody is known to have held says that it was held until then."""
        return np.ones(len(claims), np.bool_)

    def _since(self, claims: Rows, slots: Slots, other: Mask) -> NDArray[np.int64]:
        """(n,) from when on what each claim says of another holder or place counts.

        A beginning counts if nothing later is known; an end, from the beginning of what it ends.
        """
        last = self._spells["last"][slots]
        gives = self._gives(claims)
        begins = other & ~claims["released"] & gives & (claims["seen"] >= last)
        begun = dict(zip(slots[begins][::-1].tolist(), claims["seen"][begins][::-1].tolist(), strict=True))
        ends = np.flatnonzero(other & claims["released"])
        last[ends] = [begun.get(slot, NOTHING) for slot in slots[ends].tolist()]
        last[other & ~claims["released"] & ~gives] = NOTHING
        return np.asarray(last)

    def _named_another(self, claims: Rows, slots: Slots, names: Sequence[str]) -> Mask:
        """(n,) whether a claim names another holder or place than the one that is held."""
        found = np.zeros(len(claims), np.bool_)
        for name in names:
            said = claims[name]
            if said.any():
                held = self._held[name][slots]
                found |= (said != 0) & (held != 0) & (said != held)
        return np.asarray(found & (slots >= 0) & self._open[slots])

    def _learned(self, claims: Rows, slots: Slots) -> Mask:
        """(n,) whether a claim names what nobody has named of what is held."""
        found = np.zeros(len(claims), np.bool_)
        for name in self._names:
            said = claims[name]
            if said.any():
                found |= (said != 0) & (self._held[name][slots] == 0)
        return np.asarray(found & (slots >= 0) & self._open[slots])

    def _is_late(self, claims: Rows, slots: Slots, learned: Mask) -> Mask:
        """(n,) whether a claim is of a time before that of which is known what is held now.

        So it is if it names something new and is not the latest, or does not say what has since been named.
        """
        late = learned & (claims["seen"] < self._spells["last"][slots])
        early = np.flatnonzero((claims["seen"] < self._begun[slots]) & (slots >= 0) & self._open[slots])
        for name in self._names if len(early) else ():
            late[early] |= (claims[name][early] == 0) & (self._held[name][slots[early]] != 0)
        return np.asarray(late)
