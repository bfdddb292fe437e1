"""Periods of which nothing is known, shown as such: a chart has all of its span. Pure."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import msgspec

from appliance.control.messages import Activity, PeriodTotals
from appliance.control.words import Period

_HOUR = timedelta(hours=1)


def of_days(activity: Activity, first: date, last: date, now_ns: int) -> Activity:
    """With every period of these days, but those that have not ended; as it is where there is none at all."""
    return _filled(activity, set(_starts(activity.by, first, last, _hour(now_ns))))


def of_last_hours(activity: Activity, count: int, now_ns: int) -> Activity:
    """The last so many whole hours, and what is known of the one that goes on."""
    now = _hour(now_ns)
    hours = [_text(now - back * _HOUR) for back in range(count, 0, -1)]
    recent = tuple(one for one in activity.periods if one.start >= hours[0])
    return _filled(msgspec.structs.replace(activity, periods=recent), set(hours))


def is_empty(period: PeriodTotals) -> bool:
    """Whether nothing was counted, because nobody was there or nothing was recorded."""
    return not (period.too_few or period.octets or period.users_least)


def _filled(activity: Activity, starts: set[str]) -> Activity:
    if not activity.periods:
        return activity
    known = {one.start: one for one in activity.periods}
    periods = [
        known.get(start) or PeriodTotals(start, None, None, 0, 0, False)
        for start in sorted(starts | set(known))
    ]
    return msgspec.structs.replace(activity, periods=tuple(periods))


def _starts(by: Period, first: date, last: date, now: datetime) -> Iterator[str]:
    if by is Period.HOUR:
        hour = datetime(first.year, first.month, first.day, tzinfo=UTC)
        end = min(now, datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1))
        while hour < end:
            yield _text(hour)
            hour += _HOUR
        return
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        begins = {Period.DAY: True, Period.WEEK: day.weekday() == 0, Period.MONTH: day.day == 1}[by]
        if begins and day < now.date():
            yield day.isoformat()


def _hour(now_ns: int) -> datetime:
    return datetime.fromtimestamp(now_ns // 1_000_000_000, UTC).replace(minute=0, second=0)


def _text(hour: datetime) -> str:
    return hour.strftime("%Y-%m-%dT%H:%M:%SZ")
