"""How fast bytes may leave the box, so that its clients do not notice. Pure: given instants, says waits.

A `Line` is the way out that all centrals of a box share: it holds the rate of them together, which is the
smaller of a share of the measured uplink and a ceiling, never below a floor. A `Pace` is the conversation
with one central: it falls back as soon as packets begin to queue on the way, as LEDBAT does (RFC 6817), and
recovers after. Rates are bytes a second as they count on the wire, headers included; decision 073 gives the
reasons.
"""

import math
import statistics
from collections import deque
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

KBIT = 125.0
"""Bytes a second in a kbit/s."""

TARGET_US = 50_000
"""Delay above the least known that counts as a queue. RFC 6817 allows 100 ms; below 40 ms a receiver's
delayed acknowledgement looks like one (Linux delays by 40 ms)."""

BASE_MINUTES = 30
"""Of so many minutes the least delay is the line's own. RFC 6817 takes 10; a café is full for longer than
that."""

RECOVERY_S = 8.0
"""From the floor to the full rate, if nothing queues."""

REACTION_S = 0.25
"""Between two halvings, or two round trips: an effect must be able to show before the next."""

LATE_S = 0.02
"""What a wait that took too long left unused may be made up for, so much of it."""

AT_WORK_S = 10.0
"""Who has sent nothing for so long leaves his part of the floor to the others."""

CHUNK_S = 0.05
CHUNK_LEAST, CHUNK_MOST = 2_800, 1 << 16
"""What leaves at once: 50 ms of the rate, but two full packets, which a receiver acknowledges without
delay."""

TRAIN_LEAST, TRAIN_MOST, TRAIN_S = 24 << 10, 64 << 10, 0.1
"""What leaves unpaced to measure the uplink: 100 ms of it, within bounds."""

TRAIN_LEAD, TRAIN_SPAN = 8 << 10, 8 << 10
"""The first of a train is not counted: a shaper lets a little through at once. Less than so much after it
tells nothing: a receiver acknowledges every second packet, or later."""

TRAINS = 5
"""The uplink is the median of so many trains: one alone may have met somebody else's, or a shaper's burst."""

CAUTION = 0.9
"""So much of what trains show is believed: shapers, and the timing of acknowledgements, flatter."""

TRAIN_EVERY_S, FIRST_TRAINS_EVERY_S = 600.0, 10.0
"""Between two trains, and between the first TRAINS of them."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes a second. `fixed` is followed whatever the line does; math.inf: as fast as it goes."""

    fixed: float | None = None
    share: float = 0.2
    ceiling: float = 2_000 * KBIT
    floor: float = 256 * KBIT


class Line:
    """The box's uplink. Where several threads use it, `guard` keeps them apart."""

    def __init__(self, limits: Limits, guard: AbstractContextManager[object] | None = None) -> None:
        self.limits = limits
        self._guard = guard if guard is not None else nullcontext()
        self._trains: deque[float] = deque(maxlen=TRAINS)
        self._train_at_s = -math.inf
        self._free_at_s = -math.inf
        self._used_at_s: dict[int, float] = {}

    @property
    def uplink(self) -> float | None:
        """Bytes a second as measured, with caution; None as long as nothing was."""
        return CAUTION * statistics.median_low(self._trains) if self._trains else None

    @property
    def rate(self) -> float:
        """What all centrals together may have; the floor as long as the uplink is not known."""
        limits = self.limits
        if limits.fixed is not None:
            return limits.fixed
        return max(limits.floor, min(limits.ceiling, limits.share * (self.uplink or 0.0)))

    def floor_each(self, now_s: float) -> float:
        """What each pace that is at work now is left, whatever happens: together they have the floor."""
        with self._guard:
            self._used_at_s = {who: at_s for who, at_s in self._used_at_s.items() if now_s - at_s < AT_WORK_S}
            return self.limits.floor / max(1, len(self._used_at_s))

    def reserve(self, now_s: float, size_bytes: int, who: object = None) -> float:
        """Take room for so many bytes of a pace; how many seconds later they may leave."""
        with self._guard:
            self._used_at_s[id(who)] = now_s
            begins_s = max(self._free_at_s, now_s - LATE_S)
            self._free_at_s = begins_s + size_bytes / self.rate
            return max(0.0, begins_s - now_s)

    def train_bytes(self, now_s: float) -> int:
        """How long a train is due now, 0 if none; asking takes it."""
        with self._guard:
            known = len(self._trains) == TRAINS
            every_s = TRAIN_EVERY_S if known else FIRST_TRAINS_EVERY_S
            if self.limits.fixed is not None or now_s < self._train_at_s + every_s:
                return 0
            self._train_at_s = now_s
            return round(min(TRAIN_MOST, max(TRAIN_LEAST, (self.uplink or math.inf) * TRAIN_S)))

    def measured(self, now_s: float, size_bytes: int, rate: float | None) -> None:
        """A train of so many bytes is through, and is paid for now, at the rate that it showed."""
        with self._guard:
            if rate is not None:
                self._trains.append(rate)
            self._free_at_s = max(self._free_at_s, now_s) + size_bytes / self.rate


class Pace:
    """One central's part of a line. Kept over connections: what is known of the delay stays known."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self._allowed = self._floor = line.limits.floor
        self._least: deque[tuple[int, int]] = deque(maxlen=BASE_MINUTES)
        self._retransmitted = 0
        self._sampled_at_s = self._fell_at_s = self._free_at_s = -math.inf

    @property
    def rate(self) -> float:
        """What may leave for this central now."""
        if self.line.limits.fixed is not None:
            return self.line.rate
        return min(max(self._allowed, self._floor), self.line.rate)

    @property
    def chunk_bytes(self) -> int:
        """What may leave at once."""
        return round(min(CHUNK_MOST, max(CHUNK_LEAST, self.rate * CHUNK_S)))

    def wait_s(self, now_s: float, size_bytes: int) -> float:
        """Take room for so many bytes; how many seconds later they may leave."""
        if math.isinf(self.rate):
            return 0.0
        begins_s = max(self._free_at_s, now_s - LATE_S)
        self._free_at_s = begins_s + size_bytes / self.rate
        waits_s = max(0.0, begins_s - now_s, self.line.reserve(now_s, size_bytes, self))
        self._floor = self.line.floor_each(now_s)
        return waits_s

    def sampled(self, now_s: float, rtt_us: int, retransmitted: int) -> None:
        """Take what the kernel says of a connection: its delay, and how many segments it sent again."""
        if rtt_us <= 0 or self.line.limits.fixed is not None:
            return
        queue_us = rtt_us - self._base(now_s, rtt_us)
        lost = retransmitted > self._retransmitted
        self._retransmitted = retransmitted
        since_s = min(now_s - self._sampled_at_s, 1.0)
        self._sampled_at_s = now_s
        if queue_us > TARGET_US or lost:
            if now_s - self._fell_at_s >= max(REACTION_S, 2e-6 * rtt_us):
                self._fell_at_s = now_s
                self._allowed = max(self._floor, self.rate / 2)
        else:
            step = self.line.rate * since_s / RECOVERY_S * (1 - queue_us / TARGET_US)
            self._allowed = max(self._floor, min(self.line.rate, self._allowed + step))

    def _base(self, now_s: float, rtt_us: int) -> int:
        """The least delay of the last BASE_MINUTES."""
        minute = int(now_s // 60)
        if self._least and self._least[-1][0] == minute:
            rtt_us = min(rtt_us, self._least.pop()[1])
        self._least.append((minute, rtt_us))
        while self._least[0][0] <= minute - BASE_MINUTES:
            self._least.popleft()
        return min(least for _, least in self._least)


def bottleneck(acknowledged: Sequence[tuple[float, int]]) -> float | None:
    """Bytes a second through the narrowest place, from a train's (instant, bytes acknowledged by then).

    The steepest span that holds half of what was acknowledged: what lies between packets at the narrow place
    still lies between their acknowledgements, while the time of the way and what a window kept back do not
    count. None if too little was acknowledged, or all at once.
    """
    start = acknowledged[0][1] if acknowledged else 0
    acknowledged = [(at_s, by_then) for at_s, by_then in acknowledged if by_then >= start + TRAIN_LEAD]
    if len(acknowledged) < 3:
        return None
    span = max(TRAIN_SPAN, (acknowledged[-1][1] - acknowledged[0][1]) / 2)
    best = 0.0
    for index, (since_s, before) in enumerate(acknowledged):
        for until_s, after in acknowledged[index + 1 :]:
            if after - before >= span and until_s > since_s:
                best = max(best, (after - before) / (until_s - since_s))
    return best or None


def wire_bytes(size_bytes: int) -> int:
    """What so many bytes of content come to on the wire: 22 a TLS record of 16 KiB, 86 a packet of 1,400.

    86 are Ethernet (14), IPv6 (40) and TCP with timestamps (32); smaller for IPv4, never larger.
    """
    return size_bytes + 22 * math.ceil(size_bytes / (16 << 10)) + 86 * math.ceil(size_bytes / 1_400)


def is_within(hours: tuple[int, int] | None, minute: int) -> bool:
    """Whether a minute of the site's day lies in [first, last), which may go over midnight."""
    if hours is None:
        return True
    first, last = hours
    return first <= minute < last if first <= last else not last <= minute < first
