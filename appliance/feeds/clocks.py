"""When a device's own clock is believed: one rule for every feed.

A device without a battery wakes in 1970 or in the year its firmware was made, and tells nonsense until it has
found the time. What it states then is put at the instant of its receipt.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from appliance.model.instants import DAY_NS, NS

Instants = NDArray[np.int64]

NOT_KNOWN = 0
"""The receipt of what was read from a plain file: nobody knows when it came."""

EARLIEST_NS = 946_684_800 * NS
"""2000-01-01T00:00:00Z: before any device that speaks these protocols today was made."""

AHEAD_NS = 300 * NS
"""How far a device's clock may run ahead of the box's: what Kerberos tolerates (RFC 4120 section 8.2)."""

BEHIND_NS = 30 * DAY_NS
"""How old news may be: buffers and long connections reach back days, a year-old instant is a wrong clock."""


def believed(device_ns: Instants, received_ns: Instants | int) -> NDArray[np.bool_]:
    """(n,) whether each device instant can be meant, given when its message came: (n,) or one for all.

    True from 2000 on, within [receipt - 30 days, receipt + 5 min]; always where the receipt is NOT_KNOWN.
    """
    received: NDArray[Any] = np.asarray(received_ns, np.int64)
    near = (device_ns >= np.maximum(received - BEHIND_NS, EARLIEST_NS)) & (device_ns <= received + AHEAD_NS)
    either: NDArray[np.bool_] = near | (received == NOT_KNOWN)
    return either


def is_believed(device_ns: int, received_ns: int) -> bool:
    """`believed` of one instant, of any size."""
    if received_ns == NOT_KNOWN:
        return True
    return max(received_ns - BEHIND_NS, EARLIEST_NS) <= device_ns <= received_ns + AHEAD_NS
