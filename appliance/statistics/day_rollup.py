"""What one day comes to for a reader: by hour and place, and by place and use. Pure.

The same sums as `summary` makes out of statements, out of columns and so in a thousandth of the time. Every
number here is a sum over whole stored cells, or a stored count: nothing can be told of fewer people than the
files tell of (decision 082).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.statistics.anonymity import FEWEST
from appliance.statistics.places import is_place
from appliance.statistics.statements import SYSTEMS, USES, Users
from appliance.statistics.summary import Range
from appliance.vault.day_columns import DAY_LINE, LISTED, NO_PLACE, TOO_FEW, USERS, USERS_AT_LEAST, Columns

Rows = NDArray[np.void]

PERIOD = np.dtype(
    [("hour", np.int32), ("told", np.bool_), ("withheld", np.bool_), ("least", np.int64), ("most", np.int64)]
)
"""`hour` of the day, `most` -1: at least. `told`: users may be said; `withheld`: some of it had too few."""

BY_PLACE = np.dtype(
    [("hour", np.int32), ("place", np.int32), ("octets", np.int64), ("connections", np.int64),
     ("clients", np.int64)]
)  # fmt: skip
BY_USE = np.dtype(
    [("day", np.int32), ("place", np.int32), ("use", np.int32), ("octets", np.int64),
     ("connections", np.int64), ("clients", np.int64)]
)  # fmt: skip
"""Sums of cells; `clients` are the most in one of them. `day` is for whoever joins days."""


@dataclass(frozen=True)
class DayRollup:
    """One day. `hours` are PERIODs in order, `whole` the PERIOD of the day; numbers are of `words`.

    `systems` (word, Range); `unnamed`: some systems had too few. It is of `lines`; `damaged` were left out.
    """

    words: tuple[str, ...]
    hours: Rows
    whole: np.void
    systems: tuple[tuple[str, Range], ...]
    unnamed: bool
    by_place: Rows
    by_use: Rows
    lines: int
    damaged: int


def rolled_up(columns: Columns, runs: Sequence[str]) -> DayRollup:
    """`runs` names the run of each line."""
    good = _good(columns)
    of_line = np.repeat(np.arange(len(columns.lines)), columns.lines["cells"])
    kept = good[of_line]
    cells, hours = columns.cells[kept], columns.lines["hour"][of_line[kept]].astype(np.int32)
    used = cells["place"] != NO_PLACE
    by_use = _sums(BY_USE, cells[used], ("place", cells["place"][used]), ("use", cells["name"][used]))
    by_place = _sums(BY_PLACE, cells[used], ("hour", hours[used]), ("place", cells["place"][used]))
    lines = [
        (line, run)
        for line, run, ours in zip(columns.lines.tolist(), runs, good.tolist(), strict=True)
        if ours
    ]
    whole = _whole(lines)
    unnamed = any(line[0] == DAY_LINE and line[1] & TOO_FEW for line, _ in lines)
    systems = _systems(cells[~used], columns.words)
    counted = len(lines), int((~good).sum())
    return DayRollup(columns.words, _hours(lines), whole, systems, unnamed, by_place, by_use, *counted)


def _good(columns: Columns) -> NDArray[np.bool_]:
    """(n,) the lines that `statements.parse` would take."""
    lines, cells, words = columns.lines, columns.cells, columns.words
    is_day, marks = lines["hour"] == DAY_LINE, lines["marks"]
    counted = (marks & USERS) > 0
    good = np.where(counted, lines["users"] >= FEWEST, is_day | ((marks & TOO_FEW) > 0))
    good &= (marks & LISTED > 0) | (~is_day & ~counted)
    places, uses, systems = (
        np.array([*map(known, words), False]) for known in (is_place, USES.__contains__, SYSTEMS.__contains__)
    )
    used = cells["place"] != NO_PLACE
    place = np.where(used, cells["place"], len(words))
    fine = np.where(used, places[place] & uses[cells["name"]], systems[cells["name"]])
    fine &= (cells["clients"] >= FEWEST) & (cells["clients"] < _HIGHEST)
    fine &= (cells["octets"] < _HIGHEST) & (cells["connections"] < _HIGHEST)
    of_line = np.repeat(np.arange(len(lines)), lines["cells"])
    fine &= used != is_day[of_line]
    good[of_line[~fine]] = False
    good &= lines["users"] < _HIGHEST
    return np.asarray(good)


_HIGHEST = 1 << 44
"""Octets of an hour: 39 Gbit/s all the time. A year's sum of less cannot overflow; what is more is forged."""


def _sums(dtype: np.dtype[np.void], cells: Rows, *keys: tuple[str, NDArray[np.generic]]) -> Rows:
    """Rows of equal keys made one, in order of the keys."""
    packed = np.zeros(len(cells), np.int64)
    for _, numbers in keys:
        packed = packed << 16 | numbers.astype(np.int64)
    together, which = np.unique(packed, return_inverse=True)
    rows = np.zeros(len(together), dtype)
    for name, _ in reversed(keys):
        rows[name], together = together & 0xFFFF, together >> 16
    for name, adding in (("octets", np.add), ("connections", np.add), ("clients", np.maximum)):
        sums = np.zeros(len(together), np.int64)  # by itself: the fast paths of numpy take no fields of rows
        adding.at(sums, which, cells[name].astype(np.int64))
        rows[name] = sums
    return rows


_Line = tuple[int, int, int, int]


def _users(line: _Line) -> Users | None:
    _, marks, users, _ = line
    return Users(users, not marks & USERS_AT_LEAST) if marks & USERS else None


def _hours(lines: Sequence[tuple[_Line, str]]) -> Rows:
    found: dict[int, tuple[Range, list[bool]]] = {}
    for line, _ in lines:
        if line[0] != DAY_LINE:
            users = _users(line)
            of_hour, told = found.setdefault(line[0], (Range(), []))
            of_hour.part(users)
            told.append(users is not None)
    rows = [_period(hour, any(told), not all(told), users) for hour, (users, told) in sorted(found.items())]
    return np.array(rows, PERIOD)


def _period(hour: int, told: bool, withheld: bool, users: Range) -> tuple[int, bool, bool, int, int]:
    return hour, told, withheld, users.least, -1 if users.most is None else users.most


def _whole(lines: Sequence[tuple[_Line, str]]) -> np.void:
    """The distinct users of the day; a run that has not told of its day leaves the upper end open."""
    users, told, withheld = Range(), False, False
    counting, finished = set(), set()
    for line, run in lines:
        stated = _users(line)
        told |= stated is not None
        if line[0] == DAY_LINE:
            users.part(stated)
            finished.add(run)
        else:
            users.least = max(users.least, stated.least if stated else 1)
            withheld |= stated is None
            counting.add(run)
    if counting - finished:
        users.most = None
    whole: np.void = np.array([_period(0, told, withheld, users)], PERIOD)[0]
    return whole


def _systems(cells: Rows, words: Sequence[str]) -> tuple[tuple[str, Range], ...]:
    found: dict[str, Range] = {}
    for cell in cells.tolist():
        found.setdefault(words[cell[1]], Range()).part(Users(cell[4], not cell[5]))
    return tuple(sorted(found.items()))
