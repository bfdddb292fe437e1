"""What devices state of flows, to traffic rows: the client's side first, both directions in one row.

A biflow is a row at once. A uniflow waits for its other direction, told as open meanwhile; what both come to
replaces it when they are read, for it keeps the key and the start that were told. Where it could not, each
direction becomes a row of its own, and reading joins them. Decision 061.
"""

import numpy as np
from numpy.typing import NDArray

from appliance.flows.couples import (
    WAIT_NS,
    Index,
    couples,
    in_order,
    is_biflow,
    latest,
    united,
)
from appliance.flows.groups import MOST_PACKETS, leaders
from appliance.flows.parts import part_starts
from appliance.flows.repetitions import unrepeated
from appliance.flows.settling import Batch, began_far, closed, settle
from appliance.flows.sides import BACK, KEY, Halves, Mask, Rows, rows_of, sides
from appliance.flows.waiting import FAR, NEAR, UNKNOWN, Waiting
from appliance.model.instants import HOUR_NS, NS
from appliance.model.networks import Networks
from appliance.model.reasons import EndReason
from appliance.model.rows import FED_TRAFFIC

EXPIRE_EVERY_NS = NS

MULTIPLIERS = len(KEY)
"""How many random odd 64-bit numbers pairing wants."""

_MEMORY = 1 << 16
"""Connections that are over and known again if they are stated again."""

_LONGEST_PART_NS = HOUR_NS // 2 + WAIT_NS
"""By default Cisco states a long flow every 30 minutes: so long it is known which side began it."""

_ODD = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9] * 2, np.uint64)[:MULTIPLIERS]


class Pairing:
    """Flows of all feeds that wait for their other direction: at most `limit`, what is remembered included.

    `multipliers` are MULTIPLIERS random odd numbers, kept secret, so that nobody outside aims for collisions.
    """

    def __init__(self, networks: Networks, limit: int, multipliers: NDArray[np.uint64] | None = None) -> None:
        self.evicted = 0
        self.repeated = 0
        """Flows that were stated again and are not counted again."""
        self._networks = networks
        self._memory = min(limit // 4, _MEMORY)
        self._limit = limit - self._memory
        self._multipliers = (_ODD if multipliers is None else multipliers) | np.uint64(1)
        self._waiting = Waiting()
        self._expired_ns = 0

    def __len__(self) -> int:
        return len(self._waiting.open_slots())

    @property
    def waiting(self) -> tuple[int, int]:
        """Nothing that was taken is in no row."""
        return 0, 0

    def oriented(self, stated: Rows, source: int) -> Rows:
        """(n,) FED_TRAFFIC rows, one of each STATED row, that wait for nothing."""
        halves = sides(stated, source, self._networks)
        return closed(halves, began_far(halves))

    def add(self, stated: Rows, source: int, now_ns: int) -> Rows:
        """Take STATED rows of a source; the FED_TRAFFIC rows that are complete by `now_ns`."""
        rows, latest_ns = [], 0
        for start in range(0, len(stated), MOST_PACKETS):
            part = sides(stated[start : start + MOST_PACKETS], source, self._networks)
            rows += self._take(part)
            latest_ns = max(latest_ns, int(part["since"].max()))
        now_ns = now_ns or latest_ns
        if abs(now_ns - self._expired_ns) >= EXPIRE_EVERY_NS:
            rows.append(self.expire(now_ns))
        return _together(rows)

    def expire(self, now_ns: int) -> Rows:
        """Rows of what waited in vain until `now_ns`; what is remembered for long is forgotten."""
        self._expired_ns = now_ns
        state, slots = self._waiting.columns, self._waiting.slots
        waited = np.abs(now_ns - state["since"][slots])
        tired = slots[state["open"][slots] & (waited > WAIT_NS)]
        rows = self._alone(tired)
        term = np.where(state["client"][slots] != UNKNOWN, _LONGEST_PART_NS, WAIT_NS)
        self._waiting.remove(~state["open"][slots] & (waited > term))
        return rows

    def cut(self) -> Rows:
        """A row of everything that waits; its other direction becomes a row of its own, a further part."""
        return self._alone(self._waiting.open_slots(), goes_on=True)

    def finish(self) -> Rows:
        """A row of everything that waits: nothing will come any more."""
        return self._alone(self._waiting.open_slots())

    def changed(self) -> Rows:
        """Rows, with end_reason 0, of what waits and was not told yet."""
        state = self._waiting.columns
        slots = self._waiting.open_slots()
        slots = slots[state["changed"][slots]]
        state["changed"][slots] = False
        state["told"][slots] = True
        halves = self._waiting.halves(slots)
        rows = rows_of(halves, self._orient(halves, slots))
        rows["end_reason"] = 0
        return rows

    def forget_reported(self) -> None:
        """Let the next `changed` tell everything that waits."""
        self._waiting.columns["changed"][self._waiting.open_slots()] = True

    # -- one batch

    def _take(self, halves: Halves) -> list[Rows]:
        """The rows that are complete with these halves; the others wait."""
        hashed = np.zeros(len(halves), np.uint64)
        for word, multiplier in zip(halves.key, self._multipliers, strict=True):
            hashed += word * multiplier
        group = leaders(hashed, halves.key)
        heads = np.flatnonzero(group == np.arange(len(group)))
        slot_of = np.full(len(group), -1, np.int64)
        slot_of[heads] = self._waiting.find(hashed[heads], tuple(word[heads] for word in halves.key))
        fresh = heads[slot_of[heads] < 0]
        known = np.flatnonzero(slot_of[group] >= 0)
        slot_of[fresh] = self._waiting.enter(hashed[fresh], tuple(word[fresh] for word in halves.key))
        stays = unrepeated(halves, group, slot_of, known, self._waiting)
        self.repeated += len(halves) - len(stays)
        self._name_devices(halves, slot_of[group], known)
        part_first = part_starts(halves, group, slot_of, stays, self._waiting)
        self._waiting.remember(slot_of[group[stays]], halves, stays)
        halves.columns["first"][stays] = part_first
        batch = Batch(halves.take(stays), group[stays], slot_of, self._waiting)
        return [*self._pair(batch), *self._evict()]

    def _name_devices(self, halves: Halves, slots: Index, rows: Index) -> None:
        """A half that does not name the device is about the one that the connection was stated of before."""
        for name in ("near_mac", "far_mac"):
            column = halves.columns[name]
            lacking = rows[(column[rows] == 0) & (halves.undecided[rows] | (name == "near_mac"))]
            column[lacking] = self._waiting.columns[name][slots[lacking]]

    def _pair(self, batch: Batch) -> list[Rows]:
        """Rows of the halves of a batch that leave; of each connection the latest without another stays."""
        halves, slot, state = batch.halves, batch.slot, self._waiting.columns
        order = in_order(halves, batch.group)
        second = couples(halves, batch.group, order)
        alone = np.ones(len(order), np.bool_)
        alone[second] = alone[second - 1] = False
        stays = alone & ~is_biflow(halves)[order] & latest(halves, batch.group, order)
        leaving, staying = order[alone & ~stays], order[stays]
        state["open"][slot] = False
        rows = [
            *self._unite(batch, order[second - 1], order[second]),
            self._part(halves, leaving, slot[leaving]),
        ]
        anew = staying[~batch.held[staying]]
        self._waiting.put(slot[staying], halves.take(staying))
        state["open"][slot[staying]] = True
        state["told"][slot[anew]] = False
        state["changed"][slot[anew]] = True
        return rows

    def _unite(self, batch: Batch, one: Index, other: Index) -> list[Rows]:
        """Rows of halves that are one connection."""
        halves, slot = batch.halves, batch.slot[one]
        swapped = self._initiators(halves, one, other, slot)
        split = settle(batch, one, other, swapped)
        whole = united(halves, one, other)
        self._waiting.put(slot, whole)
        self._know_client(whole, slot, swapped)
        parts = np.concatenate([one[split], other[split]])
        return [closed(whole, swapped)[~split], closed(halves.take(parts), np.tile(swapped[split], 2))]

    def _part(self, halves: Halves, rows: Index, slots: Index) -> Rows:
        """Rows of halves, or biflows, that leave as they are."""
        leaving = halves.take(rows)
        self._waiting.put(slots, leaving)
        return closed(leaving, self._orient(leaving, slots))

    def _initiators(self, halves: Halves, one: Index, other: Index, slots: Index) -> Mask:
        """(k,) the far side is the client: as it was told, else the sender of the earlier half."""
        first = halves.take(one)
        client = self._waiting.columns["client"][slots]
        tie = first["first"] == halves["first"][other]
        guess = np.where(tie, began_far(first), first["way"] == BACK)
        return np.asarray(first.undecided & np.where(client == UNKNOWN, guess, client == FAR))

    def _orient(self, halves: Halves, slots: Index) -> Mask:
        """(k,) the far side is the client: as it was told before, else as one flow tells; it stays so."""
        client = self._waiting.columns["client"][slots]
        swapped = np.where(client == UNKNOWN, began_far(halves), client == FAR)
        self._know_client(halves, slots, swapped)
        return np.asarray(swapped)

    def _know_client(self, halves: Halves, slots: Index, swapped: Mask) -> None:
        which = halves.undecided
        self._waiting.columns["client"][slots[which]] = np.where(swapped[which], FAR, NEAR)

    # -- what waited in vain

    def _alone(self, slots: Index, goes_on: bool = False) -> Rows:
        """Rows of what waits at these slots, which then are memories."""
        self._waiting.columns["open"][slots] = False
        halves = self._waiting.halves(slots)
        rows = closed(halves, self._orient(halves, slots))
        if goes_on:  # its other direction began later, or will be told later: it must still be joined
            rows["end_reason"][rows["end_reason"] == EndReason.END_OF_FLOW] = EndReason.ACTIVE_TIMEOUT
        return rows

    def _evict(self) -> list[Rows]:
        """Memory is bounded: the longest waiting give way, the oldest memories are forgotten."""
        rows = []
        slots = self._waiting.crowded(self._limit, is_open=True)
        if len(slots):
            evicted = self._alone(slots)
            evicted["end_reason"] = EndReason.LACK_OF_RESOURCES
            self.evicted += len(evicted)
            rows.append(evicted)
            self._waiting.forget(slots)
        self._waiting.forget(self._waiting.crowded(self._memory, is_open=False))
        return rows


def _together(rows: list[Rows]) -> Rows:
    return np.concatenate(rows) if rows else np.empty(0, FED_TRAFFIC)
