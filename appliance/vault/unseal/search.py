"""Answers a question over a whole home: a stream of connections, out of segments and journals alike.

Span follows span (see `shelves`), and only what a question can concern is decrypted. A connection that
overlaps the period asked for is given whole: if it may have begun before the first span or gone on after
the last, spans beyond are read for it alone, at most a day each way. Rows come in order of the span in
which a connection was over, and within one by their start.
"""

import datetime as dt
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from appliance.model.instants import DAY_NS
from appliance.model.schemas import BINDING_SCHEMA
from appliance.vault.names import Home, VaultName
from appliance.vault.unseal.connections import IDLE_TIMEOUT_NS, ROWS_AT_ONCE, Connections, once
from appliance.vault.unseal.holders import Holders
from appliance.vault.unseal.intervals import GAP_NS, intervals
from appliance.vault.unseal.journal import Opener
from appliance.vault.unseal.parts import ends_hashes, instants
from appliance.vault.unseal.question import FOREVER_NS, Mask, Question, equal
from appliance.vault.unseal.segments import overlaps
from appliance.vault.unseal.shelves import Shelves, Span

BEYOND_NS = DAY_NS
"""How far beyond the period asked for the rest of a connection is looked for."""


class Search:
    """One question put to one home, by custodians who are present (`opener`)."""

    def __init__(
        self, home: Home, opener: Opener, question: Question, damaged: dict[Path, str] | None = None
    ) -> None:
        """With `damaged` files that do not open are noted there and left out, and do not end the search."""
        self._question = question
        # Whatever the period: the other parts of a connection are wanted too. Whose MAC it was, and what its
        # address was after NAT, may be known only once bindings are joined.
        wanted = replace(question.during(0, FOREVER_NS), nat_ip=None, nat_port=None, or_unknown=True)
        self._traffic = Shelves(home, VaultName.TRAFFIC, opener, wanted, damaged=damaged)
        # Of bindings, all of an address: the point is to see who else claimed it; and all associations.
        holder = Question(client_ip=question.client_ip, or_unknown=True)
        self._source = Shelves(home, VaultName.SOURCE, opener, holder, damaged=damaged)

    @property
    def destroyed(self) -> list[dt.date]:
        """The days met whose traffic was destroyed after its term."""
        return sorted(self._traffic.destroyed)

    def parts(self) -> Iterator[pa.Table]:
        """Every part as it was written, once; tables of JOINED_SCHEMA."""
        for rows, _ in self._stretches():
            ordered = once(rows)
            order = np.argsort(instants(ordered, "first_seen"), kind="stable")
            for start in range(0, len(order), ROWS_AT_ONCE):
                yield from self._asked(ordered.take(order[start : start + ROWS_AT_ONCE]))

    def connections(self) -> Iterator[pa.Table]:
        """Parts merged into connections; tables of JOINED_SCHEMA."""
        merge = Connections()
        until_ns = 0
        for rows, span in self._stretches():
            if not until_ns and self._question.from_ns:
                self._begin(merge, rows, span)
            until_ns = span.to_ns
            for over in merge.add(rows, until_ns):
                yield from self._asked(over)
        yield from self._go_on(merge, until_ns)

    def _stretches(self) -> Iterator[tuple[pa.Table, Span]]:
        """Rows of some spans that answer, with holders joined, and the stretch of time they fill."""
        found: list[pa.Table] = []
        begin_ns = end_ns = 0
        for span in self._traffic.spans(self._question.from_ns, self._question.to_ns):
            full = sum(map(len, found)) >= ROWS_AT_ONCE or span.from_ns // DAY_NS != begin_ns // DAY_NS
            if found and full:
                yield self._joined(found, Span(begin_ns, end_ns, ()))
                found = []
            if not found:
                begin_ns = span.from_ns
            found.extend(self._traffic.rows(span))
            end_ns = span.to_ns
        if found:
            yield self._joined(found, Span(begin_ns, end_ns, ()))

    def _joined(self, found: list[pa.Table], span: Span) -> tuple[pa.Table, Span]:
        """Rows with who held their client's address; takes them out of `found`, to hold them once only."""
        spans = self._source.spans(span.from_ns - GAP_NS, span.to_ns + GAP_NS)
        parts = [
            BINDING_SCHEMA.empty_table(),
            *(table for near in spans for table in self._source.rows(near)),
        ]
        holders = Holders(intervals(pa.concat_tables(parts)))
        joined = [self._meant(holders.join(self._possible(found.pop(0), holders))) for _ in range(len(found))]
        return pa.concat_tables(joined), span

    def _possible(self, rows: pa.Table, holders: Holders) -> pa.Table:
        """Rows that may be of the MAC asked for: of those without one, from addresses that it held."""
        asked = self._question.client_mac
        if asked is None or not rows["client_mac"].null_count:
            return rows
        held = pc.is_in(rows["client_ip"], holders.addresses_of(asked))
        return rows.filter(pc.or_(held, pc.is_valid(rows["client_mac"])))

    def _meant(self, rows: pa.Table) -> pa.Table:
        """Those of the MAC and the translation asked for, now that these are known."""
        mask = self._question.translates(rows)
        if self._question.client_mac is not None:
            mask &= equal(rows, "client_mac", self._question.client_mac)
        return rows if mask.all() else rows.filter(pa.array(mask))

    def _asked(self, rows: pa.Table) -> Iterator[pa.Table]:
        """Those that overlap the period."""
        mask = self._overlapping(rows)
        if mask.any():
            yield rows if mask.all() else rows.filter(pa.array(mask))

    def _overlapping(self, rows: pa.Table) -> Mask:
        return overlaps(instants(rows, "first_seen"), instants(rows, "last_seen"), self._question)

    def _begin(self, merge: Connections, rows: pa.Table, span: Span) -> None:
        """Give `merge` the parts before the first span of connections that overlap the period."""
        early = instants(rows, "first_seen") <= span.from_ns + IDLE_TIMEOUT_NS
        trial = Connections()
        begun = _of_ends(rows, ends_hashes(rows.filter(pa.array(early))))
        over = list(trial.add(begun, span.to_ns))
        chains = pa.concat_tables([*over, trial.rest()])
        early = instants(chains, "first_seen") <= span.from_ns + IDLE_TIMEOUT_NS
        wanted = ends_hashes(chains.filter(pa.array(self._overlapping(chains) & early)))
        earlier: list[tuple[pa.Table, Span]] = []
        begin_ns = span.from_ns
        while len(wanted) and span.from_ns - begin_ns < BEYOND_NS:
            before = list(self._traffic.spans(begin_ns - IDLE_TIMEOUT_NS, begin_ns))[-1:]
            found = [_of_ends(rows, wanted) for near in before for rows in self._traffic.rows(near)]
            if not sum(map(len, found)):
                break
            parts, begin_ns = self._joined(found, before[0])[0], before[0].from_ns
            earlier.append((parts, before[0]))
            early = instants(parts, "first_seen") <= begin_ns + IDLE_TIMEOUT_NS
            wanted = ends_hashes(parts.filter(pa.array(early)))
        for parts, before_span in reversed(earlier):
            deque(merge.add(parts, before_span.to_ns), maxlen=0)  # over before the period began

    def _go_on(self, merge: Connections, until_ns: int) -> Iterator[pa.Table]:
        """What may go on after the last span, with the parts beyond the period that belong to it."""
        limit_ns = until_ns + BEYOND_NS
        while merge.open is not None and until_ns < limit_ns:
            touching = merge.open.filter(pa.array(self._overlapping(merge.open)))
            merge.open = _of_ends(merge.open, ends_hashes(touching))
            after = list(self._traffic.spans(until_ns, until_ns + IDLE_TIMEOUT_NS))[:1]
            if not after or not len(merge.open):
                break
            wanted = ends_hashes(merge.open)
            found = [_of_ends(rows, wanted) for rows in self._traffic.rows(after[0])]
            until_ns = after[0].to_ns
            parts = self._joined(found, after[0])[0] if found else merge.open.slice(0, 0)
            for over in merge.add(parts, until_ns):
                yield from self._asked(over)
        rest = merge.rest()
        if rest is not None:
            yield from self._asked(rest.sort_by("first_seen"))


def _of_ends(rows: pa.Table, wanted: NDArray[np.uint64]) -> pa.Table:
    return rows.filter(pa.array(np.isin(ends_hashes(rows), wanted)))
