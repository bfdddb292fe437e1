"""Claims of many bindings to spells: unbroken stretches of time in which each was held. Pure column work.

A claim speaks until its lease ends, or for SILENCE_NS where it states no lease. The next claim of the
same binding continues the spell if it comes before that; a release ends it at once.
"""

import numpy as np
from numpy.typing import NDArray

from appliance.model.instants import HOUR_NS
from appliance.model.reasons import EndReason

SILENCE_NS = 900_000_000_000
"""A neighbour is probed again within a minute or so (RFC 4861 section 7.3.3, Linux gc_stale_time 60 s),
a router's ARP entry within four hours at most; 15 minutes is also the gap that reading bridges."""

LEASE_REACH_NS = 24 * HOUR_NS
"""How long a lease speaks after its last claim, however long it is: a device still there renews at half
of it, and a capture whose clock leaps by years must not fill the vault with hourly parts."""

NOTHING = np.iinfo(np.int64).max
"""The `from` of a spell that has had no claim since it was last written."""

SPELL = np.dtype(
    [
        ("slot", np.int64),  # which binding: its place in the table
        ("from", np.int64),  # first claim since it was last written, or NOTHING
        ("last", np.int64),  # last claim
        ("lease", np.int64),  # the end that a lease states, 0 none
        ("released", np.bool_),
    ]
)

Spells = NDArray[np.void]
Int64 = NDArray[np.int64]


def reach(spells: Spells) -> Int64:
    """Until when the last claim of each spell speaks."""
    leased = np.minimum(spells["lease"], spells["last"] + LEASE_REACH_NS)
    open_until = np.where(spells["lease"] > spells["last"], leased, spells["last"] + SILENCE_NS)
    return np.where(spells["released"], spells["last"], open_until)


def stated_until(spells: Spells) -> Int64:
    """Until when the address was held as far as the evidence says: a lease's end, else the last claim."""
    is_leased = (spells["lease"] > spells["last"]) & ~spells["released"]
    return np.where(is_leased, reach(spells), spells["last"])


def carry_leases(claims: Spells, first_of_slot: NDArray[np.bool_]) -> None:
    """A claim without a lease does not shorten the lease that an earlier claim of its slot stated."""
    place = np.arange(len(claims))
    group = np.maximum.accumulate(np.where(first_of_slot, place, 0))
    states = (claims["lease"] > 0) | claims["released"]
    latest = np.maximum.accumulate(np.where(states, place, -1))
    claims["lease"] = np.where(latest >= group, claims["lease"][latest], 0)


def join(claims: Spells) -> tuple[Spells, Spells]:
    """Claims, each a spell of its own, to (spells that have ended, the last spell of each slot).

    Claims may come in any order. The last spells have one row a slot; a released one has ended as well.
    """
    claims = claims[np.lexsort((claims["last"], claims["slot"]))]
    first_of_slot = np.ones(len(claims), np.bool_)
    first_of_slot[1:] = claims["slot"][1:] != claims["slot"][:-1]
    carry_leases(claims, first_of_slot)
    starts = first_of_slot.copy()
    begin = np.minimum(claims["from"], claims["last"])
    starts[1:] |= begin[1:] > reach(claims)[:-1]
    starts[1:] |= claims["released"][:-1]
    ends, closes_slot = np.ones_like(starts), np.ones_like(starts)
    ends[:-1], closes_slot[:-1] = starts[1:], first_of_slot[1:]
    spells = claims[ends]
    spells["from"] = np.minimum.reduceat(claims["from"], np.flatnonzero(starts))
    is_last = closes_slot[ends]
    return spells[~is_last], spells[is_last]


def by_hour(rows: NDArray[np.void]) -> NDArray[np.void]:
    """BINDING rows cut so that none crosses a UTC hour; all parts but the last end as ACTIVE_TIMEOUT."""
    first = rows["from"] // HOUR_NS
    hours = rows["until"] // HOUR_NS - first + 1
    if len(rows) == 0 or hours.max() == 1:
        return rows
    parts: NDArray[np.void] = np.repeat(rows, hours)
    ends = np.cumsum(hours)
    hour = np.arange(len(parts)) - np.repeat(ends - hours, hours) + np.repeat(first, hours)
    parts["from"] = np.maximum(parts["from"], hour * HOUR_NS)
    is_last = np.zeros(len(parts), np.bool_)
    is_last[ends - 1] = True
    parts["until"] = np.where(is_last, parts["until"], (hour + 1) * HOUR_NS - 1)
    parts["end_reason"] = np.where(is_last, parts["end_reason"], EndReason.ACTIVE_TIMEOUT)
    return parts
