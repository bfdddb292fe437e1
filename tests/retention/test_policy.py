"""The term: from date to date, never a day early; and a clock that is not believed."""

import calendar
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.model.instants import DAY_NS
from appliance.retention.policy import LONGEST_SILENCE_DAYS, anniversary, destroyed_on, doubt

DAYS = st.dates(dt.date(2020, 1, 1), dt.date(2099, 12, 31))


def spans_29_february(first: dt.date, last: dt.date) -> bool:
    leap_days = [dt.date(year, 2, 29) for year in range(first.year, last.year + 1) if calendar.isleap(year)]
    return any(first < day <= last for day in leap_days)


@given(DAYS)
def test_never_on_day_364_or_365_always_on_day_367(day: dt.date) -> None:
    due = destroyed_on(day, 1)
    assert day + dt.timedelta(days=365) < due
    assert day + dt.timedelta(days=367) >= due


@given(DAYS)
def test_on_day_366_unless_the_year_has_one_day_more(day: dt.date) -> None:
    one_year = day + dt.timedelta(days=365)
    expected = 366 if not spans_29_february(day, one_year) else 367
    assert destroyed_on(day, 1) - day == dt.timedelta(days=expected)


@given(DAYS, st.integers(1, 10))
def test_the_last_record_of_the_day_has_had_its_whole_term(day: dt.date, years: int) -> None:
    """Article 641: the term ends on the day of the same number; its last instant has then passed."""
    last_record = dt.datetime.combine(day, dt.time.max)
    destruction = dt.datetime.combine(destroyed_on(day, years), dt.time.min)
    same_number = (day.month, day.day) if (day.month, day.day) != (2, 29) else None
    if same_number:
        assert destruction > last_record.replace(year=day.year + years)
    assert destruction - last_record >= dt.timedelta(days=365 * years)


@given(DAYS, DAYS, st.integers(1, 10))
def test_an_older_day_never_goes_after_a_newer(one: dt.date, other: dt.date, years: int) -> None:
    older, newer = sorted((one, other))
    assert destroyed_on(older, years) <= destroyed_on(newer, years)


@pytest.mark.parametrize(
    ("day", "years", "due"),
    [
        ("2026-11-21", 1, "2027-11-22"),
        ("2026-12-31", 1, "2028-01-01"),
        ("2027-02-28", 1, "2028-02-29"),
        ("2027-03-01", 1, "2028-03-02"),
        ("2028-02-28", 1, "2029-03-01"),
        ("2028-02-29", 1, "2029-03-01"),
        ("2028-02-29", 4, "2032-03-01"),
    ],
)
def test_days_that_a_calendar_was_asked_about(day: str, years: int, due: str) -> None:
    assert destroyed_on(dt.date.fromisoformat(day), years) == dt.date.fromisoformat(due)


def test_the_29th_of_february_falls_on_the_28th() -> None:
    assert anniversary(dt.date(2028, 2, 29), 1) == dt.date(2029, 2, 28)


STEPS = st.lists(st.integers(-5 * DAY_NS, LONGEST_SILENCE_DAYS * DAY_NS), max_size=20)


@given(st.integers(0, 2**61), st.lists(st.integers(0, LONGEST_SILENCE_DAYS * DAY_NS), max_size=20))
def test_a_clock_that_runs_on_is_believed(start: int, steps: list[int]) -> None:
    written = [start]
    for step in steps:
        written.append(written[-1] + step)
    assert doubt(written[:-1] or written, written[-1]) is None


@given(st.integers(0, 2**61), STEPS, st.integers(1, 2**60))
def test_a_clock_that_sprang_ahead_is_not_believed_however_often_it_was_written_since(
    start: int, steps: list[int], beyond: int
) -> None:
    written = [start, start + LONGEST_SILENCE_DAYS * DAY_NS + beyond]
    for step in steps:
        written.append(max(written) + abs(step))
    found = doubt(written, max(written) + 1)
    assert found is not None
    assert "after the last believed" in found.why


@given(st.integers(DAY_NS, 2**61), st.integers(1, DAY_NS))
def test_a_clock_behind_the_chain_is_not_believed(newest: int, behind: int) -> None:
    found = doubt([newest - DAY_NS, newest], newest - behind)
    assert found is not None
    assert "before the newest line" in found.why


@pytest.mark.parametrize("day", [dt.date(9998, 12, 31), dt.date(9999, 1, 1), dt.date.max])
def test_a_day_of_a_broken_clock_has_a_date_too(day: dt.date) -> None:
    assert destroyed_on(day, 1) == dt.date.max
