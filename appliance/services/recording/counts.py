"""What one source has given so far: the counters that become coverage, status and the closing report."""

import dataclasses
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from appliance.feeds.told import Messages
from appliance.model.coverage import Coverage
from appliance.model.frames import Frames
from appliance.model.instants import HOUR_NS, NS
from appliance.runtime.recorder_state import Durable, InterfaceState
from appliance.wire.decode import Decoded

BACKWARD_STEP_NS = NS
"""A capture's clock may be a little out of order between queues; a whole second is a step."""

FORWARD_STEP_NS = HOUR_NS


@dataclass
class SourceCounts:
    """Counters of one source since its start; `coverage` gives what was added since the last seal.

    `kept_apart` counts messages that wait in memory for their sender to be declared.

    A `live` source runs with the wall clock: it says when it begins and ceases to listen, and its clock is
    watched apart from its frames.
    """

    name: str
    live: bool = False
    packets: int = 0
    bytes: int = 0
    records: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    refused: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    noted: Counter[str] = field(default_factory=Counter)
    measured: dict[str, int] = field(default_factory=dict)
    interface: InterfaceState | None = None
    durable: Durable = field(default_factory=lambda: Durable(0, 0))
    kept_apart: int = 0
    _latest_ns: int | None = None
    _sealed: "SourceCounts | None" = None
    _parts: list[Coverage] = field(default_factory=list)
    _listening_ns: int | None = None
    _stated_ns: int = 0

    def count(self, frames: Frames, decoded: Decoded) -> None:
        """Add one batch: what came, what was refused, and how its clock behaved."""
        if not len(frames):
            return
        earliest, latest = self._span(frames) if self.live else self._watch_clock(frames)
        self.first_ns = earliest if self.first_ns is None else min(self.first_ns, earliest)
        self.last_ns = latest if self.last_ns is None else max(self.last_ns, latest)
        self.packets += len(frames)
        self.bytes += sum(int(packets.octets.sum()) for packets in decoded.packets)
        for reason, count in decoded.refused.items():
            self.refused[reason.value] += count
        for note, count in decoded.noted.items():
            self.noted[note.value] += count

    def hear(self, messages: Messages) -> None:
        """Add messages of a feed: they are counted as packets, their own octets as bytes."""
        known = messages.received_ns[messages.received_ns > 0]  # of a plain file nobody knows when it came
        if len(known):
            earliest, latest = int(known.min()), int(known.max())
            self.first_ns = earliest if self.first_ns is None else min(self.first_ns, earliest)
            self.last_ns = latest if self.last_ns is None else max(self.last_ns, latest)
        self.packets += len(messages)
        self.bytes += sum(map(len, messages.payloads))

    def _watch_clock(self, frames: Frames) -> tuple[int, int]:
        """Note steps of the clock; returns the earliest and the latest instant of the batch."""
        first, last = int(frames.time[0]), int(frames.time[-1])
        since = first if self._latest_ns is None else self._latest_ns
        self._latest_ns = last
        steps = np.diff(frames.time)
        lowest, highest = int(steps.min(initial=first - since)), int(steps.max(initial=first - since))
        if lowest < -BACKWARD_STEP_NS:
            count = np.count_nonzero(steps < -BACKWARD_STEP_NS) + (first - since < -BACKWARD_STEP_NS)
            self.noted["clock_stepped_back"] += int(count)
        if highest > FORWARD_STEP_NS:
            count = np.count_nonzero(steps > FORWARD_STEP_NS) + (first - since > FORWARD_STEP_NS)
            self.noted["clock_stepped_forward"] += int(count)
        return self._span(frames)

    def _span(self, frames: Frames) -> tuple[int, int]:
        return int(frames.time.min()), int(frames.time.max())

    def listen(self, now_ns: int) -> None:
        """A live source begins to listen, or is back: what passes from now on is seen."""
        if self._listening_ns is None:
            self._listening_ns = now_ns

    def heard_since(self, first_ns: int) -> None:
        """Messages were kept for this source since then, and are recorded: it has been listened to since."""
        if self._listening_ns is not None:
            self._listening_ns = min(self._listening_ns, first_ns)

    def cease(self, now_ns: int) -> None:
        """A live source can see nothing from now on; until `listen` there is a gap."""
        if self._listening_ns is not None:
            self._parts.append(self._part(self._listening_ns, now_ns))
            self._sealed = self._snapshot()
            self._listening_ns = None

    def measure(self, what: str, value: int) -> None:
        """Keep the worst value of the period; what is always 0 is not worth a word."""
        if value:
            self.measured[what] = max(value, self.measured.get(what, 0))

    def spells(self, now_ns: int) -> list[tuple[int, int]]:
        """The periods of a live source that are not sealed yet."""
        ended = [(part.first_ns, part.last_ns) for part in self._parts]
        if self._listening_ns is None:
            return ended
        return [*ended, (min(self._listening_ns, now_ns), now_ns)]

    def coverage(self, now_ns: int) -> list[Coverage]:
        """The statements for the time since `sealed` was last called; none if nothing happened in it.

        A live source states every period in which it listened, an empty one too. A file that gave no frame
        at all is stated at `now_ns`.
        """
        self._stated_ns = now_ns
        open_ns = self._listening_ns
        if open_ns is not None:
            return [*self._parts, self._part(open_ns, now_ns)]
        before = self._sealed or SourceCounts(self.name)
        part = self._part(now_ns, now_ns)
        if not (part.packets or part.refused or part.lost or part.noted):
            return list(self._parts)
        if not self.live and self.first_ns is not None and self.last_ns is not None:
            first_ns = self.first_ns if before.last_ns is None else min(before.last_ns, self.last_ns)
            part = dataclasses.replace(part, first_ns=first_ns, last_ns=self.last_ns)
        return [*self._parts, part]

    def sealed(self) -> None:
        """Begin a new period: what `coverage` last stated stands in a seal."""
        self._sealed = self._snapshot()
        self._parts.clear()
        if self._listening_ns is not None:
            self._listening_ns = self._stated_ns

    def kept(self, at_ns: int, packets_but: int = 0, bytes_but: int = 0) -> None:
        """Everything counted until now is on disk, at this instant of the wall clock, but so many packets."""
        packets, octets = self.packets - packets_but, self.bytes - bytes_but
        self.durable = Durable(at_ns, at_ns, packets, octets, self.last_ns, self.lost["storage"])

    def refused_at(self, at_ns: int) -> None:
        """The disk was asked and refused: what came since it last accepted is still in memory only."""
        self.durable = dataclasses.replace(self.durable, asked_ns=at_ns)

    def _part(self, first_ns: int, last_ns: int) -> Coverage:
        """What was counted since the last snapshot."""
        before = self._sealed or SourceCounts(self.name)
        return Coverage(
            self.name,
            min(first_ns, last_ns),
            last_ns,
            self.packets - before.packets,
            self.bytes - before.bytes,
            dict(self.refused - before.refused),
            dict(self.lost - before.lost),
            dict(self.noted - before.noted),
            dict(self.measured),
        )

    def _snapshot(self) -> "SourceCounts":
        """The counts as they are; what is measured is measured anew."""
        self.measured = {}
        return SourceCounts(
            self.name, self.live, self.packets, self.bytes, self.records, self.first_ns, self.last_ns,
            self.refused.copy(), self.lost.copy(), self.noted.copy(),
        )  # fmt: skip
