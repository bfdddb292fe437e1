"""Which days a page of statistics is about: how far back for hours, days, weeks and months. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from appliance.control.words import Period

_HOURS_OF_DAYS, _DAYS, _WEEKS, _MONTHS = 2, 31, 26, 12
"""What is shown at once: some dozens of columns."""


@dataclass(frozen=True)
class Days:
    """The days [first, last]; `earlier` and `later`: last days of the neighbours, None past what is known."""

    by: Period
    first: date
    last: date
    earlier: date | None
    later: date | None


def days_of(query: Mapping[str, str], today: date, known: tuple[date, date] | None = None) -> Days:
    """What was asked for, as far as it is understood; else the newest days."""
    by = Period(query["by"]) if query.get("by") in set(Period) else Period.DAY
    last = min(_day(query.get("to", "")) or today, today)
    first = _first(by, last)
    has_earlier = known is None or known[0] < first
    return Days(
        by,
        first,
        last,
        first - timedelta(days=1) if has_earlier else None,
        min(last + (last - first) + timedelta(days=1), today) if last < today else None,
    )


def _first(by: Period, last: date) -> date:
    """Whole weeks and months, so that the first column is not a stump."""
    match by:
        case Period.HOUR:
            return last - timedelta(days=_HOURS_OF_DAYS - 1)
        case Period.DAY:
            return last - timedelta(days=_DAYS - 1)
        case Period.WEEK:
            return last - timedelta(days=last.weekday(), weeks=_WEEKS - 1)
    months = last.year * 12 + last.month - _MONTHS
    return date(months // 12, months % 12 + 1, 1)


def _day(text: str) -> date | None:
    """No year that a calendar would not bear to be counted back from."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if found.year >= 2000 else None
