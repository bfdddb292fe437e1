"""Coverage as bars: where they stand, what they are joined to, and that no gap is too thin to be seen."""

import datetime as dt

from appliance.control.messages import CoverageOf, Gap, Seen, SourceCoverage
from webui import listened

DAY = dt.date(2026, 11, 21)
REACH = listened.span(DAY, DAY)


def seen(first, last, **lost):
    return Seen(f"2026-11-{first}Z", f"2026-11-{last}Z", 10, 2, lost, {}, {})


def rows(*periods, gaps=()):
    return listened.rows(CoverageOf((SourceCoverage("interface:eth1", periods, gaps),)), REACH)


def test_hours_that_follow_each_other_are_one_bar():
    (row,) = rows(
        seen("21T06:00:00", "21T07:00:00"),
        seen("21T07:00:01", "21T08:00:00"),
        seen("21T08:00:02", "21T12:00:00"),
    )
    assert [(bar.kind, bar.x, bar.width) for bar in row.bars] == [("seen", 250.0, 250.0)]


def test_losses_are_a_bar_of_their_own_and_are_counted():
    (row,) = rows(
        seen("21T00:00:00", "21T06:00:00"),
        seen("21T06:00:00", "21T12:00:00", kernel=3, ring=4),
        seen("21T12:00:00", "21T18:00:00"),
    )
    assert [(bar.kind, bar.x, bar.width, bar.lost) for bar in row.bars] == [
        ("seen", 0.0, 250.0, 0),
        ("lost", 250.0, 250.0, 7),
        ("seen", 500.0, 250.0, 0),
    ]
    assert row.lost == 7


def test_a_gap_of_a_second_is_wide_enough_to_be_touched_and_stays_inside():
    (row,) = rows(gaps=(Gap("2026-11-21T23:59:59Z", "2026-11-22T00:00:00Z"),))
    (bar,) = row.gaps
    assert bar.width >= 3
    assert bar.x + bar.width == 1000
    assert bar.seconds == 1


def test_what_reaches_over_the_day_is_cut_and_told_on_this_day():
    (row,) = rows(gaps=(Gap("2026-11-19T12:00:00Z", "2026-11-21T12:00:00Z"),))
    (bar,) = row.gaps
    assert (bar.x, bar.width, bar.day, bar.seconds) == (0.0, 500.0, "2026-11-21", 2 * 86_400)


def test_a_gap_of_another_day_is_not_drawn():
    assert rows(gaps=(Gap("2026-11-19T12:00:00Z", "2026-11-20T23:00:00Z"),)) == ()


def test_periods_with_a_pause_between_are_apart():
    (row,) = rows(seen("21T00:00:00", "21T01:00:00"), seen("21T02:00:00", "21T03:00:00"))
    assert len(row.bars) == 2


def test_a_month_of_hours_that_went_alike_is_few_bars():
    """744 seals of each of 50 sources would be a page of megabytes."""
    first, last = dt.date(2026, 10, 1), dt.date(2026, 10, 31)
    start = dt.datetime(2026, 10, 1)
    periods = tuple(
        Seen(
            (start + dt.timedelta(hours=hour)).isoformat() + "Z",
            (start + dt.timedelta(hours=hour, seconds=3599)).isoformat() + "Z",
            1, 1, {}, {}, {},
        )
        for hour in range(744)
    )  # fmt: skip
    coverage = CoverageOf((SourceCoverage("interface:eth1", periods, ()),))
    (row,) = listened.rows(coverage, listened.span(first, last))
    assert len(row.bars) == 1
