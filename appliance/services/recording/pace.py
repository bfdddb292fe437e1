"""How much moves: rates over the last seconds, out of counters that only grow."""

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True)
class Rates:
    """Averages over the window; None until it has two looks."""

    packets_per_s: float | None = None
    bits_per_s: float | None = None


class Pace:
    """Rates over `window_s`. Call `look` about once a second."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._looks: deque[tuple[float, int, int]] = deque()
        self.rates = Rates()

    def look(self, moment: float, packets: int, octets: int) -> None:
        """How far the counters are at a moment (monotonic seconds)."""
        self._looks.append((moment, packets, octets))
        while len(self._looks) > 2 and self._looks[1][0] <= moment - self._window_s:
            self._looks.popleft()
        first, packets_before, octets_before = self._looks[0]
        if moment > first:
            packets_per_s = (packets - packets_before) / (moment - first)
            self.rates = Rates(packets_per_s, 8 * (octets - octets_before) / (moment - first))
