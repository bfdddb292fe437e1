"""The buckets of tries: never more than their pace allows, whatever the order of tries."""

from hypothesis import given
from hypothesis import strategies as st

from webui.accounts.throttle import PLACES, Pace, Throttle

S = 1_000_000_000


def taken(throttle: Throttle, key: str, pace: Pace, now_ns: int) -> bool:
    if throttle.wait_ns(key, pace, now_ns):
        return False
    throttle.take(key, pace, now_ns)
    return True


@given(
    tries=st.integers(1, 20),
    refill_s=st.integers(1, 600),
    pauses=st.lists(st.floats(0, 2_000), min_size=1, max_size=200),
)
def test_never_more_than_the_pace_in_any_window(tries: int, refill_s: int, pauses: list[float]) -> None:
    throttle, pace = Throttle(), Pace(tries, refill_s)
    now_ns, instants = 1_700_000_000 * S, []
    for pause in pauses:
        now_ns += round(pause * S)
        if taken(throttle, "who", pace, now_ns):
            instants.append(now_ns)
    for first in range(len(instants)):
        for last in range(first, len(instants)):
            passed_s = (instants[last] - instants[first]) / S
            assert last - first + 1 <= tries + passed_s / refill_s + 1e-6


def test_it_says_how_long_to_wait_to_the_nanosecond() -> None:
    throttle, pace = Throttle(), Pace(2, 10)
    assert taken(throttle, "a", pace, 0)
    assert taken(throttle, "a", pace, 0)
    wait_ns = throttle.wait_ns("a", pace, 0)
    assert wait_ns == 10 * S
    assert not taken(throttle, "a", pace, wait_ns - 1)
    assert taken(throttle, "a", pace, wait_ns)
    assert taken(throttle, "b", pace, 0), "another's bucket is its own"


def test_what_was_right_does_not_count() -> None:
    throttle, pace = Throttle(), Pace(1, 60)
    for _ in range(10):
        assert taken(throttle, "a", pace, S)
        throttle.give_back("a", pace)


def test_memory_is_bounded() -> None:
    throttle = Throttle()
    for number in range(PLACES + 500):
        throttle.take(str(number), Pace(1, 60), 0)
    assert len(throttle._full_at) == PLACES
