"""Silence: which levels are due, and when it is over."""

from appliance.central import silence
from appliance.central.silence import Silence

MINUTE, HOUR = 60 * 10**9, 3600 * 10**9
LEVELS = (15, 60, 1440)
HEARD = 1_800_000_000 * 10**9


def due(after_ns: int, **known: int) -> list[int]:
    return [one.minutes for one in silence.due(HEARD, HEARD + after_ns, LEVELS, **known)]


def test_each_level_is_due_from_its_very_instant_on() -> None:
    assert due(15 * MINUTE - 1) == []
    assert due(15 * MINUTE) == [15]
    assert due(HOUR - 1) == [15]
    assert due(HOUR) == [15, 60]
    assert due(24 * HOUR - 1) == [15, 60]
    assert due(24 * HOUR) == [15, 60, 1440]
    assert due(400 * 24 * HOUR) == [15, 60, 1440]


def test_a_silence_counts_from_the_last_word() -> None:
    assert silence.due(HEARD, HEARD + HOUR, (60,)) == [Silence(HEARD, 60)]
    assert silence.level(HEARD, HEARD + 3 * HOUR, LEVELS) == 60
    assert silence.level(HEARD, HEARD + MINUTE, LEVELS) == 0


def test_a_word_from_the_future_is_no_silence() -> None:
    assert due(-HOUR) == []
    assert due(-48 * HOUR) == []


def test_levels_in_any_order_and_twice_are_told_once_each() -> None:
    assert [one.minutes for one in silence.due(HEARD, HEARD + 24 * HOUR, (1440, 15, 15))] == [15, 1440]
    assert silence.due(HEARD, HEARD + HOUR, ()) == []


def test_a_central_that_was_away_gives_its_sites_time_to_come_back() -> None:
    back = HEARD + 10 * HOUR
    assert due(10 * HOUR + 15 * MINUTE - 1, listening_since_ns=back) == []
    assert due(10 * HOUR + 15 * MINUTE, listening_since_ns=back) == [15, 60]
    assert due(15 * MINUTE, listening_since_ns=HEARD - HOUR) == [15]


def test_it_is_over_when_something_came_after_its_beginning() -> None:
    assert not silence.has_ended(HEARD, HEARD)
    assert silence.has_ended(HEARD, HEARD + 1)
