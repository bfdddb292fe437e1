"""Flows that are stated again: nothing counts twice, and what only the second says is not lost."""

import numpy as np

from appliance.flows.couples import Index, alike, fill
from appliance.flows.sides import Halves
from appliance.flows.waiting import Waiting


def unrepeated(halves: Halves, group: Index, slot_of: Index, known: Index, waiting: Waiting) -> Index:
    """Rows that repeat no other row, nor (the `known` ones) what their slot remembers.

    What only a repetition says is taken over by what it repeats.
    """
    again, origin = _repeats(halves, group)
    fill(halves.columns, origin, halves, again)
    told_before = known[waiting.knows(slot_of[group[known]], halves, known)]
    is_open = waiting.columns["open"][slot_of[group[told_before]]]
    _complete(waiting, slot_of[group[told_before[is_open]]], halves, told_before[is_open])
    stays = np.ones(len(halves), np.bool_)
    stays[again] = stays[told_before] = False
    return np.flatnonzero(stays)


def _repeats(halves: Halves, group: Index) -> tuple[Index, Index]:
    """Rows that state again what another row of their group states, and that row.

    A device's table holds a flow once: equal counts over equal times are one flow, however often it is sent
    (a datagram twice, two templates, in at one interface and out at another).
    """
    kind = group * 3 + halves["way"]
    several = np.flatnonzero(np.bincount(kind)[kind] > 1)
    if not len(several):
        return several, several
    columns = [halves[name][several] for name in ("first", "got_octets", "got", "sent_octets", "sent")]
    order = np.lexsort((*columns, kind[several]))
    rows = several[order]
    same = np.zeros(len(rows), np.bool_)
    same[1:] = kind[rows][1:] == kind[rows][:-1]
    for column in columns[1:]:
        same[1:] &= column[order][1:] == column[order][:-1]
    first, last = halves["first"][rows], halves["last"][rows]
    same[1:] &= alike(first[1:], last[1:], first[:-1], last[:-1])
    origin = rows[np.maximum.accumulate(np.where(same, 0, np.arange(len(rows))))]
    return rows[same], origin[same]


def _complete(waiting: Waiting, slots: Index, halves: Halves, rows: Index) -> None:
    """What waits takes over what its repetition says: but no MAC once it was told."""
    state = waiting.columns
    macs = {name: state[name][slots] for name in ("near_mac", "far_mac")}
    fill(state, slots, halves, rows)
    told = state["told"][slots]
    for name, before in macs.items():
        state[name][slots[told]] = before[told]
