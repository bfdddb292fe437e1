"""Answers a question over a whole home: a stream of connections, out of segments and journals alike.

Hour follows hour, and only what a question can concern is decrypted. A connection that overlaps the
period asked for is given whole: if it may have begun before the first hour or gone on after the last,
hours beyond are read for it alone, at most a day each way. Rows come in order of the hour in which a
connection was over, and within a stretch of hours by their start.
"""

import datetime as dt
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from appliance.model.instants import DAY_NS, HOUR_NS, day_of
from appliance.model.schemas import BINDING_SCHEMA
from appliance.vault.names import Home, VaultName
from appliance.vault.unseal.connections import IDLE_TIMEOUT_NS, Connections, instants, key_hashes, once
from appliance.vault.unseal.holders import GAP_NS, Holders, intervals
from appliance.vault.unseal.journal import Opener
from appliance.vault.unseal.question import Question
from appliance.vault.unseal.segments import overlaps
from appliance.vault.unseal.shelves import Shelves, Span

ROWS_AT_ONCE = 65_536
"""Rows found are merged when there are so many, or a day is over; an hour is never divided."""

BEYOND_NS = DAY_NS
"""How far beyond the period asked for the rest of a connection is looked for."""


class Search:
    """One question put to one home, by custodians who are present (`opener`)."""

    def __init__(self, home: Home, opener: Opener, question: Question) -> None:
        self._question = question
        self._traffic = Shelves(home, VaultName.TRAFFIC, opener, question)
        # Of bindings, all that concerns an address: the point is to see who else claimed it.
        holder = Question(client_ip=question.client_ip)
        self._source = Shelves(home, VaultName.SOURCE, opener, holder)

    @property
    def destroyed(self) -> list[dt.date]:
        """The days met whose traffic was destroyed after its term."""
        return sorted(self._traffic.destroyed)

    def parts(self) -> Iterator[pa.Table]:
        """Every part as it was written, once; tables of JOINED_SCHEMA."""
        for rows, _ in self._stretches(self._question.from_ns):
            order = np.argsort(instants(rows, "first_seen"), kind="stable")
            yield from self._asked(rows.take(order))

    def connections(self) -> Iterator[pa.Table]:
        """Parts merged into connections; tables of JOINED_SCHEMA."""
        merge = Connections()
        until_ns = 0
        for rows, span in self._stretches(self._question.from_ns):
            if not until_ns and self._question.from_ns:
                self._begin(merge, rows, span)
            until_ns = span.to_ns
            yield from self._asked(merge.add(rows, until_ns))
        if merge.open is not None:
            yield from self._go_on(merge, until_ns)

    def _stretches(self, from_ns: int) -> Iterator[tuple[pa.Table, Span]]:
        """Rows of some whole spans that answer, each part once, with holders joined."""
        found: list[pa.Table] = []
        begin_ns = size = 0
        last: Span | None = None
        for span in self._traffic.spans(from_ns - from_ns % HOUR_NS, self._question.to_ns):
            if last and found and (size >= ROWS_AT_ONCE or day_of(span.from_ns) != day_of(last.from_ns)):
                yield self._joined(found, Span(begin_ns, last.to_ns, ()))
                found, size = [], 0
            rows = self._traffic.rows(span)
            if not found:
                begin_ns = span.from_ns
            if len(rows):
                found.append(rows)
            size += len(rows)
            last = span
        if found and last:
            yield self._joined(found, Span(begin_ns, last.to_ns, ()))

    def _joined(self, found: list[pa.Table], span: Span) -> tuple[pa.Table, Span]:
        rows = once(pa.concat_tables(found))
        return self._holders(span).join(rows), span

    def _holders(self, span: Span) -> Holders:
        spans = self._source.spans(span.from_ns - GAP_NS, span.to_ns + GAP_NS)
        parts = [BINDING_SCHEMA.empty_table(), *(self._source.rows(near) for near in spans)]
        return Holders(intervals(pa.concat_tables(parts)))

    def _asked(self, rows: pa.Table) -> Iterator[pa.Table]:
        """Those that overlap the period, in tables of moderate size."""
        mask = overlaps(instants(rows, "first_seen"), instants(rows, "last_seen"), self._question)
        kept = rows if mask.all() else rows.filter(pa.array(mask))
        for start in range(0, len(kept), ROWS_AT_ONCE):
            yield kept.slice(start, ROWS_AT_ONCE)

    def _begin(self, merge: Connections, rows: pa.Table, span: Span) -> None:
        """Give `merge` the parts before the first span of connections that overlap the period."""
        trial = Connections()
        done = trial.add(rows, span.to_ns)
        chains = pa.concat_tables([done, *([trial.open] if trial.open is not None else [])])
        mask = overlaps(instants(chains, "first_seen"), instants(chains, "last_seen"), self._question)
        mask &= instants(chains, "first_seen") <= span.from_ns + IDLE_TIMEOUT_NS
        wanted = key_hashes(chains.filter(pa.array(mask)))
        earlier: list[tuple[pa.Table, Span]] = []
        begin_ns = span.from_ns
        while len(wanted) and span.from_ns - begin_ns < BEYOND_NS:
            before = list(self._traffic.spans(begin_ns - 1, begin_ns))
            if not before:
                break
            found = _of_keys(self._traffic.rows(before[0]), wanted)
            if not len(found):
                break
            earlier.append(self._joined([found], before[0]))
            begin_ns = before[0].from_ns
            early = instants(found, "first_seen") <= begin_ns + IDLE_TIMEOUT_NS
            wanted = key_hashes(found.filter(pa.array(early)))
        for parts, before_span in reversed(earlier):
            merge.add(parts, before_span.to_ns)

    def _go_on(self, merge: Connections, until_ns: int) -> Iterator[pa.Table]:
        """What may go on after the last span, with the parts beyond the period that belong to it."""
        limit_ns = until_ns + BEYOND_NS
        while merge.open is not None and len(merge.open) and until_ns < limit_ns:
            mask = overlaps(
                instants(merge.open, "first_seen"), instants(merge.open, "last_seen"), self._question
            )
            merge.open = merge.open.filter(pa.array(mask))
            after = [span for span in self._traffic.spans(until_ns, until_ns + 1) if span.from_ns == until_ns]
            if not after or not len(merge.open):
                break
            rows = _of_keys(self._traffic.rows(after[0]), key_hashes(merge.open))
            parts, _ = self._joined([rows], after[0])
            until_ns = after[0].to_ns
            yield from self._asked(merge.add(parts, until_ns))
        rest = merge.rest()
        if rest is not None and len(rest):
            yield from self._asked(rest.sort_by("first_seen"))


def _of_keys(rows: pa.Table, wanted: NDArray[np.uint64]) -> pa.Table:
    if not len(rows):
        return rows
    return rows.filter(pa.array(np.isin(key_hashes(rows), wanted)))
