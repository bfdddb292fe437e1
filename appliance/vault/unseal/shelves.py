"""The records of one vault as they lie in a home: days, and in a day the spans of hours read together.

A span is the least stretch of whole hours that cuts no segment: usually one hour, more where quiet hours
share a segment. Only folders of days that are asked for are listed, only segments of spans that are asked
for are opened, and of these only the row groups that can match.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa

from appliance.model.errors import DestroyedError
from appliance.model.instants import DAY_NS, HOUR_NS, day_of, start_of
from appliance.model.schemas import BINDING_SCHEMA, TRAFFIC_SCHEMA
from appliance.vault.day_keys import DayKey
from appliance.vault.names import Home, VaultName
from appliance.vault.unseal import journal, segments
from appliance.vault.unseal.connections import instants, once
from appliance.vault.unseal.journal import Opener
from appliance.vault.unseal.question import Mask, Question

_JOURNAL_ROWS_AT_ONCE = 1 << 19
_DAYS_HELD = 3  # a search goes through days in order and looks at the neighbours of one


@dataclass(frozen=True)
class Span:
    """Whole hours [from_ns, to_ns) of one day and the segments whose rows begin there."""

    from_ns: int
    to_ns: int
    segments: tuple[tuple[Path, DayKey], ...]


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

    def rows(self, span: Span) -> pa.Table:
        """Every row of a span that answers, as written: a part may be there more than once."""
        found = [table for path, key in span.segments for table in segments.read(path, key, self.question)]
        journalled = self._day(day_of(span.from_ns)).journalled
        begin = instants(journalled, self._first)
        inside = (begin >= span.from_ns) & (begin < span.to_ns)
        if inside.any():
            found.append(journalled.filter(pa.array(inside)))
        return pa.concat_tables(found) if found else self.schema.empty_table()

    def _days(self) -> list[dt.date]:
        """Days of which anything is kept. Listed once more each time: a recorder may be at work."""
        names = set()
        for folder in (self.home.path / "segments" / self.vault, self.home.path / "journal" / self.vault):
            if folder.is_dir():
                names |= {entry.name for entry in folder.iterdir()}
        return sorted(dt.date.fromisoformat(name) for name in names)

    def _opened(self, day: dt.date) -> _Day:
        # Journals first: a segment written meanwhile is then found too, and what is in both counts once.
        journalled = self._journals(day)
        hours = np.unique(instants(journalled, self._first) // HOUR_NS).tolist()
        pieces: list[tuple[int, int, tuple[Path, DayKey] | None]] = [(hour, hour + 1, None) for hour in hours]
        for path in sorted(self.home.segments(self.vault, day).glob("*.parquet")):
            key = self._key(day, path.name.split("-")[1])
            if key:
                head = segments.read_head(path, key)
                pieces.append((head.first_ns // HOUR_NS, (head.last_ns - 1) // HOUR_NS + 1, (path, key)))
        return _Day(list(_spans(pieces)), journalled)

    def _journals(self, day: dt.date) -> pa.Table:
        held: list[pa.Table] = [self.schema.empty_table()]
        for path in sorted(self.home.journal(self.vault, day).glob("*.journal")):
            try:
                held.extend(
                    table.filter(pa.array(self._asked(table))) for table in journal.read(path, self.opener)
                )
            except DestroyedError:
                self.destroyed.add(day)
            if sum(map(len, held)) > _JOURNAL_ROWS_AT_ONCE and self.vault is VaultName.TRAFFIC:
                held = [once(pa.concat_tables(held))]
        return pa.concat_tables(held)

    def _asked(self, table: pa.Table) -> Mask:
        names = [segments.ASKED.get(name, name) for name in table.column_names]
        return self.question.matches(table.rename_columns(names))

    def _key(self, day: dt.date, key_id: str) -> DayKey | None:
        try:
            return self.opener.open(self.vault, day, key_id)
        except DestroyedError:
            self.destroyed.add(day)
            return None


def _spans(pieces: list[tuple[int, int, tuple[Path, DayKey] | None]]) -> Iterator[Span]:
    """Pieces (first hour, hour after the last, segment) that share hours make one span."""
    reach, number, numbers = -1, 0, []
    pieces = sorted(pieces, key=lambda piece: piece[:2])
    for first, after, _ in pieces:
        number += first >= reach
        reach = max(reach, after, first + 1)
        numbers.append(number)
    for _, group in groupby(zip(numbers, pieces, strict=True), key=lambda pair: pair[0]):
        members = [piece for _, piece in group]
        until = max(max(after, first + 1) for first, after, _ in members)
        files = tuple(segment for _, _, segment in members if segment)
        yield Span(members[0][0] * HOUR_NS, until * HOUR_NS, files)
