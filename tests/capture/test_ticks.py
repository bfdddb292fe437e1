"""Ticks to nanoseconds against Python's integers, which have no end."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from appliance.capture.ticks import LAST_S, instants, ticks_per_s

S = 10**9


@given(
    resolution=st.integers(0, 255),
    ticks=st.integers(0, 2**64 - 1),
    offset_s=st.integers(-LAST_S, LAST_S),
)
def test_every_resolution_is_exact(resolution: int, ticks: int, offset_s: int) -> None:
    power = resolution & 0x7F
    rate = 2 ** min(power, 63) if resolution & 0x80 else 10 ** min(power, 18)
    assert ticks_per_s(resolution) == rate
    (found,) = instants(np.array([ticks], np.uint64), np.array([rate], np.uint64), np.array([offset_s]))
    whole = min(ticks // rate, LAST_S) + offset_s
    expected = min(whole, LAST_S) * S + ticks % rate * S // rate if whole >= 0 else 0
    assert found == expected
