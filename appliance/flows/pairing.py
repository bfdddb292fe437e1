"""What devices state of flows, to traffic rows: the client's side first, both directions in one row."""

import numpy as np
from numpy.typing import NDArray

from appliance.flows.sides import BACK, Halves, Mask, Rows, rows_of, sides
from appliance.model.networks import Networks
from appliance.model.reasons import EndReason
from appliance.model.rows import FED_TRAFFIC


class Pairing:
    """Flows of all feeds that wait for their other direction."""

    def __init__(self, networks: Networks, limit: int) -> None:
        self.evicted = 0
        self._networks = networks
        self._limit = limit

    def __len__(self) -> int:
        return 0

    @property
    def waiting(self) -> tuple[int, int]:
        """Nothing that was taken is in no row."""
        return 0, 0

    def oriented(self, stated: Rows, source: int) -> Rows:
        """(n,) FED_TRAFFIC rows, one of each STATED row, that wait for nothing."""
        halves = sides(stated, source, self._networks)
        return _told(halves, began_far(halves))

    def add(self, stated: Rows, source: int, now_ns: int) -> Rows:
        """Take STATED rows of a source; the FED_TRAFFIC rows that are complete by `now_ns`."""
        return self.oriented(stated, source)

    def expire(self, now_ns: int) -> Rows:
        """Rows of what waited in vain until `now_ns`."""
        return np.empty(0, FED_TRAFFIC)

    def cut(self) -> Rows:
        """A row of everything that waits."""
        return np.empty(0, FED_TRAFFIC)

    def finish(self) -> Rows:
        """A row of everything that waits: nothing will come any more."""
        return np.empty(0, FED_TRAFFIC)

    def changed(self) -> Rows:
        """Rows, with end_reason 0, of what waits and was not told yet."""
        return np.empty(0, FED_TRAFFIC)

    def forget_reported(self) -> None:
        """Let the next `changed` tell everything that waits."""

    def texts(self) -> NDArray[np.uint32]:
        """Traffic rows name no texts."""
        return np.empty(0, np.uint32)


def began_far(halves: Halves) -> Mask:
    """(n,) the far side is the client, as far as one flow tells: a service has the lower port."""
    near, far = halves.ports
    by_source = (halves["way"] == BACK) | halves["called"]
    by_port = np.where(near == far, by_source, near < far)
    said = np.where(halves["way"] > BACK, halves["called"], by_port)
    return np.asarray(halves.undecided & said)


def _told(halves: Halves, swapped: Mask) -> Rows:
    rows = rows_of(halves, swapped)
    rows["end_reason"][rows["end_reason"] == 0] = EndReason.ACTIVE_TIMEOUT
    return rows
