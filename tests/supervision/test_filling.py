"""When a disk is full: held against days that are gone through one by one."""

import datetime as dt
import random

from appliance.supervision.filling import NEVER_DAYS, filling

TODAY = dt.date(2026, 11, 22)
GB = 1 << 30


def days_back(count: int) -> list[dt.date]:
    return [TODAY - dt.timedelta(days=back) for back in range(count)]


def year_later(days: list[dt.date]) -> dict[dt.date, dt.date]:
    return {day: day + dt.timedelta(days=366) for day in days}


def test_a_new_box_cannot_say_yet() -> None:
    assert filling(GB, {}, {}, TODAY).days_left is None
    assert filling(GB, {TODAY: GB}, year_later([TODAY]), TODAY).days_left is None  # today is not over


def test_a_young_box_fills_at_the_pace_of_its_last_days() -> None:
    days = days_back(5)
    found = filling(100 * GB, dict.fromkeys(days, GB), year_later(days), TODAY)
    assert (found.days_left, found.is_enough) == (101, False)


def test_days_without_records_do_not_slow_its_pace() -> None:
    """A hotel that was closed fills again as it did."""
    days = [TODAY - dt.timedelta(days=1), TODAY - dt.timedelta(days=5)]
    assert filling(10 * GB, dict.fromkeys(days, GB), year_later(days), TODAY).days_left == 11


def test_a_box_whose_oldest_day_goes_as_a_new_one_comes_is_never_full() -> None:
    days = days_back(366)
    found = filling(2 * GB, dict.fromkeys(days, GB), year_later(days), TODAY)
    assert (found.days_left, found.is_enough) == (NEVER_DAYS, True)


def test_what_a_hold_keeps_makes_no_room() -> None:
    days = days_back(366)
    held = dict.fromkeys(days, TODAY + dt.timedelta(days=4000))
    assert filling(10 * GB, dict.fromkeys(days, GB), held, TODAY).days_left == 11


def test_it_agrees_with_counting_day_by_day() -> None:
    chance = random.Random(7)
    for _ in range(50):
        days = days_back(chance.randrange(8, 400))
        taken = {day: chance.randrange(1, 9) for day in days}
        goes = year_later(days)
        free = chance.randrange(0, 2500)
        pace = sum(taken[day] for day in days[1:8]) / 7
        full, room = None, float(free)
        for ahead in range(1, 800):
            day = TODAY + dt.timedelta(days=ahead)
            room += sum(size for old, size in taken.items() if goes[old] == day) - pace
            if day - dt.timedelta(days=366) > TODAY:  # what comes from today on goes a year later
                room += pace
            if room < 0:
                full = ahead
                break
        assert filling(free, taken, goes, TODAY).days_left == (full or NEVER_DAYS)
