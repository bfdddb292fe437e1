"""Nobody who speaks as always is called silent; who falls silent is, in time."""

import random
from collections.abc import Iterator

import pytest

from appliance.feeds.rhythm import ALARM_AT, LONGEST_LOOK_NS, UNLEARNED_S, Rhythm
from appliance.model.instants import DAY_NS, HOUR_NS, MINUTE_NS, NS

MONDAY_NS = 1_790_553_600 * NS  # 2026-09-28T00:00:00Z
LOOK_NS = 30 * NS


def steady(every_s: float, days: int) -> Iterator[float]:
    at_s = 0.0
    while at_s < days * 86_400:
        yield at_s
        at_s += every_s


def jittered(every_s: float, days: int, seed: int) -> Iterator[float]:
    chance = random.Random(seed)
    at_s = 0.0
    while at_s < days * 86_400:
        yield at_s
        # One message in twenty is lost on the way.
        at_s += every_s * chance.uniform(0.8, 1.2) * (2 if chance.random() < 0.05 else 1)


def at_random(mean_s: float, days: int, seed: int) -> Iterator[float]:
    chance = random.Random(seed)
    at_s = 0.0
    while at_s < days * 86_400:
        yield at_s
        at_s += chance.expovariate(1 / mean_s)


def bursts(every_s: float, days: int, seed: int) -> Iterator[float]:
    chance = random.Random(seed)
    for start_s in at_random(every_s, days, seed):
        yield from (start_s + 0.2 * number for number in range(chance.randrange(1, 9)))


def hotel(days: int, seed: int) -> Iterator[float]:
    """Guests come down between six and eight, the last one leaves between eleven and two."""
    chance = random.Random(seed)
    for day in range(days):
        opens, closes = chance.uniform(6, 8) * 3600, chance.uniform(23, 26) * 3600
        at_s = opens
        while at_s < closes:
            yield day * 86_400 + at_s
            at_s += chance.expovariate(1 / 90)


def alarms(spoken: Iterator[float], rhythm: Rhythm, begin_ns: int = MONDAY_NS) -> list[float]:
    """Seconds since the beginning at which silence was called one, while these were heard."""
    found: list[float] = []
    looked_ns = begin_ns
    rhythm.look(looked_ns)
    for at_s in spoken:
        at_ns = begin_ns + round(at_s * NS)
        while looked_ns + LOOK_NS < at_ns:
            looked_ns += LOOK_NS
            before = rhythm.is_silent
            rhythm.look(looked_ns)
            if rhythm.is_silent and not before:
                found.append((looked_ns - begin_ns) / NS)
        rhythm.heard(at_ns)
    return found


def noticed_after_s(rhythm: Rhythm) -> float:
    """How long after its last word a silence that never ends is noticed."""
    now_ns = rhythm.last_ns
    while not rhythm.is_silent:
        now_ns += NS
        rhythm.look(now_ns)
        assert now_ns < rhythm.last_ns + 3 * DAY_NS
    return (now_ns - rhythm.last_ns) / NS


@pytest.mark.parametrize("every_s", [10, 30, 60, 300, 1800])
def test_a_steady_speaker_is_missed_within_three_pauses(every_s: int) -> None:
    rhythm = Rhythm()
    assert alarms(steady(every_s, 10), rhythm) == []
    assert max(30, every_s) < noticed_after_s(rhythm) <= 3 * max(30, every_s)


@pytest.mark.parametrize("seed", range(2))
def test_lost_messages_are_no_silence(seed: int) -> None:
    rhythm = Rhythm()
    assert alarms(jittered(60, 20, seed), rhythm) == []
    assert noticed_after_s(rhythm) <= 3 * 2.4 * 60


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("mean_s", [90, 600])
def test_who_speaks_at_random_is_not_called_silent(mean_s: int, seed: int) -> None:
    rhythm = Rhythm()
    assert alarms(at_random(mean_s, 20, seed), rhythm) == []
    longest_s = max(pause_s for days in rhythm.hours for _, pause_s in days)
    assert noticed_after_s(rhythm) <= 3 * longest_s


@pytest.mark.parametrize("seed", range(3))
def test_who_speaks_in_bursts_is_not_called_silent(seed: int) -> None:
    assert alarms(bursts(900, 20, seed), Rhythm()) == []


@pytest.mark.parametrize("seed", range(4))
def test_a_hotel_may_sleep(seed: int) -> None:
    assert alarms(hotel(28, seed), Rhythm()) == []


@pytest.mark.parametrize("seed", range(3))
def test_who_dies_in_the_afternoon_is_missed_in_the_afternoon(seed: int) -> None:
    rhythm = Rhythm()
    until_s = 20 * 86_400 + 15 * 3600
    spoken = (at_s for at_s in hotel(21, seed) if at_s < until_s)
    assert alarms(spoken, rhythm) == []
    usual_s = rhythm.usual_s(rhythm.last_ns)
    assert usual_s < 1200
    assert noticed_after_s(rhythm) <= 3 * usual_s


@pytest.mark.parametrize("seed", range(3))
def test_who_dies_in_the_night_is_missed_in_the_morning(seed: int) -> None:
    rhythm = Rhythm()
    assert alarms(hotel(20, seed), rhythm) == []
    missed_at = (rhythm.last_ns + noticed_after_s(rhythm) * NS - MONDAY_NS) / DAY_NS % 1 * 24
    assert 8 <= missed_at <= 11


def test_a_failure_does_not_make_the_next_one_usual() -> None:
    rhythm = Rhythm()
    broken = (at_s for at_s in steady(60, 20) if not 9.5 <= at_s / 86_400 <= 9.8)
    assert len(alarms(broken, rhythm)) == 1
    assert noticed_after_s(rhythm) <= 180


def test_until_an_hour_is_known_silence_is_believed_for_half_a_day() -> None:
    rhythm = Rhythm()
    assert alarms(steady(60, 2), rhythm) == []
    assert not rhythm.is_learned(rhythm.last_ns)
    assert abs(noticed_after_s(rhythm) - ALARM_AT * UNLEARNED_S) < 3


def test_who_never_spoke_is_missed_as_well() -> None:
    rhythm = Rhythm()
    for minute in range(13 * 60):
        rhythm.look(MONDAY_NS + minute * MINUTE_NS)
    assert rhythm.is_silent
    assert rhythm.last_ns == 0


def test_silence_while_nobody_listened_is_none() -> None:
    rhythm = Rhythm()
    alarms(steady(60, 10), rhythm)
    rhythm.look(rhythm.last_ns + 5 * HOUR_NS)  # the box was off
    assert (rhythm.is_silent, rhythm.silent_ns) == (False, 0)
    rhythm.look(rhythm.last_ns + HOUR_NS)  # its clock was set back
    rhythm.heard(rhythm.last_ns + 2 * HOUR_NS + LONGEST_LOOK_NS)
    assert max(pause_s for days in rhythm.hours for _, pause_s in days) == 60, "and is not learned as a pause"


def test_it_remembers_two_weeks() -> None:
    rhythm = Rhythm()
    alarms(steady(600, 40), rhythm)
    assert {len(days) for days in rhythm.hours} == {14}
