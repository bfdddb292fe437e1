"""The register: open tables, closed rows, and when they go to disk. What every recorder keeps its rows in.

It holds public keys only: what it has written it cannot read back. Rows of the running hour stay in
memory; every second they are in the journal too; at the seal the segment is written from memory and the
journal dropped (`ledger`). Beside the records it counts totals that name nobody (`totals`).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from appliance.model.errors import StorageError
from appliance.model.instants import HOUR_NS
from appliance.services.recording.counts import SourceCounts
from appliance.services.recording.ledger import Ledger
from appliance.services.recording.permission import NOTES, Always, Permission
from appliance.services.recording.present import Present
from appliance.services.recording.totals import Totals
from appliance.vault.names import VaultName

JOURNAL_EVERY_S = 0.75
"""With the 0.1 s that the kernel's ring keeps a frame back, a connection is on disk within the second."""

Rows = NDArray[np.void]


class Flows(Protocol):
    """Connections that are open: `flows.meter` of packets, `flows.pairing` of what devices state."""

    def __len__(self) -> int: ...
    @property
    def evicted(self) -> int: ...
    @property
    def waiting(self) -> tuple[int, int]: ...
    def expire(self, now_ns: int) -> Rows: ...
    def cut(self) -> Rows: ...
    def finish(self) -> Rows: ...
    def changed(self) -> Rows: ...
    def forget_reported(self) -> None: ...


class OpenBindings(Protocol):
    """Bindings that are open: of `identity.bindings`, `identity.translations`."""

    evicted: int

    def expire(self, now_ns: int) -> Rows: ...
    def cut(self, now_ns: int) -> Rows: ...
    def close(self) -> Rows: ...
    def changed(self) -> Rows: ...
    def forget_reported(self) -> None: ...
    def texts(self) -> NDArray[np.uint32]: ...


class Register:
    """Rows of one run on their way to disk. `monotonic` gives seconds, only to pace journal and retries."""

    def __init__(
        self,
        ledger: Ledger,
        flows: Flows,
        bindings: Sequence[OpenBindings],
        totals: Totals,
        row_limit: int,
        monotonic: Callable[[], float],
    ) -> None:
        self.alarms = ledger.alarms
        self.sources: list[SourceCounts] = ledger.sources
        self.permission: Permission = Always()
        self.present: Present | None = None
        self._ledger = ledger
        self._flows = flows
        self._open_bindings = bindings
        self._totals = totals
        self._row_limit = row_limit
        self._monotonic = monotonic
        self._journal_due = monotonic() + JOURNAL_EVERY_S
        self._hour: int | None = None
        self._told: Counter[str] = Counter()
        self._journalled = False

    @property
    def bindings(self) -> int:
        """Binding rows closed so far."""
        return self._ledger.bindings.total

    @property
    def records(self) -> int:
        """Traffic rows closed so far."""
        return self._ledger.traffic.total

    def keep(self, rows: Rows) -> None:
        """Take traffic rows that closed; those that may not be kept are counted among the totals only."""
        self._totals.keep(rows)
        self.see(rows)
        rows = self._permitted(VaultName.TRAFFIC, rows)
        self._ledger.traffic.add(rows)
        for number, count in enumerate(np.bincount(rows["source"]).tolist()):
            self.sources[number].records += count
        if rows["behind_router"].any():
            routed = rows["source"][rows["behind_router"]]
            for number, count in enumerate(np.bincount(routed).tolist()):
                self.sources[number].noted["behind_router"] += count

    def see(self, rows: Rows) -> None:
        """Traffic rows, kept or not: who is there now, for those who may ask."""
        if self.present is not None:
            self.present.flows(rows)

    def meet(self, claims: Rows) -> None:
        """Claims that were observed, likewise."""
        if self.present is not None:
            self.present.claims(claims)

    def hold(self, rows: Rows) -> None:
        """Take binding rows that closed."""
        self._ledger.bindings.add(self._permitted(VaultName.SOURCE, rows))

    def _permitted(self, vault: VaultName, rows: Rows) -> Rows:
        kept, stopped = self.permission.split(vault, rows)
        if len(stopped):
            for number, count in enumerate(np.bincount(stopped["source"]).tolist()):
                if count:
                    self.sources[number].noted[NOTES[vault]] += count
        return kept

    def note(self, source: SourceCounts, totals: dict[str, int]) -> None:
        """State what has been counted since the last call as circumstances of this source."""
        totals = {
            "table_full": self._flows.evicted + sum(each.evicted for each in self._open_bindings),
            "uncategorised": self._totals.passed_over,
            "statistics_lost": self._totals.lost,
            **totals,
        }
        for name, total in totals.items():
            if total != self._told[name]:
                source.noted[name] += total - self._told[name]
                self._told[name] = total

    def pass_time(self, now_ns: int, live: bool) -> None:
        """Do what is due at this instant: journal each second, seal on the hour or when memory is short."""
        moment = self._monotonic()
        if moment >= self._journal_due:
            self.expire(now_ns)
            self.journal()
            self._write_totals(now_ns)
        full = self._is_full()
        # A replayed file runs through many hours a second: it is cut into hours when it is sealed.
        new_hour = live and self._hour is not None and now_ns // HOUR_NS != self._hour
        self._hour = now_ns // HOUR_NS
        if (full or new_hour or self._ledger.seal_due) and moment >= self._ledger.seal_due:
            self.seal(now_ns)

    def expire(self, now_ns: int) -> None:
        """Close what has ended by now."""
        self.keep(self._flows.expire(now_ns))
        for each in self._open_bindings:
            self.hold(each.expire(now_ns))

    def _is_full(self) -> bool:
        """Whether rows, and the flows that become rows at a seal, reach the limit.

        Flows stay in the table through a seal: without enough closed rows the next batch would seal again.
        """
        closed = len(self._ledger.traffic)
        crowded = closed + len(self._flows) >= self._row_limit and closed * 4 >= self._row_limit
        return crowded or len(self._ledger.bindings) >= self._row_limit

    def journal(self) -> bool:
        """Make durable all that was told so far; a disk that refuses raises an alarm, not an error."""
        self.permission.look(self.alarms)
        held = [each.changed() for each in self._open_bindings]
        bindings, _ = self.permission.split(
            VaultName.SOURCE, held[0] if len(held) == 1 else np.concatenate(held)
        )
        changed = self._flows.changed()
        self.see(changed)
        flows, _ = self.permission.split(VaultName.TRAFFIC, changed)
        kept = self._ledger.journal(flows, bindings, self._flows.waiting)
        self._journalled |= kept
        if not kept:
            self._flows.forget_reported()
            for each in self._open_bindings:
                each.forget_reported()
        self._journal_due = self._monotonic() + JOURNAL_EVERY_S
        return kept

    def take_journalled(self) -> bool:
        """Whether the journal has been written since the last call."""
        journalled, self._journalled = self._journalled, False
        return journalled

    def _write_totals(self, now_ns: int) -> None:
        try:
            self._totals.write(now_ns)
        except StorageError as error:
            self.alarms.rise("statistics", str(error))
        else:
            self.alarms.lower("statistics")

    def seal(self, now_ns: int) -> None:
        """Fix everything recorded until now in segments and seals, and drop the journal."""
        self.keep(self._flows.cut())
        for each in self._open_bindings:
            self.hold(each.cut(now_ns))
        if self._ledger.seal(now_ns):
            self._ledger.texts.keep(np.concatenate([each.texts() for each in self._open_bindings]).tolist())

    def close(self) -> None:
        """Recording ends: close everything that is open."""
        self.keep(self._flows.finish())
        for each in self._open_bindings:
            self.hold(each.close())
        try:
            self._totals.finish()
        except StorageError as error:
            self.alarms.rise("statistics", str(error))

    def finish(self, now_ns: int) -> None:
        """Seal what `close` closed. Raises StorageError if the disk refuses to the end."""
        self._ledger.seal(now_ns)
        if self._ledger.seal_due:
            self.journal()  # what it does not hold yet: it may be written where segments are refused
            raise StorageError(self.alarms.message("storage"))
