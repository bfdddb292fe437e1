"""Activity as the keeper answers it, out of a home's files."""

import datetime as dt
from pathlib import Path

import msgspec
import pytest

from appliance.control.messages import (
    ANSWER_LIMIT,
    Activity,
    Actor,
    AskActivity,
    PeriodTotals,
    Share,
    SystemShare,
)
from appliance.control.words import Period
from appliance.model.errors import UsageError
from appliance.model.instants import DAY_NS, HOUR_NS, start_of
from appliance.services.keeping import activity
from appliance.services.keeping.at_hand import AtHand
from appliance.statistics import archive
from appliance.statistics.files import StatisticsWriter
from appliance.statistics.statements import DayStatement, HourStatement, Use, Users
from bench import year_of_statistics
from tests.system.boxes import make_box

DAY = dt.date(2026, 3, 14)
START = start_of(DAY)
NOBODY = Actor("", "", "")


@pytest.fixture
def at(tmp_path: Path) -> AtHand:
    at = AtHand(make_box(tmp_path, ["10.0.0.0/8"]).home, lambda: START + 3 * DAY_NS)
    uses = (Use("vlan 20", "video", 700, 9, Users(5)), Use("none", "mail", 30, 4, Users(3)))
    writer = StatisticsWriter(at.home(), "cafe0123")
    writer.write(
        [HourStatement(START + 7 * HOUR_NS, Users(7), uses), HourStatement(START + 8 * HOUR_NS, None)]
    )
    writer.write([DayStatement(START, Users(9, exact=False), (("android", Users(4)),), too_few=True)])
    return at


def asked(
    at: AtHand, by: Period, first: str = "2026-01-01", last: str = "2026-12-31", *places: str
) -> Activity:
    answer = activity.HANDLERS[AskActivity](at, NOBODY, AskActivity(by, first, last, places))
    assert isinstance(answer, Activity)
    return answer


@pytest.mark.parametrize("packed", [False, True])
def test_a_day_as_the_page_gets_it(at: AtHand, packed: bool) -> None:
    if packed:
        assert archive.compact(at.home(), START + 3 * DAY_NS) == 1
    assert asked(at, Period.HOUR).periods == (
        PeriodTotals("2026-03-14T07:00:00Z", 7, 7, 730, 13, False),
        PeriodTotals("2026-03-14T08:00:00Z", None, None, 0, 0, True),
    )
    day = asked(at, Period.DAY)
    assert day.periods == (PeriodTotals("2026-03-14", 9, None, 730, 13, True),)
    assert day.uses == (Share("video", 700, 9, 5), Share("mail", 30, 4, 3))
    assert day.places == (Share("vlan 20", 700, 9, 5), Share("none", 30, 4, 3))
    assert day.systems == (SystemShare("android", 4, 4),)
    assert day.systems_too_few
    assert day.known == ("2026-03-14", "2026-03-14")
    assert asked(at, Period.WEEK).periods[0].start == "2026-03-09"
    assert asked(at, Period.MONTH).periods[0].start == "2026-03-01"
    assert asked(at, Period.DAY, "2026-01-01", "2026-12-31", "vlan 20").uses == (Share("video", 700, 9, 5),)
    assert asked(at, Period.DAY, "2026-03-15").periods == ()


@pytest.mark.parametrize(
    "days", [("2026-03-15", "2026-03-14"), ("today", "2026-03-14"), ("", ""), ("2026-3-1", "x")]
)
def test_days_that_cannot_be_meant_are_refused(at: AtHand, days: tuple[str, str]) -> None:
    with pytest.raises(UsageError):
        asked(at, Period.DAY, *days)


def test_nothing_is_known_of_a_new_box(tmp_path: Path) -> None:
    found = asked(AtHand(make_box(tmp_path, ["10.0.0.0/8"]).home), Period.MONTH)
    assert found == Activity(Period.MONTH, (), (), (), (), None)


def test_what_a_page_can_ask_for_at_most_is_an_answer_that_goes_through(tmp_path: Path) -> None:
    at = AtHand(make_box(tmp_path, ["10.0.0.0/8"]).home)
    year_of_statistics.fill(at.home(), DAY, days=60, access_points=5)
    found = asked(at, Period.HOUR, "0001-01-01", "9999-12-31")
    assert len(found.periods) == 60 * 24
    of_four_years = len(msgspec.json.encode(found)) * 4000 / 60  # keep_days is 4,000 at most
    assert of_four_years < ANSWER_LIMIT
