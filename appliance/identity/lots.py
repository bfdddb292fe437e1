"""Claims in lots, one after the other; in each, the claims of one key are of one spell, holder and place.

So what a lot names is true of all of it: nothing that is learned later is said of an earlier time.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from appliance.identity import spells
from appliance.identity.spells import Spells

Rows = NDArray[np.void]
Places = NDArray[np.int64]
Mask = NDArray[np.bool_]


def apart(
    keys: Rows, claims: Rows, said: Spells, known: Places, alone: Mask, names: Sequence[str], most: int
) -> tuple[list[Places], Places]:
    """(the places of the claims of each lot, places that are left out), each in order of key and instant.

    `said` is each claim as a spell, `known` the lease that the spell held now has; `alone`, those not to be
    with others; `names` are the fields that tell holder and place. There are at most `most` + 1 lots. Where
    a key would need more, what lies between its first `most` lots and its last one is left out: what it held
    is to be closed before the last.
    """
    order, breaks = _broken(keys, claims, said, known, alone, names)
    fresh = _fresh(keys, order)
    total, place = np.cumsum(breaks), np.arange(len(order))
    lot: Places = total - total[np.maximum.accumulate(np.where(fresh, place, 0))]
    ends = np.append(np.flatnonzero(fresh)[1:], len(order)) - 1
    last: Places = np.repeat(lot[ends], np.diff(np.append(-1, ends)))
    skipped = (lot >= most) & (lot < last)
    kept = np.flatnonzero(~skipped)
    number = np.minimum(lot[kept], most)
    by_lot = kept[np.argsort(number, kind="stable")]
    bounds = np.flatnonzero(np.diff(np.sort(number))) + 1
    return [order[places] for places in np.split(by_lot, bounds)], order[skipped]


def _fresh(keys: Rows, order: Places) -> Mask:
    """(n,) whether another key begins at each place of the order."""
    fresh = np.ones(len(order), np.bool_)
    fields = [keys[name][order] for name in keys.dtype.names or ()]
    fresh[1:] = np.logical_or.reduce([held[1:] != held[:-1] for held in fields])
    return fresh


def _broken(
    keys: Rows, claims: Rows, said: Spells, known: Places, alone: Mask, names: Sequence[str]
) -> tuple[Places, Mask]:
    """The order by key and instant, and where another lot must begin; now and then one that need not."""
    order = np.lexsort((said["from"], *(keys[name] for name in keys.dtype.names or ())))
    breaks, place = _silent(said[order], known[order], _fresh(keys, order)), np.arange(len(order))
    alone = alone[order]
    breaks[1:] |= alone[1:] != alone[:-1]
    for name in names:
        value = claims[name][order]
        named = value != 0
        if not named.any():
            continue
        begin = np.maximum.accumulate(np.where(breaks, place, 0))
        before = np.append(-1, np.maximum.accumulate(np.where(named, place, -1))[:-1])
        is_first = before < begin
        breaks |= named & (place > begin) & (is_first | (value != value[before]))
    return order, breaks


def _silent(said: Spells, known: Places, fresh: Mask) -> Mask:
    """Where another key begins or a spell may have ended, be its lease told by a claim or known before."""
    carried = said.copy()
    spells.carry_leases(carried, fresh)
    carried["lease"] = np.where(carried["lease"] > 0, carried["lease"], known)
    speaks = np.minimum(spells.reach(said), spells.reach(carried))
    breaks = fresh.copy()
    breaks[1:] |= (said["from"][1:] > speaks[:-1]) | said["released"][:-1]
    return breaks
