"""Two halves of one connection to rows: one, or two where what was told of the first must not change.

A half that waits is told as an open row. The row of both replaces it when they are read if it has its key
and its start (to the millisecond); it has not if the other half names the device that the first did not, or
began earlier. Then each direction is a row of its own, and reading joins them (`vault.unseal.connections`).
"""

import numpy as np
from numpy.typing import NDArray

from appliance.flows.couples import Index, is_biflow
from appliance.flows.sides import BACK, FORTH, Halves, Mask, Rows, rows_of
from appliance.flows.waiting import Waiting
from appliance.model.instants import MS
from appliance.model.reasons import EndReason


class Batch:
    """New halves, and behind them those that wait for one of their connections; `held` says which.

    `group` numbers connections, `slot_of` has the slot of each group.
    """

    def __init__(self, fresh: Halves, group: Index, slot_of: Index, waiting: Waiting) -> None:
        heads = np.flatnonzero(np.bincount(group))
        heads = heads[waiting.columns["open"][slot_of[heads]]]
        self.group = np.concatenate([group, heads])
        self.slot = slot_of[self.group]
        self.held = np.arange(len(self.group)) >= len(group)
        self.halves = fresh.followed_by(waiting.halves(slot_of[heads])) if len(heads) else fresh
        self.told = self.held & waiting.columns["told"][self.slot]


def settle(batch: Batch, one: Index, other: Index, swapped: Mask) -> Mask:
    """(k,) which pairs cannot be one row. `one` began first; where `swapped` the far side is the client."""
    split = np.zeros(len(one), np.bool_)
    which = np.flatnonzero(batch.told[one] | batch.told[other])
    if not len(which):
        return split
    columns, swapped = batch.halves.columns, swapped[which]
    one, other = one[which], other[which]
    is_one = batch.told[one]
    told, new = np.where(is_one, one, other), np.where(is_one, other, one)
    split[which] = columns["first"][new] // MS < columns["first"][told] // MS
    sends = (columns["way"][told] == FORTH) ^ swapped
    for name, client in (("near_mac", ~swapped), ("far_mac", swapped)):
        learnt = client & (columns[name][told] == 0) & (columns[name][new] != 0)
        # What the client sent was told without its MAC: its answers go without it too.
        columns[name][new[learnt & sends]] = 0
        # What it was sent is joined to what it sent itself, whatever MAC that is told under (decision 014).
        split[which[learnt & ~sends]] = True
        named = client & (columns[name][new] == 0)
        columns[name][new[named]] = columns[name][told[named]]
    begins = one[split[which]]
    ended = begins[columns["end_reason"][begins] == EndReason.END_OF_FLOW]
    columns["end_reason"][ended] = EndReason.ACTIVE_TIMEOUT  # what begins later goes on
    return split


def began_far(halves: Halves) -> Mask:
    """(n,) the far side is the client, as far as one flow tells: a service has the lower port."""
    near, far = halves.ports
    by_source = (halves["way"] == BACK) | halves["called"]
    by_port = np.where(near == far, by_source, near < far)
    said = np.where(is_biflow(halves), halves["called"], by_port)
    return np.asarray(halves.undecided & said)


def closed(halves: Halves, swapped: NDArray[np.bool_]) -> Rows:
    """(n,) FED_TRAFFIC rows that end here."""
    rows = rows_of(halves, swapped)
    # Most devices do not say why a flow ended; this one says least: the connection may go on.
    rows["end_reason"][rows["end_reason"] == 0] = EndReason.ACTIVE_TIMEOUT
    return rows
