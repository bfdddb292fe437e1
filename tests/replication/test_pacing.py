"""Waits and rates as they follow from instants: no clock, no socket, no line."""

import math
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.replication import pacing
from appliance.replication.pacing import KBIT, Limits, Line, Pace

MBIT = 1_000 * KBIT
BASE_US = 20_000


def _known(uplink: float, **limits: float) -> Line:
    """A line whose uplink has been measured, nothing of it to be paid any more."""
    line = Line(Limits(**limits))
    line.measured(-1_000.0, 0, uplink / pacing.CAUTION)
    return line


def _send(pace: Pace, begin_s: float, seconds: float, rtt_us: int = BASE_US) -> int:
    """Send as much as the pace lets through; how many bytes that was."""
    now_s, sent = begin_s, 0
    while True:
        size = pace.chunk_bytes
        now_s += pace.wait_s(now_s, size)
        if now_s >= begin_s + seconds:
            return sent
        sent += size
        pace.sampled(now_s, rtt_us, 0)


@pytest.mark.parametrize(
    ("uplink", "rate"),
    [
        (100 * MBIT, 2 * MBIT),  # the ceiling
        (10 * MBIT, 2 * MBIT),  # both
        (5 * MBIT, 1 * MBIT),  # a fifth
        (1 * MBIT, 256 * KBIT),  # the floor
        (0.1 * MBIT, 256 * KBIT),
    ],
)
def test_the_rate_is_the_smaller_of_a_fifth_and_two_megabits_and_never_below_the_floor(
    uplink: float, rate: float
) -> None:
    assert _known(uplink).rate == pytest.approx(rate)


def test_an_uplink_that_nobody_measured_is_taken_for_a_poor_one() -> None:
    assert Line(Limits()).rate == 256 * KBIT


def test_one_wrong_measurement_does_not_count() -> None:
    line = Line(Limits())
    for measured in (4 * MBIT, 90 * MBIT, 4 * MBIT, 1 * MBIT, 4 * MBIT):
        line.measured(0.0, 0, measured)
    assert line.uplink == 0.9 * 4 * MBIT
    for _ in range(3):  # and a line that was changed is known after three more
        line.measured(0.0, 0, 20 * MBIT)
    assert line.uplink == 0.9 * 20 * MBIT


@given(st.lists(st.integers(1, 70_000), min_size=1, max_size=200), st.integers(8, 100_000))
def test_over_any_time_no_more_leaves_than_the_rate_and_one_chunk(sizes: list[int], kbit: int) -> None:
    rate = kbit * KBIT
    pace = Pace(Line(Limits(fixed=rate)))
    now_s, sent = 0.0, 0
    for size in sizes:
        now_s += pace.wait_s(now_s, size)
        assert sent <= rate * (now_s + pacing.LATE_S) * (1 + 1e-9)
        sent += size


def test_two_centrals_share_one_line() -> None:
    line = Line(Limits(fixed=1 * MBIT), threading.Lock())
    one, other = Pace(line), Pace(line)
    sent, ready = 0, [0.0, 0.0]
    while min(ready) < 10:
        turn = ready.index(min(ready))
        pace, now_s = (one, other)[turn], ready[turn]
        ready[turn] = now_s + pace.wait_s(now_s, 5_000)
        sent += 5_000
    assert sent == pytest.approx(10 * MBIT, rel=0.02)


def test_the_floor_is_that_of_the_line_however_many_centrals_it_serves() -> None:
    """Two centrals, each over two connections, on a line that guests have filled."""
    line = _known(100 * MBIT)
    paces = [Pace(line) for _ in range(4)]
    sent, ready, begun_s = 0, [0.0] * 4, 10.0
    while min(ready) < begun_s + 20:
        turn = ready.index(min(ready))
        pace, now_s = paces[turn], ready[turn]
        size = pace.chunk_bytes
        ready[turn] = now_s + pace.wait_s(now_s, size)
        pace.sampled(ready[turn], BASE_US + (300_000 if now_s > 5 else 0), 0)
        sent += size if now_s >= begun_s else 0
    assert sent == pytest.approx(20 * 256 * KBIT, rel=0.1)
    assert _send(paces[0], 60.0, 20.0, BASE_US + 300_000) == pytest.approx(20 * 256 * KBIT, rel=0.1)


def test_unlimited_waits_for_nothing() -> None:
    pace = Pace(Line(Limits(fixed=math.inf)))
    assert [pace.wait_s(0.0, 1 << 30) for _ in range(3)] == [0, 0, 0]


def test_a_fixed_rate_is_kept_whatever_the_delay_is() -> None:
    line = Line(Limits(fixed=1 * MBIT))
    pace = Pace(line)
    for second in range(20):
        pace.sampled(second, 500_000 if second else BASE_US, second)
    assert pace.rate == 1 * MBIT
    assert line.train_bytes(10_000.0) == 0  # and measures nothing


def test_a_queue_halves_the_rate_down_to_the_floor_and_an_empty_line_brings_it_back() -> None:
    pace = Pace(_known(100 * MBIT))
    _send(pace, 0.0, 20.0)
    assert pace.rate == 2 * MBIT
    pace.sampled(20.0, BASE_US + pacing.TARGET_US + 1, 0)
    assert pace.rate == 1 * MBIT
    pace.sampled(20.1, BASE_US + pacing.TARGET_US + 1, 0)  # too soon: the first has had no effect yet
    assert pace.rate == 1 * MBIT
    sent = _send(pace, 20.5, 10.0, rtt_us=BASE_US + 200_000)
    assert pace.rate == 256 * KBIT
    assert sent == pytest.approx(10 * 256 * KBIT, rel=0.2)
    _send(pace, 31.0, pacing.RECOVERY_S + 1)
    assert pace.rate == 2 * MBIT


def test_it_gives_way_within_a_second_and_a_half() -> None:
    pace = Pace(_known(100 * MBIT))
    _send(pace, 0.0, 20.0)
    _send(pace, 20.0, 1.5, rtt_us=BASE_US + 300_000)
    assert pace.rate == 256 * KBIT


def test_a_small_queue_is_borne_and_a_loss_is_a_queue() -> None:
    pace = Pace(_known(100 * MBIT))
    _send(pace, 0.0, 20.0)
    _send(pace, 20.0, 5.0, rtt_us=BASE_US + pacing.TARGET_US - 1)
    assert pace.rate == 2 * MBIT
    pace.sampled(26.0, BASE_US, 1)
    assert pace.rate == 1 * MBIT
    pace.sampled(27.0, BASE_US, 1)  # the same loss is no new one
    assert pace.rate > 1 * MBIT
    pace.sampled(28.0, BASE_US, 0)  # a new connection counts from zero
    assert pace.rate > 1.2 * MBIT


def test_a_way_that_has_become_longer_is_accepted_after_half_an_hour() -> None:
    pace = Pace(_known(100 * MBIT))
    _send(pace, 0.0, 20.0)
    for minute in range(1, 30):
        pace.sampled(minute * 60.0, 150_000, 0)
    assert pace.rate == 256 * KBIT
    for minute in range(30, 40):
        pace.sampled(minute * 60.0, 150_000, 0)
    assert pace.rate > 256 * KBIT


def test_trains_are_rare_once_the_line_is_known() -> None:
    line = Line(Limits())
    begun = []
    for second in range(0, 3_600, 5):
        if size := line.train_bytes(second):
            begun.append(second)
            line.measured(second, size, 1 * MBIT)
    assert begun == [0, 10, 20, 30, 40, *range(640, 3_600, 600)]


@pytest.mark.parametrize(
    ("uplink", "size"), [(1 * MBIT, 24 << 10), (4 * MBIT, 50_000), (99 * MBIT, 64 << 10)]
)
def test_a_train_is_as_long_as_the_line_bears(uplink: float, size: int) -> None:
    assert _known(uplink).train_bytes(0.0) == size


def _train(rate: float, rtt_s: float, burst: int = 0, size: int = 64 << 10) -> list[tuple[float, int]]:
    """Acknowledgements of every second packet through a narrow place that lets a burst through at once."""
    return [(0.0, 1_000)] + [
        (rtt_s + max(0, arrived - burst) / rate + arrived / (1_000 * MBIT), 1_000 + arrived)
        for arrived in range(2_896, size, 2_896)
    ]


@pytest.mark.parametrize("rtt_s", [0.001, 0.03, 0.3])
@pytest.mark.parametrize("rate", [0.5 * MBIT, 10 * MBIT, 100 * MBIT])
def test_a_train_tells_the_narrowest_place_however_long_the_way_is(rate: float, rtt_s: float) -> None:
    assert pacing.bottleneck(_train(rate, rtt_s)) == pytest.approx(rate, rel=0.12)


def test_what_a_shaper_lets_through_at_once_does_not_count() -> None:
    assert pacing.bottleneck(_train(4 * MBIT, 0.03, burst=8_000)) == pytest.approx(4 * MBIT, rel=0.1)


@pytest.mark.parametrize(
    "acknowledged",
    [[], [(0.0, 0)], [(0.0, 0), (0.1, 65_536)], [(0.0, 0), (0.1, 9_000), (0.2, 9_100), (0.3, 9_200)]],
)
def test_too_little_tells_nothing(acknowledged: list[tuple[float, int]]) -> None:
    assert pacing.bottleneck(acknowledged) is None


@pytest.mark.parametrize(
    ("hours", "inside", "outside"),
    [
        (None, (0, 720, 1_439), ()),
        ((60, 360), (60, 359), (59, 360, 0)),
        ((1_320, 420), (1_320, 1_439, 0, 419), (420, 1_319)),
    ],
)
def test_hours_may_go_over_midnight(
    hours: tuple[int, int] | None, inside: tuple[int, ...], outside: tuple[int, ...]
) -> None:
    assert all(pacing.is_within(hours, minute) for minute in inside)
    assert not any(pacing.is_within(hours, minute) for minute in outside)
