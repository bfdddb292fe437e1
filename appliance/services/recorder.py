"""The recorder: frames in, sealed records out. The composition root of everything that records.

It holds public keys only: what it has written it cannot read back. Rows of the running hour stay in
memory; every second they are in the journal too; at the seal the segment is written from memory and the
journal dropped (`ledger`). Beside the records it counts totals that name nobody (`totals`).
"""

import os
from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from appliance.config.box import BoxConfig
from appliance.flows.meter import MULTIPLIERS, Meter
from appliance.flows.table import Limits
from appliance.identity.bindings import Bindings
from appliance.model.errors import StorageError
from appliance.model.frames import Frames
from appliance.model.instants import HOUR_NS, NS
from appliance.model.networks import Networks
from appliance.runtime.clock import now_ns
from appliance.services.alarms import Alarms
from appliance.services.ledger import Ledger
from appliance.services.sources import SourceCounts
from appliance.services.totals import Totals
from appliance.vault.names import VaultName
from appliance.vault.writer import VaultWriter
from appliance.wire.decode import Decoder
from appliance.wire.tunnels import Tunnels

JOURNAL_EVERY_S = 0.75
"""With the 0.1 s that the kernel's ring keeps a frame back, a connection is on disk within the second."""


class Recorder:
    """Records batches of frames. `monotonic` gives seconds, only to pace journal and retries."""

    def __init__(
        self,
        config: BoxConfig,
        vaults: Mapping[VaultName, VaultWriter],
        totals: Totals,
        monotonic: Callable[[], float],
    ) -> None:
        limits = Limits(config.idle_timeout_s * NS, config.active_timeout_s * NS, config.flow_limit)
        multipliers = np.frombuffer(os.urandom(8 * MULTIPLIERS), np.uint64)
        self.alarms = Alarms()
        self.sources: list[SourceCounts] = []
        self._row_limit = config.row_limit
        self._ledger = Ledger(vaults, self.sources, self.alarms, config.row_limit, monotonic)
        self._totals = totals
        self._monotonic = monotonic
        self._decoder = Decoder(_tunnels(config))
        self._meter = Meter(Networks.of(config.client_networks), limits, multipliers)
        self._bindings = Bindings()
        self._journal_due = monotonic() + JOURNAL_EVERY_S
        self._hour: int | None = None
        self._live = False
        self._told: Counter[str] = Counter()

    def begin(self, name: str, live: bool = False) -> SourceCounts:
        """What is taken from now on comes from this source; its counters are returned."""
        self._live = live
        self.sources.append(SourceCounts(name, live))
        self.sources[-1].kept(now_ns())  # nothing yet, all of it durable
        return self.sources[-1]

    @property
    def bindings(self) -> int:
        """Binding rows closed so far."""
        return self._ledger.bindings.total

    @property
    def records(self) -> int:
        """Traffic rows closed so far."""
        return self._ledger.traffic.total

    def take(self, frames: Frames) -> None:
        """Record one batch of frames of the current source."""
        decoded = self._decoder.decode(frames)
        source, number = self.sources[-1], len(self.sources) - 1
        source.count(frames, decoded)
        self._totals.glance(decoded.packets)
        now_ns = int(frames.time[-1])
        self._keep(self._meter.add(decoded.packets, number, now_ns))
        if len(decoded.claims):
            self._ledger.bindings.add(self._bindings.observe(decoded.claims, number))
        self._note(source)
        self.pass_time(now_ns)

    def pass_time(self, now_ns: int) -> None:
        """Do what is due at this instant: journal each second, seal on the hour or when memory is short."""
        moment = self._monotonic()
        if moment >= self._journal_due:
            self._keep(self._meter.expire(now_ns))
            self._ledger.bindings.add(self._bindings.expire(now_ns))
            self.journal()
            self._write_totals(now_ns)
            self._journal_due = self._monotonic() + JOURNAL_EVERY_S
        full = self._is_full()
        # A replayed file runs through many hours a second: it is cut into hours when it is sealed.
        new_hour = self._live and self._hour is not None and now_ns // HOUR_NS != self._hour
        self._hour = now_ns // HOUR_NS
        if (full or new_hour or self._ledger.seal_due) and moment >= self._ledger.seal_due:
            self.seal(now_ns)

    def _is_full(self) -> bool:
        """Whether rows, and the flows that become rows at a seal, reach the limit.

        Flows stay in the table through a seal: without enough closed rows the next batch would seal again.
        """
        closed = len(self._ledger.traffic)
        return closed + len(self._meter) >= self._row_limit and closed * 4 >= self._row_limit

    def journal(self) -> None:
        """Make durable what is new since the last call; a disk that refuses raises an alarm, not an error."""
        rows = self._meter.changed(), self._bindings.changed()
        if not self._ledger.journal(*rows, self._meter.waiting):
            self._meter.forget_reported()
            self._bindings.forget_reported()

    def _write_totals(self, now_ns: int) -> None:
        try:
            self._totals.write(now_ns)
        except StorageError as error:
            self.alarms.rise("statistics", str(error))
        else:
            self.alarms.lower("statistics")

    def seal(self, now_ns: int) -> None:
        """Fix everything recorded until now in segments and seals, and drop the journal."""
        self._keep(self._meter.cut())
        self._ledger.bindings.add(self._bindings.cut(now_ns))
        self._ledger.seal(now_ns)

    def finish(self, now_ns: int) -> None:
        """Recording ends: close and seal everything. Raises StorageError if the disk refuses to the end."""
        self._keep(self._meter.finish())
        self._ledger.bindings.add(self._bindings.close())
        try:
            self._totals.finish()
        except StorageError as error:
            self.alarms.rise("statistics", str(error))
        if self.sources:
            self._note(self.sources[-1])
        self._ledger.seal(now_ns)
        if self._ledger.seal_due:
            self.journal()  # what it does not hold yet: it may be written where segments are refused
            raise StorageError(self.alarms.message("storage"))

    def _keep(self, rows: NDArray[np.void]) -> None:
        self._ledger.traffic.add(rows)
        self._totals.keep(rows)
        for number, count in enumerate(np.bincount(rows["source"]).tolist()):
            self.sources[number].records += count
        if rows["behind_router"].any():
            routed = rows["source"][rows["behind_router"]]
            for number, count in enumerate(np.bincount(routed).tolist()):
                self.sources[number].noted["behind_router"] += count

    def _note(self, source: SourceCounts) -> None:
        """State what the rooms have counted since the last call as circumstances of this source."""
        totals = {
            "table_full": self._meter.evicted + self._bindings.evicted,
            "duplicate": self._meter.duplicates,
            "uncategorised": self._totals.passed_over,
            "statistics_lost": self._totals.lost,
        }
        for name, total in totals.items():
            if total != self._told[name]:
                source.noted[name] += total - self._told[name]
                self._told[name] = total


def _tunnels(config: BoxConfig) -> Tunnels:
    capture = config.capture
    ends = Networks.of(capture.tunnel_ends) if capture.tunnel_ends else None
    return Tunnels(capture.vxlan_ports, ends, Networks.of(config.client_networks))
