"""Many days joined for a reader, and what he asks of them: by hour, day, week or month, of some places. Pure.

Days are UTC days: the distinct users of a day were counted so, and nobody can count them again.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.statistics.day_rollup import PERIOD, DayRollup, Rows
from appliance.statistics.places import EVERYWHERE_TEXT
from appliance.statistics.summary import Range, Sums
from appliance.statistics.table import Int64, Table

_EPOCH = dt.date(1970, 1, 1)
_MONDAY = 4
"""The first Monday after the epoch, in days."""

SPANS = ("hour", "day", "week", "month")


@dataclass(frozen=True)
class Told:
    """Periods in order, n of each: their starts as texts, what is known of their users, and their sums.

    `least` of the users 0: too few to say; `most` -1: at least so many. `too_few`: some of it is not told.
    """

    starts: list[str]
    least: list[int]
    most: list[int]
    octets: list[int]
    connections: list[int]
    too_few: list[bool]


@dataclass(frozen=True)
class View:
    """What a reader asked for. `systems` of a day are those of the day with the most of them."""

    periods: Told
    uses: Mapping[str, Sums]
    places: Mapping[str, Sums]
    systems: Mapping[str, Range]
    unnamed: bool


class Rollup:
    """The days of `days`, joined; `known` are the first and the last of them."""

    def __init__(self, days: Mapping[dt.date, DayRollup]) -> None:
        in_order = sorted(days.items())
        self.known = (in_order[0][0], in_order[-1][0]) if in_order else None
        self._days = np.array([_number(day) for day, _ in in_order], np.int64)
        self._rollups = [rollup for _, rollup in in_order]
        words: dict[str, int] = {}
        renumbered = [
            np.array([words.setdefault(word, len(words)) for word in rollup.words], np.int64)
            for rollup in self._rollups
        ]
        self._words = list(words)
        self._whole = np.array([rollup.whole for rollup in self._rollups], PERIOD)
        self._whole["hour"] = self._days
        hours = [len(rollup.hours) for rollup in self._rollups]
        self._hours = np.concatenate([np.zeros(0, PERIOD), *(rollup.hours for rollup in self._rollups)])
        self._hours["hour"] += 24 * np.repeat(self._days, hours).astype(np.int32)
        by_place = [rollup.by_place for rollup in self._rollups]
        by_use = [rollup.by_use for rollup in self._rollups]
        self._at_places = Table.joined(by_place, 24 * self._days, renumbered)
        self._of_uses = Table.joined(by_use, self._days, renumbered)
        # What is asked for most, all places together, is summed up once.
        self._everywhere = self._at_places.summed(self._at_places.at)
        self._by_place = self._of_uses.summed(self._of_uses.at << 16 | self._of_uses.place)
        self._by_use = self._of_uses.summed(self._of_uses.at << 16 | self._of_uses.use)

    def view(self, by: str, first: dt.date, last: dt.date, places: Collection[str] = ()) -> View:
        """The days from `first` to `last`, `by` one of SPANS; of all places where none is named."""
        begin, end = _number(first), _number(last) + 1
        days = self._rollups[np.searchsorted(self._days, begin) : np.searchsorted(self._days, end)]
        by_place = self._by_place.between(begin, end)
        if places:
            chosen = np.array([word in places for word in self._words], np.bool_)
            uses = self._of_uses.between(begin, end).of(chosen)
            periods = self._periods_of(by, begin, end, chosen)
        else:
            uses, periods = self._by_use.between(begin, end), self._periods(by, begin, end)
        return View(
            periods,
            self._named(uses, uses.use),
            self._named(by_place, by_place.place),
            _systems(days),
            any(day.unnamed for day in days),
        )

    def _periods(self, by: str, begin: int, end: int) -> Told:
        told = (
            _between(self._hours, 24 * begin, 24 * end) if by == "hour" else _between(self._whole, begin, end)
        )
        cells = self._everywhere.between(24 * begin, 24 * end)
        numbers = told["hour"].astype(np.int64)
        starts, which = np.unique(numbers if by == "hour" else _span(by, numbers), return_inverse=True)
        octets, connections, _ = cells.added(np.searchsorted(starts, _of_hours(by, cells.at)), len(starts))
        least, most = _users(told, which, len(starts))
        too_few = np.zeros(len(starts), np.bool_)
        too_few[which[told["withheld"]]] = True
        return Told(
            _texts(by, starts), *(one.tolist() for one in (least, most, octets, connections, too_few))
        )

    def _periods_of(self, by: str, begin: int, end: int, chosen: NDArray[np.bool_]) -> Told:
        """Of chosen places: how many were there nobody counted together, so only the most of a cell is known.

        Where cells of the hour were put together over all places, some may have been of these.
        """
        hours = _between(self._hours, 24 * begin, 24 * end)
        cells = self._at_places.between(24 * begin, 24 * end)
        mine = cells.of(chosen)
        starts = np.unique(_of_hours(by, hours["hour"].astype(np.int64)))
        octets, connections, least = mine.added(np.searchsorted(starts, _of_hours(by, mine.at)), len(starts))
        merged = (
            cells.at[cells.place == self._words.index(EVERYWHERE_TEXT)] if self._has_merged else cells.at[:0]
        )
        vague = np.concatenate([hours["hour"][hours["withheld"]].astype(np.int64), merged])
        too_few = np.isin(starts, _of_hours(by, vague))
        shown = (least > 0) | too_few
        most = np.full(len(starts), -1)
        columns = (one[shown].tolist() for one in (least, most, octets, connections, too_few))
        return Told(_texts(by, starts[shown]), *columns)

    @property
    def _has_merged(self) -> bool:
        return EVERYWHERE_TEXT in self._words

    def _named(self, table: Table, key: Int64) -> dict[str, Sums]:
        octets, connections, clients = table.added(key, len(self._words))
        there = np.flatnonzero(clients)
        columns = (one[there].tolist() for one in (octets, connections, clients))
        return {self._words[at]: Sums(*sums) for at, *sums in zip(there.tolist(), *columns, strict=True)}


def _between(rows: Rows, begin: int, end: int) -> Rows:
    first, last = np.searchsorted(rows["hour"], [begin, end])
    return rows[first:last]


def _number(day: dt.date) -> int:
    return (day - _EPOCH).days


def _span(by: str, days: Int64) -> Int64:
    """The day on which the period of each of these days begins."""
    if by == "week":
        return np.asarray(days - (days - _MONDAY) % 7)
    if by == "month":
        return np.asarray(days.astype("M8[D]").astype("M8[M]").astype("M8[D]").astype(np.int64))
    return days


def _of_hours(by: str, hours: Int64) -> Int64:
    return hours if by == "hour" else _span(by, hours // 24)


def _texts(by: str, starts: Int64) -> list[str]:
    if by == "hour":
        return [f"{text}:00:00Z" for text in np.datetime_as_string(starts.astype("M8[h]")).tolist()]
    texts: list[str] = np.datetime_as_string(starts.astype("M8[D]")).tolist()
    return texts


def _users(told: Rows, which: Int64, count: int) -> tuple[Int64, Int64]:
    """[least, most]: whoever came on two days is counted on both; at least the best day, at most the sum."""
    least, most = np.zeros(count, np.int64), np.zeros(count, np.int64)
    np.maximum.at(least, which, np.ascontiguousarray(told["least"]))
    np.add.at(most, which, np.ascontiguousarray(told["most"]))
    said, no_end = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    said[which[told["told"]]] = True
    no_end[which[told["most"] < 0]] = True
    return np.where(said, least, 0), np.where(no_end, -1, most)


def _systems(days: Iterable[DayRollup]) -> dict[str, Range]:
    found: dict[str, Range] = {}
    for day in days:
        for name, users in day.systems:
            best = found.setdefault(name, Range())
            best.least = max(best.least, users.least)
            best.most = None if best.most is None or users.most is None else max(best.most, users.most)
    return found
