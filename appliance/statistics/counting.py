"""The running totals of one recorder: open hours and days, closed into statements. Pure.

Rows of several hours may come at a time and out of order. Few hours and days are open at once; a row that
comes after its hour was closed opens it again, in a further statement of the same hour.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from appliance.classify.categories import Category
from appliance.model.instants import DAY_NS, HOUR_NS, MINUTE_NS
from appliance.model.networks import Networks
from appliance.statistics import anonymity
from appliance.statistics.anonymity import CATEGORY_BITS, Cells
from appliance.statistics.day import DayTotals
from appliance.statistics.distinct import KEY_BYTES, clients_of, routers_of
from appliance.statistics.hour import HourTotals
from appliance.statistics.places import Places
from appliance.statistics.statements import DayStatement, HourStatement, Statement, Use, Users

GRACE_NS = 5 * MINUTE_NS
"""An hour is closed so long after its end: its last connections close a minute or two after it."""

OPEN_HOURS = 8
OPEN_DAYS = 3
"""Beyond these the one that was added to the longest ago is closed: memory is bounded whatever clocks do."""

Rows = NDArray[np.int64] | slice


class Counting:
    """Adds rows and sightings, gives statements. `draw` makes that many random bytes, for keys."""

    def __init__(self, site: Networks, access_points: Sequence[str], draw: Callable[[int], bytes]) -> None:
        self._site = site
        self._places = Places(access_points)
        self._draw = draw
        self._hours: dict[int, HourTotals] = {}
        self._days: dict[int, DayTotals] = {}
        self._closed: list[Statement] = []

    def add(self, rows: NDArray[np.void], categories: NDArray[np.uint8]) -> None:
        """Count (k,) TRAFFIC rows of these categories; a row belongs to the hour of its start."""
        where = self._places.of(rows)
        clients, routers = clients_of(rows), routers_of(rows, self._site)
        for hour, these in _spans(rows["first_seen"] // HOUR_NS):
            self._hour(hour).add(rows[these], where[these], categories[these], clients[these], routers)
        for day, these in _spans(rows["first_seen"] // DAY_NS):
            self._day(day).meet(clients[these], routers)

    def sight(self, seen: NDArray[np.int64], macs: NDArray[np.uint64], systems: NDArray[np.uint8]) -> None:
        """These stations said at these instants (ns) which OsFamily they run."""
        for day, these in _spans(seen // DAY_NS):
            self._day(day).sight(macs[these], systems[these])

    def close(self, now_ns: int) -> list[Statement]:
        """Statements of what was over GRACE_NS ago, and of what gave way since the last call."""
        for hour in [hour for hour in self._hours if (hour + 1) * HOUR_NS + GRACE_NS <= now_ns]:
            self._close_hour(hour)
        for day in [day for day in self._days if (day + 1) * DAY_NS + GRACE_NS <= now_ns]:
            self._close_day(day)
        closed, self._closed = self._closed, []
        return closed

    def finish(self) -> list[Statement]:
        """Statements of everything; nothing is left that tells clients apart."""
        for hour in list(self._hours):
            self._close_hour(hour)
        for day in list(self._days):
            self._close_day(day)
        closed, self._closed = self._closed, []
        return closed

    def days(self) -> list[DayStatement]:
        """How the open days stand, to be kept in case the power fails."""
        return [totals.statement(day * DAY_NS) for day, totals in self._days.items()]

    def _hour(self, hour: int) -> HourTotals:
        totals = self._hours.pop(hour, None)
        if totals is None:
            if len(self._hours) == OPEN_HOURS:
                self._close_hour(next(iter(self._hours)))
            totals = HourTotals(self._draw(KEY_BYTES))
        self._hours[hour] = totals  # now the last of the order
        return totals

    def _day(self, day: int) -> DayTotals:
        totals = self._days.pop(day, None)
        if totals is None:
            if len(self._days) == OPEN_DAYS:
                self._close_day(next(iter(self._days)))
            totals = DayTotals(self._draw(KEY_BYTES))
        self._days[day] = totals
        return totals

    def _close_hour(self, hour: int) -> None:
        totals = self._hours.pop(hour)
        self._closed.append(hour_statement(hour * HOUR_NS, totals.cells(), self._places))
        totals.forget()

    def _close_day(self, day: int) -> None:
        totals = self._days.pop(day)
        self._closed.append(totals.statement(day * DAY_NS))
        totals.forget()


def hour_statement(start_ns: int, cells: Cells, places: Places) -> HourStatement:
    """What may be stored of an hour's cells."""
    kept = anonymity.merged(cells)
    if kept is None:
        return HourStatement(start_ns, None)
    told = zip(
        kept.codes.tolist(), kept.octets.tolist(), kept.connections.tolist(), _users(kept), strict=True
    )
    uses = tuple(
        Use(places.text(code >> CATEGORY_BITS), _category(code), octets, connections, users)
        for code, octets, connections, users in told
    )
    return HourStatement(start_ns, Users(cells.users(), not cells.floors.any()), uses)


def _category(code: int) -> str:
    return Category(code & (1 << CATEGORY_BITS) - 1).name.lower()


def _users(cells: Cells) -> list[Users]:
    counted = zip(cells.clients().tolist(), cells.floors.tolist(), strict=True)
    return [Users(clients, not floor) for clients, floor in counted]


def _spans(numbers: NDArray[np.int64]) -> list[tuple[int, Rows]]:
    """(hour or day, which rows are its own), in order; almost always there is one, and nothing is copied."""
    if not len(numbers):
        return []
    if numbers.min() == numbers.max():
        return [(int(numbers[0]), slice(None))]
    order = np.argsort(numbers, kind="stable")
    in_order = numbers[order]
    starts = np.flatnonzero(in_order[1:] != in_order[:-1]) + 1
    found = in_order[np.append(0, starts)]
    return list(zip(found.tolist(), np.split(order, starts), strict=True))
