"""The table of open bindings: claims in, BINDING rows out. Pure: `now` is given, nothing is written.

A binding is (address, MAC, VLAN, evidence). It is written in parts so that what is recorded is never
far behind: a part runs from the first claim since the last part was written, never crosses a UTC hour,
and ends as ACTIVE_TIMEOUT where the binding goes on. Reading joins parts that overlap or lie within
15 minutes. A part is of one AP: where a claim names another one than before, a new part begins. Two MACs
that claim one address at the same time are two bindings and both are kept.
"""

from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from appliance.identity import spells
from appliance.identity.spells import NOTHING, SILENCE_NS, SPELL
from appliance.model.instants import HOUR_NS
from appliance.model.reasons import EndReason
from appliance.model.rows import BINDING

Rows = NDArray[np.void]
Slots = NDArray[np.int64]

_KEY = np.dtype([("ip_hi", "u8"), ("ip_lo", "u8"), ("mac", "u8"), ("vlan", "i2"), ("evidence", "u1")])
_KEY_FIELDS = ("ip_hi", "ip_lo", "mac", "vlan", "evidence")


def _keys(claims: Rows) -> list[bytes]:
    """What makes each claim's binding one and the same; bytes, so that the dict's keyed hash protects us."""
    keys = np.empty(len(claims), _KEY)
    for field in _KEY_FIELDS:
        keys[field] = claims[field]
    packed: list[bytes] = keys.view(f"V{_KEY.itemsize}").tolist()
    return packed


_ROAMINGS = 8
"""Changes of AP told apart in one batch; a device that pretends to change more often gains nothing."""


class Bindings:
    """Every binding that is open now, at most `limit`; beyond it those longest unheard of are closed.

    Rows returned are BINDING rows. Those with `end_reason` 0 come from `changed` only.
    """

    def __init__(self, limit: int = 65_536) -> None:
        self.evicted = 0
        self._limit = limit
        self._slot_of: dict[bytes, int] = {}
        self._key_of = np.zeros(limit, np.object_)  # bytes of each open slot
        self._free = list(range(limit - 1, -1, -1))
        self._held = np.zeros(limit, BINDING)
        self._spells = np.zeros(limit, SPELL)
        self._open = np.zeros(limit, np.bool_)
        self._changed = np.zeros(limit, np.bool_)

    def __len__(self) -> int:
        return len(self._slot_of)

    def observe(self, claims: Rows, source: int) -> Rows:
        """Take CLAIM rows in any order, all of one `source`; returns the parts they closed."""
        step = max(self._limit // 2, 1)
        parts = []
        for at in range(0, len(claims), step):
            for some in _between_roamings(claims[at : at + step]):
                parts += [self._roam(some), self._observe(some, source)]
                self._name_aps(some)
        return self._joined(parts)

    def expire(self, now_ns: int) -> Rows:
        """Close what has fallen silent, what a lease has ended, and every part of an earlier hour.

        A binding last heard of well after `now_ns` is closed too: the clock has been set back.
        """
        held = self._spells[self._open]
        ahead = held["last"] > now_ns + SILENCE_NS
        over = (spells.reach(held) < now_ns) & ~ahead
        ended = self._close(held[over], _natural_end(held[over]))
        forced = self._close(held[ahead], EndReason.FORCED_END, held["last"][ahead])
        hour = now_ns // HOUR_NS * HOUR_NS
        earlier = ~over & ~ahead & (held["from"] < hour)
        return self._joined([ended, forced, self._write(held[earlier], hour - 1, hour)])

    def cut(self, now_ns: int) -> Rows:
        """Write a part of every open binding as it stands; they stay open. Returns all that is closed."""
        expired = self.expire(now_ns)
        held = self._spells[self._open]
        is_new = (held["from"] < now_ns) | (held["last"] >= held["from"])
        return self._joined([expired, self._write(held[is_new & (held["from"] != NOTHING)], now_ns, now_ns)])

    def close(self) -> Rows:
        """Close everything, when recording ends; a lease is believed to the end of its part's hour."""
        held = self._spells[self._open]
        return self._close(held, EndReason.FORCED_END, self._until(held))

    def changed(self) -> Rows:
        """Open parts that are new or have new claims since the last call; `end_reason` is 0."""
        slots = np.flatnonzero(self._changed & self._open)
        self._changed[:] = False
        held = self._spells[slots]
        held = held[held["from"] != NOTHING]
        return self._rows(held, self._until(held), 0)

    def forget_reported(self) -> None:
        """What `changed` gave was not written: the next call gives every open part again."""
        self._changed[:] = True

    def _roam(self, claims: Rows) -> Rows:
        """Write what was held through another AP than these claims name; it goes on from the claim."""
        slots, named = self._named(claims)
        held_through = self._held["ap_mac"][slots]
        slots, first = np.unique(
            slots[(held_through != 0) & (held_through != named["ap_mac"])], return_index=True
        )
        when = named["seen"][(held_through != 0) & (held_through != named["ap_mac"])][first]
        return self._write(self._spells[slots], when - 1, when)

    def _name_aps(self, claims: Rows) -> None:
        slots, named = self._named(claims)
        self._held["ap_mac"][slots] = named["ap_mac"]

    def _named(self, claims: Rows) -> tuple[Slots, Rows]:
        """The claims that name an AP and whose binding is open, and its slot."""
        claims = claims[claims["ap_mac"] != 0]
        slots = np.fromiter(map(self._slot_of.get, _keys(claims), repeat(-1)), np.int64, len(claims))
        return slots[slots >= 0], claims[slots >= 0]

    def _observe(self, claims: Rows, source: int) -> Rows:
        slots, evicted = self._slots(claims, source)
        claims, slots = claims[slots >= 0], slots[slots >= 0]
        said = np.zeros(len(claims), SPELL)
        said["slot"], said["from"], said["last"] = slots, claims["seen"], claims["seen"]
        said["lease"], said["released"] = claims["until"], claims["released"]
        touched = np.unique(slots)
        known = self._spells[touched[self._open[touched]]]
        ended, latest = spells.join(np.concatenate([known, said]))
        self._open[touched] = self._changed[touched] = True
        self._spells[latest["slot"]] = latest
        parts = self._rows(ended, spells.stated_until(ended), _natural_end(ended))
        going_on, released = latest[~latest["released"]], latest[latest["released"]]
        # A spell that has passed into another hour leaves the hours before as parts.
        hour = going_on["last"] // HOUR_NS * HOUR_NS
        passed = going_on["from"] < hour
        earlier = self._rows(going_on[passed], hour[passed] - 1, EndReason.ACTIVE_TIMEOUT)
        self._spells["from"][going_on["slot"][passed]] = hour[passed]
        return self._joined([evicted, parts, earlier, self._close(released, EndReason.END_OF_FLOW)])

    def _slots(self, claims: Rows, source: int) -> tuple[Slots, Rows]:
        """The slot of each claim, -1 for the release of what was not held; and what made room for them."""
        keys = _keys(claims)
        slots = np.fromiter(map(self._slot_of.get, keys, repeat(-1)), np.int64, len(keys))
        unknown = np.flatnonzero((slots < 0) & ~claims["released"])
        first = {keys[index]: index for index in reversed(unknown.tolist())}
        evicted = self._make_room(len(first), slots[slots >= 0])
        left = len(self._free) - len(first)
        given, self._free[left:] = self._free[left:], []
        self._slot_of.update(zip(first, given, strict=True))
        self._key_of[given] = list(first)
        fresh = claims[list(first.values())]
        for field in (*_KEY_FIELDS, "ap_mac"):
            self._held[field][given] = fresh[field]
        self._held["source"][given] = source
        missing = np.flatnonzero(slots < 0)
        keys = [keys[index] for index in missing.tolist()]
        slots[missing] = list(map(self._slot_of.get, keys, repeat(-1)))
        return slots, evicted

    def _make_room(self, wanted: int, busy: Slots) -> Rows:
        """Close as many of the longest unheard of as it takes, none of the `busy` ones."""
        excess = wanted - len(self._free)
        if excess <= 0:
            return np.zeros(0, BINDING)
        candidates = self._open.copy()
        candidates[busy] = False
        held = self._spells[candidates]
        oldest = held[np.argpartition(held["last"], excess - 1)[:excess]]
        self.evicted += excess
        return self._close(oldest, EndReason.LACK_OF_RESOURCES, self._until(oldest))

    def _until(self, held: Rows) -> NDArray[np.int64]:
        """Until when a part stands as far as is known: the end of its lease or hour, else the last claim."""
        begin = np.where(held["from"] == NOTHING, held["last"], held["from"])
        return np.asarray(np.minimum(spells.stated_until(held), (begin // HOUR_NS + 1) * HOUR_NS - 1))

    def _close(
        self, held: Rows, reason: int | NDArray[np.int64], until: NDArray[np.int64] | None = None
    ) -> Rows:
        """Take bindings out of the table; returns their last parts."""
        for key in self._key_of[held["slot"]].tolist():
            del self._slot_of[key]
        self._free.extend(held["slot"].tolist())
        self._open[held["slot"]] = False
        return self._rows(held, spells.stated_until(held) if until is None else until, reason)

    def _write(self, held: Rows, until_ns: int | NDArray[np.int64], next_ns: int | NDArray[np.int64]) -> Rows:
        """Close the parts of bindings that go on: leases up to `until_ns`, others up to their last claim.

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


def _between_roamings(claims: Rows) -> list[Rows]:
    """The claims in lots, one after the other; in each a binding's claims name one AP at most."""
    if len(claims) < 2 or not claims["ap_mac"].any():
        return [claims]
    claims = claims[np.lexsort((claims["seen"], *(claims[field] for field in _KEY_FIELDS)))]
    fresh = np.ones(len(claims), np.bool_)
    fresh[1:] = np.logical_or.reduce([claims[name][1:] != claims[name][:-1] for name in _KEY_FIELDS])
    place = np.arange(len(claims))
    begin = np.maximum.accumulate(np.where(fresh, place, 0))
    named = claims["ap_mac"] != 0
    before = np.append(-1, np.maximum.accumulate(np.where(named, place, -1))[:-1])
    roamed = np.cumsum(named & (before >= begin) & (claims["ap_mac"] != claims["ap_mac"][before]))
    lot = np.minimum(roamed - roamed[begin], _ROAMINGS)
    return [claims[lot == number] for number in range(int(lot.max()) + 1)]


def _natural_end(held: Rows) -> NDArray[np.int64]:
    """Why a spell ended by itself: its lease ended or was given back, or it fell silent."""
    is_leased = (held["lease"] > held["last"]) | held["released"]
    return np.where(is_leased, EndReason.END_OF_FLOW, EndReason.IDLE_TIMEOUT)
