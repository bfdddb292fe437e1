"""Compares two centrals object by object, and mends what one lacks, or has lost, from the other.

Names and hashes decide, receipts are each central's own. A row that is replaced or destroyed on one side says
that its bytes are to be gone there: they are never brought back.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from peewee import fn

from appliance.central import holds, lines, object_check, sites
from appliance.central.findings import KEPT_IN_MIND, Progress, pages
from appliance.central.object_check import Faulty
from appliance.central.places import Central
from appliance.central.tables import Key, Site, Stored
from appliance.replication.names import Kind


@dataclass
class Counted:
    """Names of objects, all counted, as many named as a person reads."""

    count: int = 0
    named: list[str] = field(default_factory=list)

    def add(self, name: str) -> None:
        self.count += 1
        if len(self.named) < KEPT_IN_MIND:
            self.named.append(name)


@dataclass
class Side:
    """What one central has to say against the other about one site.

    It lacks `lacking` (the other keeps them, it has no row of them), has signed for `lost` and has them not,
    or not unhurt; `replaced` journals and `destroyed` keys are gone here and kept there.
    """

    lacking: Counted = field(default_factory=Counted)
    lost: Counted = field(default_factory=Counted)
    replaced: Counted = field(default_factory=Counted)
    destroyed: Counted = field(default_factory=Counted)


@dataclass
class Compared:
    """Two centrals about one site. `sides` are those of the first and the second central.

    `differ` are names under which each keeps other bytes; `settings` says what was agreed otherwise.
    """

    site: str
    name: str
    sides: tuple[Side, Side] = field(default_factory=lambda: (Side(), Side()))
    same: int = 0
    differ: Counted = field(default_factory=Counted)
    settings: list[str] = field(default_factory=list)
    unknown_at: int | None = None
    """0 or 1: the central where this site was never enrolled."""

    @property
    def is_equal(self) -> bool:
        """Whether both keep the same bytes under the same names, but for what one may have no more."""
        lacks = any(side.lacking.count or side.lost.count for side in self.sides)
        return not (lacks or self.differ.count or self.unknown_at is not None)


Pair = tuple[Central, Central]


def compare(
    pair: Pair, progress: Progress = lambda done, total: None, reread: bool = False
) -> list[Compared]:
    """Every site of either central. With `reread` all bytes are read, without it rows are compared only.

    Raises CentralError where a catalogue does not answer, StorageError where a store does not.
    """
    total = sum(bytes_of(central) for central in pair)
    comparing = _Comparing(pair, progress, reread, total)
    known = [{site.fingerprint: site for site in sites.every(central)} for central in pair]
    every = dict.fromkeys([*known[0], *known[1]])
    return [comparing.site(known[0].get(each), known[1].get(each)) for each in every]


class _Comparing:
    def __init__(self, pair: Pair, progress: Progress, reread: bool, total: int) -> None:
        self._pair = pair
        self._progress = progress
        self._reread = reread
        self._total = total
        self._done = 0

    def site(self, first: Site | None, second: Site | None) -> Compared:
        known = first or second
        assert known
        found = Compared(known.fingerprint, known.name)
        if first is None or second is None:
            found.unknown_at = 0 if first is None else 1
            return found
        found.settings = list(_settings(self._pair, (first, second)))
        for one, other in ((0, 1), (1, 0)):
            self._look(found, (first, second), one, other)
        return found

    def _look(self, found: Compared, both: tuple[Site, Site], one: int, other: int) -> None:
        """What the other side makes of what one side keeps, and whether this side has it unhurt."""
        central, site = self._pair[one], both[one]
        rows = Stored.select().where(Stored.site == site, Stored.state == "kept")
        for page in pages(rows, Stored.sequence, central.database):
            theirs = _rows(self._pair[other], both[other], [row.name for row in page])
            ended = _ended(self._pair[other], both[other], page)
            for row in page:
                there = theirs.get(row.name)
                if there is not None:
                    self._place(found, row, there, one, other)
                elif row.key_id not in ended and not self._is_needless(both[other], other, row):
                    found.sides[other].lacking.add(row.name)
                if self._reread and not self._is_unhurt(central, site, row):
                    found.sides[one].lost.add(row.name)
                self._done += row.size_bytes
                self._progress(self._done, max(self._done, self._total))
        for key in _destroyed_here(self._pair[one], site, self._pair[other], both[other]):
            found.sides[one].destroyed.add(key)

    def _is_needless(self, theirs: Site, other: int, row: Stored) -> bool:
        """Whether a journal has been replaced over there before it came."""
        return row.kind == Kind.JOURNAL and lines.needless(self._pair[other], theirs, row.name)

    def _place(self, found: Compared, row: Stored, theirs: Stored, one: int, other: int) -> None:
        if bytes(theirs.sha256) != bytes(row.sha256):
            if one == 0 or theirs.state != "kept":
                found.differ.add(row.name)
        elif theirs.state == "kept":
            found.same += one == 0
        elif theirs.state == "replaced":
            found.sides[other].replaced.add(row.name)

    def _is_unhurt(self, central: Central, site: Site, row: Stored) -> bool:
        try:
            object_check.check_bytes(central, site, row)
        except Faulty:
            return not object_check.is_kept(central, site, row)
        return True


def _rows(central: Central, site: Site, wanted: list[str]) -> dict[str, Stored]:
    query = Stored.select().where(Stored.site == site, Stored.name.in_(wanted))
    return {row.name: row for row in query.execute(central.database)}


def _ended(central: Central, site: Site, rows: list[Stored]) -> set[str]:
    """Of the keys of some rows those whose destruction has at least begun here."""
    wanted = list({row.key_id for row in rows if row.key_id})
    query = Key.select(Key.key_id).where(Key.site == site, Key.key_id.in_(wanted))
    query = query.where(Key.state.in_(("ordered", "destroyed")))
    return {key_id for (key_id,) in query.tuples().execute(central.database)}


def bytes_of(central: Central) -> int:
    """How much a central keeps."""
    query = Stored.select(fn.SUM(Stored.size_bytes)).where(Stored.state == "kept")
    return int(query.scalar(central.database) or 0)


def _destroyed_here(one: Central, site: Site, other: Central, theirs: Site) -> Iterator[str]:
    """Keys that are destroyed at one central, or ordered to be, and live at the other."""
    gone = Key.select().where(Key.site == site, Key.state.in_(("ordered", "destroyed")))
    for page in pages(gone, Key.key_id, one.database):
        query = Key.select(Key.key_id).where(
            Key.site == theirs, Key.key_id.in_([key.key_id for key in page]), Key.state == "kept"
        )
        living = {key_id for (key_id,) in query.tuples().execute(other.database)}
        yield from (f"{key.vault} {key.day} {key.key_id}" for key in page if key.key_id in living)


def _settings(pair: Pair, both: tuple[Site, Site]) -> Iterator[str]:
    first, second = both
    if first.state != second.state:
        yield f"the site is {first.state} here and {second.state} there"
    if sites.terms_of(first) != sites.terms_of(second):
        yield f"the terms are {_terms(first)} here and {_terms(second)} there"
    placed = [
        {hold.reference: _hold(hold) for hold in holds.of_site(c, s)} for c, s in zip(pair, both, strict=True)
    ]
    for reference in sorted({*placed[0], *placed[1]}):
        here, there = (side.get(reference, "unknown") for side in placed)
        if here != there:
            yield f"the hold '{reference}' is {here} here and {there} there"


def _terms(site: Site) -> str:
    return ", ".join(f"{vault} {years}" for vault, years in sorted(sites.terms_of(site).items())) + " years"


def _hold(hold: Any) -> str:
    scope = f"on {hold.vaults} {hold.first_day} to {hold.last_day} until {hold.until}"
    return f"lifted, {scope}" if hold.ended_at_ns is not None else scope
