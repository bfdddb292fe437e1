"""The writer of one vault: rows into the journal every second, into segments and seals on the hour."""

import contextlib
import datetime as dt
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from appliance.config.box import BoxConfig
from appliance.model.coverage import Coverage
from appliance.model.errors import StorageError
from appliance.model.instants import DAY_NS, HOUR_NS, day_of, to_iso
from appliance.runtime.files import write_many
from appliance.vault import segments
from appliance.vault.chain import Chain
from appliance.vault.day_keys import DayKey
from appliance.vault.journal import Journal
from appliance.vault.key_ring import KeyRing
from appliance.vault.names import Home, VaultName
from appliance.vault.run import Run
from appliance.vault.seals import Seal, StoredFile
from appliance.vault.segments import WrittenSegment

# Hours of one day share a segment while they hold fewer rows than this: a small file costs more a row.
SMALL_SEGMENT_ROWS = 65_536

Rows = NDArray[np.void]
_TIME_OF = {VaultName.TRAFFIC: "first_seen", VaultName.SOURCE: "from"}


class VaultWriter:
    """Writes one vault for one run. Rows are TRAFFIC or FED_TRAFFIC (traffic vault), BINDING (source vault).

    `sources` names what the rows' `source` counts into, `texts` what their texts are numbers of. A row
    belongs to the UTC day of its first instant.
    """

    def __init__(self, home: Home, vault: VaultName, config: BoxConfig, chain: Chain, run: Run) -> None:
        """Raises CustodyError if a custodian's key in the settings is mistyped."""
        self._home = home
        self._vault = vault
        self._chain = chain
        self._run_id = run.id
        self._keys = KeyRing(home, vault, config, chain, run.id)
        self._journal = Journal(run.id, lambda day: home.journal(vault, day), chain.clock)

    def journal(self, rows: Rows, sources: Sequence[str], texts: Sequence[str] = ("",)) -> None:
        """Write rows to the journal, durable on return. On StorageError none is there; try again later."""
        if not len(rows):
            return
        parts = list(_by(DAY_NS, rows, rows[_TIME_OF[self._vault]]))
        keys = self._keys.keys([day_of(number * DAY_NS) for number, _ in parts])
        of_days = [(keys[day_of(number * DAY_NS)], part) for number, part in parts]
        self._journal.write(of_days, sources, texts)

    def seal(
        self,
        rows: Rows,
        sources: Sequence[str],
        coverage: Sequence[Coverage],
        texts: Sequence[str] = ("",),
    ) -> list[Seal]:
        """Write segments of these rows, seal them, and drop the journal: `rows` must hold all that it holds.

        `coverage` stands in the last seal; without rows it makes a seal of its own. On StorageError
        everything is as it was: no new file, no new seal, the journal still there.
        """
        pieces = list(_pieces(rows, rows[_TIME_OF[self._vault]])) if len(rows) else []
        keys = self._keys.keys({day for day, _ in pieces})
        written: list[tuple[DayKey, WrittenSegment]] = []
        files: list[tuple[Path, bytes]] = []
        for day, piece in pieces:
            name = self._name(piece, keys[day])
            segment, contents = segments.compose(name, piece, sources, keys[day], texts)
            written.append((keys[day], segment))
            files += [(self._folder(keys[day]) / name, content) for name, content in contents]
        try:
            if files:
                write_many(files)
            sealed = self._seals(written, tuple(coverage))
            self._chain.append(sealed)
        except StorageError:
            for key, segment in written:
                self._remove(key, segment)
            raise
        self._journal.drop()
        return sealed

    def forget_keys_before(self, day: dt.date) -> None:
        """Let the keys of earlier days leave memory; rows of those days would draw new ones."""
        self._keys.forget_before(day)

    def close(self) -> None:
        """Close open files; journal files not replaced by a segment stay."""
        self._journal.close()

    def _name(self, rows: Rows, key: DayKey) -> str:
        first = to_iso(int(rows[_TIME_OF[self._vault]].min()))
        return f"{first[11:13]}{first[14:16]}-{key.key_id}-{secrets.token_hex(4)}"

    def _folder(self, key: DayKey) -> Path:
        return self._home.segments(self._vault, key.day)

    def _remove(self, key: DayKey, segment: WrittenSegment) -> None:
        for name, _, _ in segment.files:
            with contextlib.suppress(OSError):
                (self._folder(key) / name).unlink(missing_ok=True)

    def _seals(
        self, written: list[tuple[DayKey, WrittenSegment]], coverage: tuple[Coverage, ...]
    ) -> list[Seal]:
        # Coverage and the journal files replaced stand in the last line only: if a power cut tears the
        # append, the lines that survive must not declare needless what only the torn ones replace.
        replaces = tuple(path.name for path in self._journal.files)
        sealed = [self._seal_of(key, segment) for key, segment in written]
        if not sealed:
            if not coverage and not replaces:
                return []
            return [Seal(self._vault, None, None, self._run_id, None, 0, None, None, (), replaces, coverage)]
        key, segment = written[-1]
        return [*sealed[:-1], self._seal_of(key, segment, replaces, coverage)]

    def _seal_of(
        self,
        key: DayKey,
        segment: WrittenSegment,
        replaces: tuple[str, ...] = (),
        coverage: tuple[Coverage, ...] = (),
    ) -> Seal:
        files = tuple(StoredFile(*file) for file in segment.files)
        return Seal(
            self._vault, key.day, key.key_id, self._run_id, segment.name, segment.rows,
            segment.first_ns, segment.last_ns, files, replaces, coverage,
        )  # fmt: skip


def _by(span_ns: int, rows: Rows, times: NDArray[np.int64]) -> Iterator[tuple[int, Rows]]:
    """(number of the span, its rows) in ascending order; nothing is copied when all are in one span."""
    low, high = int(times.min()) // span_ns, int(times.max()) // span_ns
    if low == high:
        yield low, rows
        return
    spans = times // span_ns
    order = np.argsort(spans, kind="stable")
    numbers, starts = np.unique(spans[order], return_index=True)
    for number, picked in zip(numbers.tolist(), np.split(order, starts[1:]), strict=True):
        yield number, rows[picked]


def _pieces(rows: Rows, times: NDArray[np.int64]) -> Iterator[tuple[dt.date, Rows]]:
    """The rows of each segment to write: whole hours of one day, joined while they are small."""
    waiting: list[Rows] = []
    day: dt.date | None = None
    for hour, part in _by(HOUR_NS, rows, times):
        of_day = day_of(hour * HOUR_NS)
        if day and (of_day != day or sum(map(len, waiting)) + len(part) >= SMALL_SEGMENT_ROWS):
            yield day, _joined(waiting)
            waiting = []
        day = of_day
        waiting.append(part)
    if day:
        yield day, _joined(waiting)


def _joined(parts: list[Rows]) -> Rows:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
