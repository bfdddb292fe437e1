"""Data records gathered by template, so that many are read at once, and what was read of them."""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from appliance.feeds.netflow.domains import Domain
from appliance.feeds.netflow.events import read_translations, tells_translations
from appliance.feeds.netflow.records import Columns, Head, Sets
from appliance.feeds.netflow.stating import state_flows
from appliance.feeds.netflow.stations import read_claims, tells_stations
from appliance.feeds.netflow.surroundings import Senders
from appliance.feeds.netflow.templates import Template
from appliance.feeds.netflow.totals import TOTALS, Totals
from appliance.feeds.told import Rows
from appliance.model.reasons import Note, Refusal
from appliance.model.rows import CLAIM, STATED, TRANSLATION
from appliance.model.texts import Texts

ROWS_LIMIT = 65_536
"""Records read at once: larger pieces are no faster, and their columns leave the processor's cache."""

Piece = tuple[Rows, NDArray[np.int64]]
"""Rows, and the order in which the messages they are of arrived."""


class Gathering:
    """Records of one call, and what they told. `read` before what holds for a domain changes."""

    def __init__(self, texts: Texts, senders: Senders, totals: Totals) -> None:
        self.refused: Counter[str] = Counter()
        self.noted: Counter[str] = Counter()
        self._texts = texts
        self._senders = senders
        self._totals = totals
        self._sets: dict[tuple[Domain, Template], Sets] = {}
        self._records = 0
        self._arrivals = 0
        self._flows: list[Piece] = []
        self._claims: list[Piece] = []
        self._translations: list[Piece] = []

    def add(self, domain: Domain, template: Template, records: bytes, count: int, head: Head) -> None:
        """Take the records of one set, in the form of `template.layout`."""
        sets = self._sets.get((domain, template))
        if sets is None:
            sets = self._sets[domain, template] = Sets()
        sets.add(records, count, (*head, self._arrivals))
        self._arrivals += 1
        self._records += count
        if self._records >= ROWS_LIMIT:
            self.read()

    def read(self) -> None:
        """Read what has been gathered, under what holds for its domains now."""
        gathered = [
            (domain, Columns(template, sets, self._texts)) for (domain, template), sets in self._sets.items()
        ]
        for domain, columns in gathered:  # before any is read, so that it does not matter which comes first
            domain.outgoing.observe(columns)
            self._senders.observe(columns)
        for domain, columns in gathered:
            self.noted[Note.CONTENT_STRIPPED] += columns.template.content * len(columns)
            self._read(domain, columns)
        self._sets = {}
        self._records = 0

    def _read(self, domain: Domain, columns: Columns) -> None:
        arrivals = columns.heads.arrivals
        init_ms = domain.sampling.init_ms
        if tells_translations(columns.template):
            rows, of = read_translations(columns, init_ms, self.noted)
            self.refused[Refusal.NOTHING_TO_KEEP] += len(columns) - len(rows)
            self._translations.append((rows, arrivals[of]))
            return
        claimed = np.zeros(len(columns), np.bool_)
        if tells_stations(columns.template):
            rows, of, claimed = read_claims(columns, init_ms)
            self._claims.append((rows, arrivals[of]))
        if columns.has_ends():
            rows, of = state_flows(columns, domain, self._senders, self.refused, self.noted)
            if columns.has(*TOTALS):
                new = self._totals.reduce(columns, of, domain, rows, self.noted)
                rows, of = rows[new], of[new]
            self._flows.append((rows, arrivals[of]))
        else:
            self.refused[Refusal.NO_ADDRESSES] += int(np.count_nonzero(~claimed))

    def flows(self) -> Rows:
        """STATED rows in the order of their messages."""
        return _in_order(self._flows, STATED)

    def claims(self) -> Rows:
        """CLAIM rows in the order of their messages."""
        return _in_order(self._claims, CLAIM)

    def translations(self) -> Rows:
        """TRANSLATION rows in the order of their messages."""
        return _in_order(self._translations, TRANSLATION)


def _in_order(pieces: list[Piece], dtype: np.dtype[Any]) -> Rows:
    if not pieces:
        return np.empty(0, dtype)
    if len(pieces) == 1:
        return pieces[0][0]
    arrivals = np.concatenate([arrivals for _, arrivals in pieces])
    rows = np.empty(len(arrivals), dtype)
    end = len(rows)
    while pieces:  # each is let go once it is copied: together they may be large
        piece = pieces.pop()[0]
        rows[end - len(piece) : end] = piece
        end -= len(piece)
    if np.all(arrivals[1:] >= arrivals[:-1]):
        return rows
    return rows[np.argsort(arrivals, kind="stable")]
