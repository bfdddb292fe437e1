"""The records of one vault as they lie in a home: days, and in a day the spans that are read together.

A span is the least stretch of time that cuts no segment: usually one hour, less where a busy hour was
sealed early, more where quiet hours share a segment. Only folders of days that are asked for are listed,
only segments of spans that are asked for are opened, and of these only the row groups that can match.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

from appliance.model.errors import DestroyedError, HomeError
from appliance.model.instants import DAY_NS, HOUR_NS, MS, day_of, start_of
from appliance.model.schemas import BINDING_SCHEMA, TRAFFIC_SCHEMA
from appliance.vault.day_keys import DayKey
from appliance.vault.fingerprints import Index
from appliance.vault.names import Home, VaultName
from appliance.vault.unseal import journal, segments
from appliance.vault.unseal.connections import once
from appliance.vault.unseal.journal import Opener
from appliance.vault.unseal.parts import instants
from appliance.vault.unseal.question import Mask, Question

_JOURNAL_ROWS_AT_ONCE = 1 << 19
_ROUNDED_NS = 2 * MS  # by so much segments that follow one another may seem to overlap
_DAYS_HELD = 3  # a search goes through days in order and looks at the neighbours of one


@dataclass(frozen=True)
class Shelved:
    """A segment and what its index says."""

    path: Path
    key: DayKey
    index: Index


Found = TypeVar("Found")

Piece = tuple[int, int, Shelved | None]
"""From and to, and the segment; none where only a journal has rows."""


@dataclass(frozen=True)
class Span:
    """A stretch [from_ns, to_ns) of one day and the segments whose rows begin there."""

    from_ns: int
    to_ns: int
    segments: tuple[Shelved, ...]


@dataclass(frozen=True)
class _Day:
    spans: list[Span]
    journalled: pa.Table


@dataclass
class Shelves:
    """One vault of one home, as far as a question (whatever its period) concerns it."""

    home: Home
    vault: VaultName
    opener: Opener
    question: Question
    destroyed: set[dt.date] = field(default_factory=set)
    """Days met that nobody can read any more."""
    damaged: dict[Path, str] | None = None
    """Files that do not open, and why, where the rest is wanted all the same; else the first is an error."""

    def __post_init__(self) -> None:
        self.schema = TRAFFIC_SCHEMA if self.vault is VaultName.TRAFFIC else BINDING_SCHEMA
        self._first = "first_seen" if self.vault is VaultName.TRAFFIC else "from"
        self._day = lru_cache(_DAYS_HELD)(self._opened)

    def spans(self, from_ns: int, to_ns: int) -> Iterator[Span]:
        """The spans that overlap a period, in order."""
        for day in self._days():
            start = start_of(day)
            if start < to_ns and start + DAY_NS > from_ns:
                for span in self._day(day).spans:
                    if span.from_ns < to_ns and span.to_ns > from_ns:
                        yield span

    def rows(self, span: Span) -> Iterator[pa.Table]:
        """Every row of a span that answers, as written: a part may be there more than once."""
        for held in span.segments:
            yield from self._bearing(held.path, segments.read(held.path, held.key, held.index, self.question))
        journalled = self._day(day_of(span.from_ns)).journalled
        begin = instants(journalled, self._first)
        inside = (begin >= span.from_ns) & (begin < span.to_ns)
        if inside.any():
            yield journalled.filter(pa.array(inside))

    def _days(self) -> list[dt.date]:
        """Days of which anything is kept. Listed once more each time: a recorder may be at work."""
        names = set()
        for folder in (self.home.path / "segments" / self.vault, self.home.path / "journal" / self.vault):
            if folder.is_dir():
                names |= {entry.name for entry in folder.iterdir()}
        try:
            return sorted(dt.date.fromisoformat(name) for name in names)
        except ValueError as error:
            raise HomeError(
                f"{self.home.path} holds what is no day ({error}); see 'greffier verify'"
            ) from None

    def _opened(self, day: dt.date) -> _Day:
        # Journals first: a segment written meanwhile is then found too, and what is in both counts once.
        journalled = self._journals(day)
        hours = np.unique(instants(journalled, self._first) // HOUR_NS) * HOUR_NS
        pieces: list[tuple[int, int, Shelved | None]] = [
            (hour, hour + HOUR_NS, None) for hour in hours.tolist()
        ]
        for path in sorted(self.home.segments(self.vault, day).glob("*.parquet")):
            key = self._key(day, path)
            for index in self._bearing(path, self._index(path, key)):
                assert key is not None
                pieces.append((index.first_ns, index.last_ns + 1, Shelved(path, key, index)))
        return _Day(list(_spans(pieces)), journalled)

    def _journals(self, day: dt.date) -> pa.Table:
        held: list[pa.Table] = [self.schema.empty_table()]
        for path in sorted(self.home.journal(self.vault, day).glob("*.journal")):
            try:
                tables = self._bearing(path, journal.read(path, self.opener))
                held.extend(table.filter(pa.array(self._asked(table))) for table in tables)
            except DestroyedError:
                self.destroyed.add(day)
            if sum(map(len, held)) > _JOURNAL_ROWS_AT_ONCE and self.vault is VaultName.TRAFFIC:
                held = [once(pa.concat_tables(held))]
        return pa.concat_tables(held)

    def _index(self, path: Path, key: DayKey | None) -> Iterator[Index]:
        if key:
            yield segments.read_index(path, key)

    def _bearing(self, path: Path, found: Iterator[Found]) -> Iterator[Found]:
        """What a file gives, until it proves damaged; then its name is noted, where that is wished."""
        try:
            yield from found
        except HomeError as error:
            if self.damaged is None:
                raise
            self.damaged[path] = str(error)

    def _asked(self, table: pa.Table) -> Mask:
        names = [segments.ASKED.get(name, name) for name in table.column_names]
        return self.question.matches(table.rename_columns(names))

    def _key(self, day: dt.date, path: Path) -> DayKey | None:
        _, key_id, *_ = [*path.stem.split("-"), "", ""]
        try:
            return self.opener.open(self.vault, day, key_id)
        except DestroyedError:
            self.destroyed.add(day)
        except HomeError as error:  # no envelope, or one that is not the box's
            if self.damaged is None:
                raise
            self.damaged[path] = str(error)
        return None


def _spans(pieces: list[Piece]) -> Iterator[Span]:
    """Pieces (from, to, segment) that share an instant make one span."""
    together: list[Shelved] = []
    begin_ns = end_ns = -1
    for from_ns, to_ns, held in sorted(pieces, key=lambda piece: piece[:2]):
        if from_ns >= end_ns - _ROUNDED_NS:
            if end_ns >= 0:
                yield Span(begin_ns, end_ns, tuple(together))
            together, begin_ns = [], from_ns
        end_ns = max(end_ns, to_ns)
        together += [held] if held else []
    if end_ns >= 0:
        yield Span(begin_ns, end_ns, tuple(together))
