"""Statements of several runs and parts put together for a reader: by hour or by day. Pure.

Runs count apart and forget who they counted, so a person that two of them met is in both: the true number
lies between the largest part and the sum.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from appliance.model.instants import DAY_NS, HOUR_NS
from appliance.statistics.anonymity import FEWEST
from appliance.statistics.statements import DayStatement, HourStatement, Statement, Use, Users

SPANS = {"hour": HOUR_NS, "day": DAY_NS}


@dataclass
class Range:
    """That the number of distinct clients lies in [least, most]; `most` None: more than could be counted."""

    least: int = 0
    most: int | None = 0

    def part(self, users: Users | None) -> None:
        """A further part, counted apart. None: one or two, too few to be told."""
        self.least = max(self.least, users.least if users else 1)
        if self.most is not None:
            most = users.least if users else FEWEST - 1
            self.most = self.most + most if not users or users.exact else None


@dataclass
class Sums:
    """Octets and ended connections of a use, a place or a period; the most `clients` found at once in it."""

    octets: int = 0
    connections: int = 0
    clients: int = 0

    def add(self, use: Use) -> None:
        """One more cell of it."""
        self.octets += use.octets
        self.connections += use.connections
        self.clients = max(self.clients, use.clients.least)

    def join(self, other: "Sums") -> None:
        """The same of another period."""
        self.octets += other.octets
        self.connections += other.connections
        self.clients = max(self.clients, other.clients)


@dataclass
class Period:
    """One hour or day. `told`: its users may be said; `summed`: its octets, those of some hours at least.

    `withheld`: hours of it, or itself, had too few users; `unnamed`: some systems of it had.
    """

    start_ns: int
    users: Range = field(default_factory=Range)
    sums: Sums = field(default_factory=Sums)
    by_use: dict[str, Sums] = field(default_factory=dict)
    by_place: dict[str, Sums] = field(default_factory=dict)
    by_system: dict[str, Range] = field(default_factory=dict)
    told: bool = False
    summed: bool = False
    withheld: bool = False
    unnamed: bool = False


def periods(statements: Iterable[tuple[str, Statement]], by: str) -> list[Period]:
    """The hours or days that these (run, statement) are about, in order. `by` is a key of SPANS."""
    found: dict[int, Period] = {}
    unfinished: dict[int, set[str]] = {}
    finished: dict[int, set[str]] = {}
    for run, statement in statements:
        start_ns = statement.start_ns // SPANS[by] * SPANS[by]
        if isinstance(statement, HourStatement):
            _add_hour(found.setdefault(start_ns, Period(start_ns)), statement, counts=by == "hour")
            unfinished.setdefault(start_ns, set()).add(run)
        elif by == "day":
            _add_day(found.setdefault(start_ns, Period(start_ns)), statement)
            finished.setdefault(start_ns, set()).add(run)
    if by == "day":
        # A run that still records, or whose end was not written, has not told how many there were in all.
        for start_ns, runs in unfinished.items():
            if runs - finished.get(start_ns, set()):
                found[start_ns].users.most = None
    return [found[start_ns] for start_ns in sorted(found)]


def _add_hour(period: Period, hour: HourStatement, counts: bool) -> None:
    period.told |= hour.users is not None
    period.summed |= hour.users is not None
    period.withheld |= hour.users is None
    if counts:
        period.users.part(hour.users)
    else:
        period.users.least = max(period.users.least, hour.users.least if hour.users else 1)
    for use in hour.uses:
        for sums in (
            period.sums,
            period.by_use.setdefault(use.use, Sums()),
            period.by_place.setdefault(use.place, Sums()),
        ):
            sums.add(use)


def _add_day(period: Period, day: DayStatement) -> None:
    period.told |= day.users is not None
    period.unnamed |= day.too_few
    period.users.part(day.users)
    for system, users in day.systems:
        period.by_system.setdefault(system, Range()).part(users)
