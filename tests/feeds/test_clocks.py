"""When a device's clock is believed, to the nanosecond."""

import numpy as np
import pytest

from appliance.feeds.clocks import believed, is_believed

NS = 10**9
RECEIVED = 1_790_000_000 * NS
Y2000 = 946_684_800 * NS


@pytest.mark.parametrize(
    ("device", "received", "expected"),
    [
        (RECEIVED, RECEIVED, True),
        (RECEIVED + 300 * NS, RECEIVED, True),
        (RECEIVED + 300 * NS + 1, RECEIVED, False),
        (RECEIVED - 30 * 86400 * NS, RECEIVED, True),
        (RECEIVED - 30 * 86400 * NS - 1, RECEIVED, False),
        (0, RECEIVED, False),
        (Y2000 - 1, Y2000 + 1, False),
        (Y2000, Y2000 + 1, True),
        (0, 0, True),
        (4_000_000_000 * NS, 0, True),
        (-(2**62), RECEIVED, False),
    ],
)
def test_believed(device: int, received: int, expected: bool) -> None:
    assert believed(np.array([device]), np.array([received])).tolist() == [expected]
    assert believed(np.array([device, device]), received).tolist() == [expected] * 2
    assert is_believed(device, received) is expected
