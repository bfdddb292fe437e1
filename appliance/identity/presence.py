"""Who is in the network now: in memory only, a day at most, overwritten when it is dropped. Pure.

A device is there until nobody has heard of it for SILENCE_NS, or, where an access point or a RADIUS client
has told that it came, until they tell that it went.
"""

import numpy as np
from numpy.typing import NDArray

from appliance.identity.spells import SILENCE_NS
from appliance.model.addresses import MAC_GROUP_BIT, MAC_NULL
from appliance.model.instants import DAY_NS
from appliance.model.reasons import Evidence

Rows = NDArray[np.void]
Macs = NDArray[np.uint64]

LIMIT = 1 << 16
"""Devices at once, 40 bytes each."""

ROUTER_LIMIT = 1 << 10

DEVICE = np.dtype(
    [("mac", np.uint64), ("ap_mac", np.uint64), ("since", np.int64), ("last", np.int64), ("until", np.int64)]
)
"""`ap_mac` 0 where nobody says; `until` when it is believed to be gone."""

_STANDS = (Evidence.ASSOCIATION, Evidence.RADIUS)
"""Evidence that tells a beginning and an end and need say nothing between them; see `identity.bindings`."""

_NOBODY = np.zeros(0, np.uint64)


class Presence:
    """At most `limit` devices; for more, those give way that have been there for the shortest time.

    So a flood of invented MACs, each seen once, drives out nobody who stayed.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._table = np.zeros(limit, DEVICE)  # in order of MAC
        self._count = 0
        self._routers = _NOBODY

    def __len__(self) -> int:
        return self._count

    def flows(self, rows: Rows) -> None:
        """TRAFFIC or FED_TRAFFIC rows, closed or open: their clients were there from first to last."""
        rows = rows[~rows["behind_router"]]
        said = np.zeros(len(rows), DEVICE)
        said["mac"], said["ap_mac"] = rows["client_mac"], rows["ap_mac"]
        said["since"], said["last"] = rows["first_seen"], rows["last_seen"]
        said["until"] = said["last"] + SILENCE_NS
        self._see(said)

    def claims(self, claims: Rows) -> None:
        """CLAIM rows: who holds an address, or is with an access point, or no more."""
        stays = ~claims["released"]
        of_stay = claims[stays]
        said = np.zeros(len(of_stay), DEVICE)
        said["mac"], said["ap_mac"] = of_stay["mac"], of_stay["ap_mac"]
        said["since"] = said["last"] = of_stay["seen"]
        stands = np.isin(of_stay["evidence"], _STANDS)
        said["until"] = said["last"] + np.where(stands, DAY_NS, SILENCE_NS)
        self._see(said)
        ended = claims[~stays & np.isin(claims["evidence"], _STANDS)]
        self._leave(ended["mac"], ended["seen"])

    def are_routers(self, macs: Macs) -> None:
        """These stood for addresses of the Internet: they are nobody's device, now and later."""
        known = np.union1d(self._routers, macs)
        if len(known) > len(self._routers) and len(known) <= ROUTER_LIMIT:
            self._routers = known
            self._keep(~np.isin(self._table["mac"][: self._count], known))

    def expire(self, now_ns: int) -> None:
        """Forget who is gone; what was last heard of well after `now_ns`, too: the clock was set back.

        Nothing older than a day is known of those who stay.
        """
        there = self._table[: self._count]
        self._keep((there["until"] >= now_ns) & (there["last"] <= now_ns + SILENCE_NS))
        there = self._table[: self._count]
        there["since"] = np.maximum(there["since"], now_ns - DAY_NS)

    def present(self) -> Rows:
        """A copy of who is there, DEVICE rows in order of MAC; the caller overwrites it."""
        return self._table[: self._count].copy()

    def forget(self) -> None:
        """Overwrite everything."""
        self._table.fill(0)
        self._count = 0

    def _see(self, said: Rows) -> None:
        macs = said["mac"]
        is_device = (
            (macs != MAC_NULL) & (macs & np.uint64(MAC_GROUP_BIT) == 0) & ~np.isin(macs, self._routers)
        )
        said = _joined(said[is_device])
        there = self._table[: self._count]
        at = np.searchsorted(there["mac"], said["mac"])
        known = np.zeros(len(said), np.bool_)
        known[at < self._count] = there["mac"][at[at < self._count]] == said["mac"][at < self._count]
        self._renew(at[known], said[known])
        if not known.all():
            self._admit(said[~known])

    def _renew(self, at: NDArray[np.intp], said: Rows) -> None:
        held = self._table[at]
        # Whoever was silent too long has come anew.
        since = np.where(
            said["since"] > held["until"], said["since"], np.minimum(held["since"], said["since"])
        )
        moved = (said["ap_mac"] != 0) & (said["last"] >= held["last"])
        self._table["ap_mac"][at] = np.where(moved | (held["ap_mac"] == 0), said["ap_mac"], held["ap_mac"])
        self._table["since"][at] = since
        for name in ("last", "until"):
            self._table[name][at] = np.maximum(held[name], said[name])

    def _admit(self, new: Rows) -> None:
        excess = self._count + len(new) - len(self._table)
        if excess > 0:
            new = self._make_room(new, excess)
        self._table[self._count : self._count + len(new)] = new
        self._count += len(new)
        there = self._table[: self._count]
        there[:] = there[np.argsort(there["mac"])]

    def _make_room(self, new: Rows, excess: int) -> Rows:
        """Drop those with the shortest stays, new ones among them; what is left of the new is returned."""
        stays = np.concatenate([_stay(self._table[: self._count]), _stay(new)])
        kept = np.ones(len(stays), np.bool_)
        kept[np.argpartition(stays, excess - 1)[:excess]] = False
        count = self._count
        self._keep(kept[:count])
        return new[kept[count:]]

    def _leave(self, macs: Macs, when: NDArray[np.int64]) -> None:
        """They went; those that were heard of later are there as long as they are heard of."""
        there = self._table[: self._count]
        if not len(macs) or not len(there):
            return
        at = np.searchsorted(there["mac"], macs).clip(max=len(there) - 1)
        known, later = there["mac"][at] == macs, there["last"][at] > when
        stays, gone = at[known & later], at[known & ~later]
        there["until"][stays] = np.minimum(there["until"][stays], there["last"][stays] + SILENCE_NS)
        kept = np.ones(len(there), np.bool_)
        kept[gone] = False
        self._keep(kept)

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        count = int(kept.sum())
        if count < self._count:
            self._table[:count] = self._table[: self._count][kept]
            self._table[count : self._count] = 0
            self._count = count


def _stay(rows: Rows) -> NDArray[np.int64]:
    return np.asarray(rows["last"] - rows["since"])


def _joined(said: Rows) -> Rows:
    """One row a MAC, in order: from the first to the last of it, at the access point that was named last."""
    if not len(said):
        return said
    said = said[np.lexsort((said["last"], said["mac"]))]
    first = np.flatnonzero(np.append(True, said["mac"][1:] != said["mac"][:-1]))
    joined = said[first]
    joined["since"] = np.minimum.reduceat(said["since"], first)
    for name in ("last", "until"):
        joined[name] = np.maximum.reduceat(said[name], first)
    place = np.maximum.reduceat(np.where(said["ap_mac"] != 0, np.arange(len(said)), -1), first)
    joined["ap_mac"] = np.where(place >= 0, said["ap_mac"][place], 0)
    return joined
