"""Claims in lots, one after the other; in each, the claims of one key name one holder and one place."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.void]
Places = NDArray[np.int64]

CHANGES = 32
"""Changes told apart in one batch; who pretends to change more often gains nothing."""


def apart(keys: Rows, claims: Rows, contested: NDArray[np.bool_], names: Sequence[str]) -> list[Places]:
    """The numbers of the claims of each lot. `names` are the fields that must not differ in one.

    Only claims that are `contested` or share a batch with one that names a place need to be looked at: the
    others are the first lot, in the order they came.
    """
    place = np.arange(len(claims))
    if len(claims) < 2:
        return [place]
    names = [name for name in names if claims[name].any()]
    said = [name for name in names if claims[name][~contested].any() and name not in (keys.dtype.names or ())]
    looked_at = place if said else np.flatnonzero(contested)
    if len(looked_at) < 2:
        return [place]
    number = np.zeros(len(claims), np.int64)
    order, number[looked_at] = _numbered(keys[looked_at], claims[looked_at], names)
    place = np.concatenate([looked_at[order], np.flatnonzero(~contested) if not said else place[:0]])
    return [place[number[place] == lot] for lot in range(int(number.max()) + 1)]


def _numbered(keys: Rows, claims: Rows, names: Sequence[str]) -> tuple[Places, Places]:
    """The order by key and instant, and (n,) the lot of each claim."""
    fields = [keys[name] for name in keys.dtype.names or ()]
    order = np.lexsort((claims["seen"], *fields))
    fresh = np.ones(len(claims), np.bool_)
    fresh[1:] = np.logical_or.reduce([held[order][1:] != held[order][:-1] for held in fields])
    place = np.arange(len(claims))
    begin = np.maximum.accumulate(np.where(fresh, place, 0))
    changes = np.zeros(len(claims), np.bool_)
    for name in names:
        said = claims[name][order]
        named = said != 0
        before = np.append(-1, np.maximum.accumulate(np.where(named, place, -1))[:-1])
        changes |= named & (before >= begin) & (said != said[before])
    total = np.cumsum(changes)
    lot = np.empty(len(claims), np.int64)
    lot[order] = np.minimum(total - total[begin], CHANGES)
    return order, lot
