"""Coverage as a drawing: for each source bars on a line of time, in thousandths of its length. Pure."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from appliance.control.messages import CoverageOf, Gap, Seen, SourceCoverage
from appliance.model.instants import from_iso

LENGTH = 1000.0
_TOGETHER_NS = 5_000_000_000
"""Periods this close are one bar: a seal's period ends with its last packet."""
_NARROWEST = 3.0
"""A gap of a minute in a month must still be seen, and hit by a finger."""


@dataclass(frozen=True)
class Bar:
    """`kind` is seen, lost (seen, with losses) or gap."""

    kind: str
    x: float
    width: float
    first: str
    until: str
    day: str
    """The first of its days that is drawn (UTC)."""
    seconds: float
    lost: int = 0


@dataclass(frozen=True)
class Row:
    """One source. `gaps` are its bars of that kind once more."""

    source: str
    bars: tuple[Bar, ...]
    gaps: tuple[Bar, ...]
    lost: int


@dataclass(frozen=True)
class Span:
    """What the line of time reaches over: instants in nanoseconds."""

    first_ns: int
    until_ns: int

    def place(self, instant_ns: int) -> float:
        """Where an instant lies on the line; its ends for what lies beyond."""
        share = (instant_ns - self.first_ns) / (self.until_ns - self.first_ns)
        return round(min(max(share, 0.0), 1.0) * LENGTH, 1)


def span(first_day: dt.date, last_day: dt.date) -> Span:
    """Whole days, in UTC as the box counts them."""
    start = dt.datetime.combine(first_day, dt.time(), dt.UTC)
    end = dt.datetime.combine(last_day + dt.timedelta(days=1), dt.time(), dt.UTC)
    return Span(int(start.timestamp()) * 1_000_000_000, int(end.timestamp()) * 1_000_000_000)


def rows(coverage: CoverageOf, reach: Span) -> tuple[Row, ...]:
    """Every source that was seen or missed in this time."""
    drawn = (_row(source, reach) for source in coverage.sources)
    return tuple(row for row in drawn if row.bars)


def _row(source: SourceCoverage, reach: Span) -> Row:
    seen = tuple(_seen(source.periods, reach))
    gaps = tuple(_gap(gap, reach) for gap in source.gaps if _touches(gap, reach))
    return Row(source.source, seen + gaps, gaps, sum(bar.lost for bar in seen))


def _seen(periods: tuple[Seen, ...], reach: Span) -> Iterator[Bar]:
    """Periods that follow each other and went alike, as one bar."""
    kind, first, last, lost = "", "", "", 0
    for period in periods:
        now_lost = sum(period.lost.values())
        now_kind = "lost" if now_lost else "seen"
        if kind == now_kind and from_iso(period.first) - from_iso(last) < _TOGETHER_NS:
            last, lost = max(last, period.last), lost + now_lost
            continue
        if kind:
            yield _bar(kind, first, last, reach, lost)
        kind, first, last, lost = now_kind, period.first, period.last, now_lost
    if kind:
        yield _bar(kind, first, last, reach, lost)


def _touches(gap: Gap, reach: Span) -> bool:
    return from_iso(gap.until) > reach.first_ns and from_iso(gap.first) < reach.until_ns


def _gap(gap: Gap, reach: Span) -> Bar:
    return _bar("gap", gap.first, gap.until, reach, 0)


def _bar(kind: str, first: str, until: str, reach: Span, lost: int) -> Bar:
    left, right = reach.place(from_iso(first)), reach.place(from_iso(until))
    width = round(max(right - left, _NARROWEST if kind != "seen" else 1.0), 1)
    shown_from = max(from_iso(first), reach.first_ns)
    seconds = (from_iso(until) - from_iso(first)) / 1e9
    day = dt.datetime.fromtimestamp(shown_from / 1e9, dt.UTC).date().isoformat()
    return Bar(kind, min(left, LENGTH - width), width, first, until, day, seconds, lost)
