"""Where the parts begin in which a device states a long connection."""

import numpy as np

from appliance.flows.couples import Index
from appliance.flows.sides import BACK, Halves
from appliance.flows.waiting import Waiting
from appliance.model.instants import MS


def part_starts(halves: Halves, group: Index, slot_of: Index, rows: Index, waiting: Waiting) -> Index:
    """(k,) where these halves begin: firewalls state each part of a connection since its very beginning.

    Their counts are of the time since the part before, and parts of one start would be taken for one.
    """
    columns = [halves[name][rows] for name in ("last", "first", "way")]
    order = np.lexsort((*columns, group[rows]))
    last, first, way = (column[order] for column in columns)
    slots = slot_of[group[rows]][order]
    state, back = waiting.columns, way == BACK
    before = [
        np.where(back, state[f"{name}_1"][slots], state[f"{name}_0"][slots]) for name in ("first", "last")
    ]
    before_first, before_last = before
    again = np.flatnonzero(
        (slots[1:] == slots[:-1]) & (way[1:] == way[:-1]) & (last[1:] > last[:-1])
        & (first[1:] // MS == first[:-1] // MS)
    )  # fmt: skip
    before_first[again + 1], before_last[again + 1] = first[again], last[again]
    goes_on = (before_first // MS == first // MS) & (last > before_last)
    starts = np.empty(len(rows), np.int64)
    starts[order] = np.where(goes_on, np.maximum(before_last, first), first)
    return starts
