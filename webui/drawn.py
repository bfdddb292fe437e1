"""Statistics as charts and shares, in the words and numbers of one language. Pure."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from appliance.control.messages import Activity, PeriodTotals, Share, SystemShare
from webui import formats, whole_spans
from webui.categories import SYSTEMS, called
from webui.charts import ColumnChart, column_chart, evenly
from webui.wording import said

_TICKS = 6

Row = tuple[str, float, str, str]
"""A word, its share of the largest, the value, and a note."""


@dataclass(frozen=True)
class Drawn:
    """One chart. `rows` are its columns in words: when, how much; `series` the same as JSON for scripts."""

    chart: ColumnChart
    rows: tuple[tuple[str, str], ...]
    titles: tuple[str, ...]
    marks: tuple[str, ...]
    ticks: tuple[str, ...]
    series: str


def traffic(activity: Activity, language: str) -> Drawn:
    """Octets of each period; nothing where too few were there."""
    values = [None if one.too_few else one.octets for one in activity.periods]
    words = [octets(one, language) for one in activity.periods]
    return _drawn(
        activity, language, values, None, words, lambda value: formats.size(value, language), "bytes"
    )


def people(activity: Activity, language: str) -> Drawn:
    """Distinct devices of each period: at least, and at most."""
    least = [one.users_least for one in activity.periods]
    most = [one.users_most if one.users_most is not None else one.users_least for one in activity.periods]
    words = [_users(one, language) for one in activity.periods]
    return _drawn(
        activity, language, least, most, words, lambda value: formats.number(value, language), "number"
    )


def shares(parts: Sequence[Share], name_of: Callable[[str], str], language: str) -> tuple[Row, ...]:
    """Parts of the traffic, the largest first, against all of it."""
    whole = sum(part.octets for part in parts) or 1
    return tuple(
        (
            name_of(part.name),
            part.octets / whole,
            formats.part(part.octets / whole, language),
            formats.size(part.octets, language),
        )
        for part in sorted(parts, key=lambda part: -part.octets)
    )


def systems(parts: Sequence[SystemShare], language: str) -> tuple[Row, ...]:
    """Families of devices, by how many a day there were at least; against the largest."""
    largest = max((part.least for part in parts), default=0) or 1
    return tuple(
        (
            called(language, SYSTEMS, part.name),
            part.least / largest,
            formats.spread(part.least, part.most, language),
            "",
        )
        for part in sorted(parts, key=lambda part: -part.least)
    )


def busiest(activity: Activity) -> PeriodTotals | None:
    """The period with most traffic; None where there was none."""
    return max((one for one in activity.periods if one.octets), key=lambda one: one.octets, default=None)


def _drawn(
    activity: Activity,
    language: str,
    values: Sequence[float | None],
    most: Sequence[float | None] | None,
    words: Sequence[str],
    mark: Callable[[float], str],
    unit: str,
) -> Drawn:
    starts = [one.start for one in activity.periods]
    long = [formats.period(activity.by, start, language) for start in starts]
    brief = [formats.period(activity.by, start, language, brief=True) for start in starts]
    chart = column_chart(values, most)
    series: dict[str, object] = {
        "unit": unit,
        "starts": [_seconds(start) for start in starts],
        "words": long,
        "brief": brief,
    }
    series |= {"values": list(values), "most": list(most) if most is not None else None, "said": list(words)}
    return Drawn(
        chart,
        tuple(zip(long, words, strict=True)),
        tuple(f"{when} – {word}" for when, word in zip(long, words, strict=True)),
        tuple(mark(value) for value in chart.scale),
        evenly(brief, _TICKS),
        json.dumps(series, ensure_ascii=False),
    )


def octets(one: PeriodTotals, language: str) -> str:
    """The traffic of a period in words."""
    if whole_spans.is_empty(one):
        return said(language, "nothing counted")
    return said(language, "too few devices to say") if one.too_few else formats.size(one.octets, language)


def _users(one: PeriodTotals, language: str) -> str:
    if whole_spans.is_empty(one):
        return said(language, "nothing counted")
    if one.users_least is None:
        return said(language, "too few devices to say")
    return formats.spread(one.users_least, one.users_most, language)


def _seconds(start: str) -> int:
    found = datetime.fromisoformat(start)
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
