"""What was listened to and what was not: the lanes of a time, and one day of one source in words."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from babel import dates

from appliance.control.messages import AskCoverage, CoverageOf, Seen
from appliance.model.instants import from_iso
from webui import formats, listened
from webui.listened import Bar, Row, Span
from webui.rights import Right
from webui.routing import Asked, Refusal, Reply, Route, Shown
from webui.vocabulary import LOST, NOTED, REFUSED, source_name, word
from webui.wording import said

REACHES = (1, 7, 31)
"""Days that the lanes can show."""


@dataclass(frozen=True)
class Drawn:
    """A bar with its words; where it is a gap it leads to its day."""

    kind: str
    x: float
    width: float
    title: str
    href: str = ""


@dataclass(frozen=True)
class Lane:
    """One source's bars, for the `timeline` of the templates."""

    spans: tuple[Drawn, ...]


@dataclass(frozen=True)
class Missed:
    """A gap as a line of a list."""

    name: str
    source: str
    bar: Bar


@dataclass(frozen=True)
class Lanes:
    """What a page draws: the lanes, the words of their scale, and every gap, the newest first.

    `since` is when the first of them begins, empty where that was before what is drawn.
    """

    rows: tuple[tuple[str, Lane], ...]
    ticks: tuple[str, ...]
    gaps: tuple[Missed, ...]
    since: str


def today(asked: Asked) -> dt.date:
    """The day of the box, which counts in UTC."""
    return dt.datetime.fromtimestamp(asked.site.clock() / 1e9, dt.UTC).date()


def reach_of(asked: Asked) -> int:
    """How many days the lanes are to show."""
    wanted = asked.query.get("days", "")
    return int(wanted) if wanted in map(str, REACHES) else 7


def lanes(asked: Asked, first: dt.date, last: dt.date, only: str = "") -> Lanes:
    """The days [first, last], of all sources or of `only` one."""
    coverage = asked.tell(AskCoverage(first.isoformat(), last.isoformat()), CoverageOf)
    reach = listened.span(first, last)
    rows = [row for row in listened.rows(coverage, reach) if only in ("", row.source)]
    named = [(source_name(asked.language, row.source), row) for row in rows]
    gaps = [Missed(name, row.source, bar) for name, row in named for bar in row.gaps]
    gaps.sort(key=lambda missed: missed.bar.first, reverse=True)
    return Lanes(
        tuple((name, Lane(tuple(_drawn(asked, row.source, bar) for bar in row.bars))) for name, row in named),
        _ticks(asked.language, first, last),
        tuple(gaps),
        _since(rows, reach),
    )


def show_day(asked: Asked) -> Reply:
    """One day of one source: when it was heard, what was lost and left out, and why."""
    source, day = asked.query.get("source", ""), _day(asked)
    if not source.strip():
        raise Refusal(said(asked.language, "There is no source of this name."), status=404)
    coverage = asked.tell(AskCoverage(day.isoformat(), day.isoformat()), CoverageOf)
    periods = [seen for one in coverage.sources if one.source == source for seen in one.periods]
    return Shown(
        "coverage.html",
        {
            "name": source_name(asked.language, source),
            "source": source,
            "day": day.isoformat(),
            "before": (day - dt.timedelta(days=1)).isoformat(),
            "after": (day + dt.timedelta(days=1)).isoformat() if day < today(asked) else "",
            "lanes": lanes(asked, day, day, source),
            "packets": sum(seen.packets for seen in periods),
            "records": sum(seen.records for seen in periods),
            "counted": _counted(asked.language, periods),
        },
    )


def _day(asked: Asked) -> dt.date:
    try:
        return dt.date.fromisoformat(asked.query.get("day", "") or today(asked).isoformat())
    except ValueError:
        raise Refusal(said(asked.language, "There is no such day."), status=404) from None


def _counted(language: str, periods: list[Seen]) -> list[tuple[str, list[tuple[str, int]]]]:
    """Lost, refused and noted, in words, the most first."""
    groups = (("lost", LOST), ("refused", REFUSED), ("noted", NOTED))
    return [
        (name, _summed(language, words, [getattr(seen, name) for seen in periods])) for name, words in groups
    ]


def _summed(language: str, words: Mapping[str, str], counts: list[dict[str, int]]) -> list[tuple[str, int]]:
    totals: dict[str, int] = {}
    for each in counts:
        for key, count in each.items():
            totals[key] = totals.get(key, 0) + count
    ordered = sorted(totals.items(), key=lambda pair: -pair[1])
    return [(word(language, words, key), count) for key, count in ordered if count]


def _since(rows: list[Row], reach: Span) -> str:
    begun = min((bar.first for row in rows for bar in row.bars), key=from_iso, default="")
    return begun if begun and from_iso(begun) > reach.first_ns else ""


def _drawn(asked: Asked, source: str, bar: Bar) -> Drawn:
    language = asked.language
    words = {"first": formats.moment(bar.first, language), "until": formats.moment(bar.until, language)}
    if bar.kind == "gap":
        title = said(language, "Not heard from %(first)s to %(until)s", **words)
        return Drawn(bar.kind, bar.x, bar.width, title, day_href(source, bar.day))
    if bar.kind == "lost":
        title = said(language, "Heard from %(first)s to %(until)s, something missed", **words)
        return Drawn(bar.kind, bar.x, bar.width, title, day_href(source, bar.day))
    return Drawn(bar.kind, bar.x, bar.width, said(language, "Heard from %(first)s to %(until)s", **words))


def day_href(source: str, day: str) -> str:
    """Where a day of a source is told."""

    return "/sources/coverage?" + urlencode({"source": source, "day": day})


def _ticks(language: str, first: dt.date, last: dt.date) -> tuple[str, ...]:
    days = (last - first).days + 1
    if days == 1:
        return ("0 h", "6 h", "12 h", "18 h", "24 h")
    step = 1 if days <= 7 else 5
    shown = [first + dt.timedelta(days=number) for number in range(0, days, step)]
    return tuple(_weekday(day, language) for day in shown)


def _weekday(day: dt.date, language: str) -> str:
    return str(dates.format_skeleton("MEd", day, locale=formats.locale_of(language)))


ROUTES: tuple[Route, ...] = (Route("GET", "/sources/coverage", Right.SEE_SOURCES, show_day, menu="sources"),)
