import pytest

from appliance.replication import backoff


def test_bounds_double_up_to_five_minutes() -> None:
    bounds = [backoff.wait_s(failures, 1.0) for failures in range(1, 12)]
    assert bounds == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]


def test_jitter_is_full() -> None:
    assert backoff.wait_s(9, 0.0) == 0
    assert backoff.wait_s(9, 0.5) == 150


def test_years_of_failures_are_no_overflow() -> None:
    assert backoff.wait_s(10**9, 1.0) == backoff.LONGEST_S


def test_what_central_asks_for_is_waited_and_spread() -> None:
    assert backoff.wait_s(1, 0.0, 30.0) == 30
    assert backoff.wait_s(3, 0.5, 30.0) == 34


@pytest.mark.parametrize("asked", [10.0**9, float("inf")])
def test_no_answer_silences_a_box(asked: float) -> None:
    assert backoff.wait_s(1, 0.0, asked) == 900


def test_a_negative_wish_is_none() -> None:
    assert backoff.wait_s(1, 0.5, -5.0) == 1


@pytest.mark.parametrize(("failures", "chance"), [(0, 0.5), (1, 1.1), (1, -0.1)])
def test_nonsense_is_refused(failures: int, chance: float) -> None:
    with pytest.raises(ValueError, match="chance lies between"):
        backoff.wait_s(failures, chance)
