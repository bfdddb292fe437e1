"""Closed rows on their way to disk: the journal each second, segments and seals, and a disk that refuses.

When the disk refuses, rows wait in memory, bounded; what has to be given up is counted.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from appliance.model.errors import StorageError
from appliance.model.instants import day_of
from appliance.model.rows import BINDING
from appliance.model.texts import Texts
from appliance.runtime.clock import now_ns as wall_clock
from appliance.services.recording.alarms import Alarms
from appliance.services.recording.backlog import Backlog
from appliance.services.recording.counts import SourceCounts
from appliance.vault.names import VaultName
from appliance.vault.writer import VaultWriter

RETRY_EVERY_S = 5.0
"""A disk that refused is asked again this often."""

Rows = NDArray[np.void]


class Ledger:
    """The backlogs of both vaults, of every source. `traffic` is TRAFFIC or FED_TRAFFIC.

    `seal_due` is 0, or in monotonic seconds when a refused seal is due.
    """

    def __init__(
        self,
        vaults: Mapping[VaultName, VaultWriter],
        traffic: np.dtype[np.void],
        row_limit: int,
        monotonic: Callable[[], float],
    ) -> None:
        self.traffic = Backlog(traffic)
        self.bindings = Backlog(BINDING)
        self.texts = Texts()
        self.alarms = Alarms()
        self.sources: list[SourceCounts] = []
        self.seal_due = 0.0
        self._vaults = vaults
        self._row_limit = row_limit
        self._monotonic = monotonic

    def journal(self, traffic: Rows, bindings: Rows, waiting: tuple[int, int] = (0, 0)) -> bool:
        """Make durable what closed since the last call, and these open rows; false if the disk refused.

        `waiting` are packets of the last source, and their octets, that are in none of these rows yet.
        """
        names, texts = self._names(), self.texts.all()
        try:
            self._vaults[VaultName.TRAFFIC].journal(self.traffic.unwritten(traffic), names, texts)
            self.traffic.written()
            self._vaults[VaultName.SOURCE].journal(self.bindings.unwritten(bindings), names, texts)
            self.bindings.written()
        except StorageError as error:
            self._refused(error)
            for source in self.sources:
                source.refused_at(wall_clock())
            return False
        self._kept(waiting)
        if not self.seal_due:
            self.alarms.lower("storage")
        return True

    def seal(self, now_ns: int) -> bool:
        """Fix all rows in segments and seals, with what the sources state; a refusal raises the alarm.

        True if no row is left.
        """
        names, texts = self._names(), self.texts.all()
        stated = [part for source in self.sources for part in source.coverage(now_ns)]
        try:
            if len(self.traffic) or stated:
                self._vaults[VaultName.TRAFFIC].seal(self.traffic.take(), names, stated, texts)
                self.traffic.sealed()
                for source in self.sources:
                    source.sealed()
                self._kept()
            if len(self.bindings):
                self._vaults[VaultName.SOURCE].seal(self.bindings.take(), names, [], texts)
                self.bindings.sealed()
        except StorageError as error:
            self._refused(error)
            self._give_up_oldest()
            self.seal_due = self._monotonic() + RETRY_EVERY_S
            return False
        self.seal_due = 0.0
        self.alarms.lower("storage")
        for writer in self._vaults.values():
            writer.forget_keys_before(day_of(now_ns))
        return True

    def _kept(self, waiting: tuple[int, int] = (0, 0)) -> None:
        """All packets taken so far are on disk, but those that wait for a row."""
        for source in self.sources:
            source.kept(wall_clock(), *(waiting if source is self.sources[-1] else (0, 0)))

    def _refused(self, error: StorageError) -> None:
        if self.alarms.rise("storage", str(error)) and self.sources:
            self.sources[-1].noted["storage_refused"] += 1

    def _give_up_oldest(self) -> None:
        """Memory is bounded: beyond the row limit the oldest rows are lost, and said to be, in packets."""
        rows = self.traffic.give_up(self._row_limit)
        packets = (rows["packets_out"] + rows["packets_in"]).astype(np.int64)
        for number, lost in enumerate(np.bincount(rows["source"], packets).astype(int).tolist()):
            if lost:
                self.sources[number].lost["storage"] += lost
        for number in self.bindings.give_up(self._row_limit)["source"].tolist():
            self.sources[number].noted["bindings_given_up"] += 1

    def _names(self) -> Sequence[str]:
        return [source.name for source in self.sources]
