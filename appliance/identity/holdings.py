"""What is open and who holds it: claims in, BINDING rows out. What bindings and translations have in common.

Pure: `now` is given, nothing is written. Each thing open is known by its key, and at every instant has one
holder and one place. A part is of one holder and one place: where a claim names another, a new part begins.
"""

import numpy as np
from numpy.typing import NDArray

from appliance.identity import lots, spells
from appliance.identity.named import FORGOTTEN, Mask, Named
from appliance.identity.spells import NOTHING, SILENCE_NS, SPELL
from appliance.identity.table import Rows, Slots, natural_end
from appliance.model.instants import HOUR_NS, MINUTE_NS
from appliance.model.reasons import EndReason
from appliance.model.rows import BINDING

CHANGES = 256
"""Changes of one key told apart in one batch, some 0.1 s; who pretends to change more often gains nothing."""


class Holdings(Named):
    """Everything that is open now, at most `limit`; for more, the fullest source gives way (see `Table`).

    Rows returned are BINDING rows. Those with `end_reason` 0 come from `changed` only. `key`, `holder` and
    `place` are fields of the claims; what a claim does not name (0) of a holder or place stays as it was,
    but where the first field of the place changes, the second is forgotten: it belonged to the other.
    """

    def observe(self, claims: Rows, source: int) -> Rows:
        """Take claims in any order, all of one `source`; returns the parts they closed.

        They tell the same together as one after the other in order of time.
        """
        step = max(self._limit // 2, 1)
        parts = []
        if len(claims) > step:
            claims = claims[np.argsort(claims["seen"], kind="stable")]
        for at in range(0, len(claims), step):
            some = claims[at : at + step]
            parts += self._in_lots(some, self._keys(some, source), source)
        return self._joined(parts)

    def _in_lots(self, claims: Rows, keys: Rows, source: int) -> list[Rows]:
        contested = self._contested(claims)
        if self._plain and not contested.all():
            others = claims[~contested]
            names = (*FORGOTTEN, *self._place, "released")
            self._plain = not any(others[name].any() for name in names)
        watched = np.flatnonzero(contested) if self._plain else np.arange(len(claims))
        if len(claims) < 2 or not len(watched):
            return self._take(claims, keys, source)
        theirs, some = keys[watched], claims[watched]
        said, known, alone = self._said(some), self._known_leases(theirs), self._is_alone(some)
        each, skipped = lots.apart(theirs, some, said, known, alone, self._told, CHANGES)
        first = np.append(np.setdiff1d(np.arange(len(claims)), watched), watched[each[0]])
        parts = self._take(claims[first], keys[first], source)
        for lot in each[1:]:
            if len(skipped) and lot is each[-1]:
                parts += self._skip(some[skipped], theirs[skipped], source)
            parts += self._take(some[lot], theirs[lot], source)
        return parts

    def _skip(self, claims: Rows, keys: Rows, source: int) -> list[Rows]:
        """Close what is held of these keys; these claims become a row each, one a minute of those alike."""
        slots, first = np.unique(self._found(keys), return_index=True)
        slots, when = slots[slots >= 0], claims["seen"][first[slots >= 0]]
        held = self._spells[slots]
        self.evicted += len(held)
        until = np.minimum(spells.stated_until(held), when - 1)
        closed = self._close(held, EndReason.LACK_OF_RESOURCES, until)
        columns = [claims[name].astype(np.uint64) for name in (*self._key_fields, *self._names, "released")]
        columns += [(each // MINUTE_NS).astype(np.uint64) for each in (claims["seen"], self._lasts(claims))]
        _, first = np.unique(np.stack(columns, axis=1), axis=0, return_index=True)
        return [closed, self._instants(claims[first], source)]

    def expire(self, now_ns: int) -> Rows:
        """Close what has fallen silent, what a lease has ended, and every part of an earlier hour.

        What was last heard of well after `now_ns` is closed too: the clock has been set back.
        """
        held = self._spells[self._open]
        ahead = held["last"] > now_ns + SILENCE_NS
        over = (spells.reach(held) < now_ns) & ~ahead
        ended = self._close(held[over], natural_end(held[over]))
        forced = self._close(held[ahead], EndReason.FORCED_END, held["last"][ahead])
        hour = now_ns // HOUR_NS * HOUR_NS
        earlier = ~over & ~ahead & (held["from"] < hour)
        return self._joined([ended, forced, self._write(held[earlier], hour - 1, hour)])

    def cut(self, now_ns: int) -> Rows:
        """Write a part of everything open as it stands; it stays open. Returns all that is closed."""
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

    def texts(self) -> NDArray[np.uint32]:
        """The numbers of the texts that what is open names."""
        return np.zeros(0, np.uint32)

    def _take(self, claims: Rows, keys: Rows, source: int) -> list[Rows]:
        slots, closed = self._slots(claims, keys, source)
        aside = (slots < 0) & self._testifies(claims)
        other = self._named_another(claims, slots, self._names)
        learned = ~other & self._learned(claims, slots)
        stale = other & (claims["seen"] < self._since(claims, slots, other))
        stale |= self._is_late(claims, slots, learned) & ~other
        aside |= stale & (~claims["released"] | self._testifies(claims))
        parts = [closed, self._instants(claims[aside], source)]
        # What stays aside continues nothing: whether the others of its slots do is asked anew.
        again = (slots >= 0) & ~stale & np.isin(slots, slots[stale])
        rest = (claims[again], keys[again])
        taken = (slots >= 0) & ~stale & ~again
        claims, slots, other, learned = claims[taken], slots[taken], other[taken], learned[taken]
        changes = other | learned
        if changes.any():
            parts += self._change(claims[changes], slots[changes], other[changes], source)
        self._name(claims, slots)
        parts.append(self._spell(claims, slots))
        return parts + self._take(*rest, source) if len(rest[0]) else parts

    def _change(self, claims: Rows, slots: Slots, other: Mask, source: int) -> list[Rows]:
        """Another holder ends what was held; another place, or one that is named only now, begins a part."""
        new = self._named_another(claims, slots, self._holder)
        gone, first = np.unique(slots[new], return_index=True)
        when, held = claims["seen"][new][first], self._spells[gone]
        ended = self._rows(held, np.minimum(spells.stated_until(held), when - 1), EndReason.END_OF_FLOW)
        self._succeeded(gone, when)
        stays = ~np.isin(slots, gone)
        moved, first = np.unique(slots[stays], return_index=True)
        parts = [ended, self._moved(moved, claims["seen"][stays][first], other[stays][first])]
        elsewhere = self._named_another(claims[stays], slots[stays], self._place[:1])
        for name in self._place[:2]:
            self._held[name][slots[stays][elsewhere]] = 0
        self._open[gone] = False  # the slot is the new holder's
        for name in (*self._holder, *FORGOTTEN):
            self._held[name][gone] = 0
        self._held["source"][slots] = source
        return parts

    def _moved(self, slots: Slots, when: NDArray[np.int64], other: Mask) -> Rows:
        """The parts of what goes on elsewhere: it was held without a break, so they last until then.

        What was said at the same instant is a part of its own only if it named something else.
        """
        held = self._spells[slots]
        unwritten = held["from"] != NOTHING
        held["from"] = np.where(unwritten, held["from"], held["last"] + 1)
        told = (held["from"] < when) | (other & unwritten)
        self._spells["from"][slots] = self._begun[slots] = when
        return self._rows(held[told], when[told] - 1, EndReason.ACTIVE_TIMEOUT)

    def _succeeded(self, slots: Slots, when: NDArray[np.int64]) -> None:
        """Another holder comes after the one who held each of these."""

    def _name(self, claims: Rows, slots: Slots) -> None:
        """Note who holds, and where, and what else is said of it; the latest counts."""
        for name in (*self._holder, *self._place):
            self._follow(name, claims, slots)

    def _follow(self, name: str, claims: Rows, slots: Slots) -> None:
        named = claims[name] != 0
        if named.any():
            self._held[name][slots[named]] = claims[name][named]

    def _said(self, claims: Rows) -> Rows:
        """Each claim as a spell of its own, of no slot yet."""
        said = np.zeros(len(claims), SPELL)
        said["from"], said["last"] = claims["seen"], self._lasts(claims)
        said["lease"], said["released"] = self._leases(claims), claims["released"]
        return said

    def _spell(self, claims: Rows, slots: Slots) -> Rows:
        """Join claims to what is open; returns what has ended thereby."""
        said = self._said(claims)
        said["slot"] = slots
        touched = np.unique(slots)
        known = self._spells[touched[self._open[touched]]]
        ended, latest = spells.join(np.concatenate([known, said]))
        goes_on, begun = self._open[latest["slot"]], self._begun[latest["slot"]]
        self._begun[latest["slot"]] = np.where(goes_on, np.minimum(begun, latest["from"]), latest["from"])
        self._open[touched] = self._changed[touched] = True
        self._spells[latest["slot"]] = latest
        parts = self._rows(ended, spells.stated_until(ended), natural_end(ended))
        going_on, released = latest[~latest["released"]], latest[latest["released"]]
        # A spell that has passed into another hour leaves the hours before as parts.
        hour = going_on["last"] // HOUR_NS * HOUR_NS
        passed = going_on["from"] < hour
        earlier = self._rows(going_on[passed], hour[passed] - 1, EndReason.ACTIVE_TIMEOUT)
        self._spells["from"][going_on["slot"][passed]] = hour[passed]
        return self._joined([parts, earlier, self._close(released, EndReason.END_OF_FLOW)])

    def _instants(self, claims: Rows, source: int) -> Rows:
        """Claims of what is not held now, or no more: a row each, of its own time."""
        rows = self._blank(len(claims))
        for name in BINDING.names or ():
            if name in (claims.dtype.names or ()):
                rows[name] = claims[name]
        rows["from"], rows["until"] = claims["seen"], self._lasts(claims)
        rows["source"] = source
        rows["end_reason"] = np.where(claims["released"], EndReason.END_OF_FLOW, EndReason.ACTIVE_TIMEOUT)
        return spells.by_hour(rows)
