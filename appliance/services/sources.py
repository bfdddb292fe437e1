"""What one source has given so far: the counters that become coverage, status and the closing report."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from appliance.model.coverage import Coverage
from appliance.model.frames import Frames
from appliance.model.instants import HOUR_NS, NS
from appliance.wire.decode import Decoded

BACKWARD_STEP_NS = NS
"""A capture's clock may be a little out of order between queues; a whole second is a step."""

FORWARD_STEP_NS = HOUR_NS


@dataclass
class SourceCounts:
    """Counters of one source; `period` holds those since the last seal, the rest since the start."""

    name: str
    packets: int = 0
    bytes: int = 0
    records: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    refused: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    noted: Counter[str] = field(default_factory=Counter)
    _latest_ns: int | None = None
    _sealed: "SourceCounts | None" = None

    def count(self, frames: Frames, decoded: Decoded) -> None:
        """Add one batch: what came, what was refused, and how its clock behaved."""
        if not len(frames):
            return
        earliest, latest = self._watch_clock(frames)
        self.first_ns = earliest if self.first_ns is None else min(self.first_ns, earliest)
        self.last_ns = latest if self.last_ns is None else max(self.last_ns, latest)
        self.packets += len(frames)
        self.bytes += sum(int(packets.octets.sum()) for packets in decoded.packets)
        for reason, count in decoded.refused.items():
            self.refused[reason.value] += count
        for note, count in decoded.noted.items():
            self.noted[note.value] += count

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
        if len(steps) and int(steps.min()) < 0:
            return int(frames.time.min()), int(frames.time.max())
        return first, last

    def coverage(self, now_ns: int) -> Coverage | None:
        """The statement for the period since `sealed` was last called; None if nothing happened in it.

        A source that gave no frame at all, a file that is no capture, is stated at `now_ns`.
        """
        before = self._sealed or SourceCounts(self.name)
        refused, lost, noted = (
            self.refused - before.refused,
            self.lost - before.lost,
            self.noted - before.noted,
        )
        packets = self.packets - before.packets
        if not (packets or refused or lost or noted):
            return None
        if self.first_ns is None or self.last_ns is None:
            return Coverage(self.name, now_ns, now_ns, 0, 0, dict(refused), dict(lost), dict(noted))
        first = self.first_ns if before.last_ns is None else min(before.last_ns, self.last_ns)
        return Coverage(
            self.name,
            first,
            self.last_ns,
            packets,
            self.bytes - before.bytes,
            dict(refused),
            dict(lost),
            dict(noted),
        )

    def sealed(self) -> None:
        """Begin a new period: what was counted until now stands in a seal."""
        self._sealed = SourceCounts(
            self.name, self.packets, self.bytes, self.records, self.first_ns, self.last_ns,
            self.refused.copy(), self.lost.copy(), self.noted.copy(),
        )  # fmt: skip
