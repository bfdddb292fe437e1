"""A chart of a box's first hour has the hours before it, too, and says that nothing was counted in them."""

from datetime import date

import pytest

from appliance.control.messages import Activity, PeriodTotals
from appliance.control.words import Period
from webui import drawn, whole_spans

NOW_NS = 1_795_430_100 * 10**9  # 2026-11-23T10:35:00Z


def activity(by: Period, *starts: str) -> Activity:
    periods = tuple(PeriodTotals(start, 5, 6, 1_000, 10, False) for start in starts)
    return Activity(by, periods, (), (), (), None)


def test_the_last_hours_are_all_there() -> None:
    known = activity(Period.HOUR, "2026-11-22T07:00:00Z", "2026-11-23T09:00:00Z")
    found = whole_spans.of_last_hours(known, 24, NOW_NS).periods
    assert len(found) == 24
    assert (found[0].start, found[-1].start) == ("2026-11-22T10:00:00Z", "2026-11-23T09:00:00Z")
    assert [one.octets for one in found] == [0] * 23 + [1_000]


@pytest.mark.parametrize(
    ("by", "first", "last", "known", "count"),
    [
        (Period.HOUR, "2026-11-22", "2026-11-23", "2026-11-23T09:00:00Z", 34),
        (Period.HOUR, "2026-11-20", "2026-11-21", "2026-11-21T09:00:00Z", 48),
        (Period.DAY, "2026-10-24", "2026-11-23", "2026-11-22", 30),
        (Period.DAY, "2026-10-24", "2026-11-23", "2026-11-23", 31),
        (Period.WEEK, "2026-11-02", "2026-11-22", "2026-11-16", 3),
        (Period.MONTH, "2026-01-01", "2026-11-23", "2026-11-01", 11),
    ],
)
def test_every_period_of_the_days_is_there(by: Period, first: str, last: str, known: str, count: int) -> None:
    days = date.fromisoformat(first), date.fromisoformat(last)
    found = whole_spans.of_days(activity(by, known), *days, NOW_NS)
    assert len(found.periods) == count
    assert [one.start for one in found.periods if one.octets] == [known]
    assert [one.start for one in found.periods] == sorted(one.start for one in found.periods)


def test_where_nothing_was_counted_it_is_said() -> None:
    found = whole_spans.of_last_hours(activity(Period.HOUR, "2026-11-23T09:00:00Z"), 24, NOW_NS)
    for chart in (drawn.traffic(found, "fr"), drawn.people(found, "fr")):
        assert [word for _when, word in chart.rows][:23] == ["rien de compté"] * 23


def test_what_has_no_statistics_at_all_stays_so() -> None:
    days = date(2026, 11, 22), date(2026, 11, 23)
    assert whole_spans.of_days(activity(Period.HOUR), *days, NOW_NS).periods == ()
    assert whole_spans.of_last_hours(activity(Period.HOUR), 24, NOW_NS).periods == ()
