"""A catalogue for a process that lives for months: what was seen is joined into periods as it comes.

A year of a busy box states a million periods and names two million journal files that its seals replaced. Of
those only what a question can still be about stays in memory.
"""

import copy
import dataclasses
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from appliance.model.coverage import Coverage
from appliance.model.instants import DAY_NS
from appliance.vault import periods
from appliance.vault.catalogue import Catalogue
from appliance.vault.chain import Entry
from appliance.vault.seals import Interruption, Seal

REPLACED_NS = 3 * DAY_NS
"""How long it is remembered which journal files a seal replaced: they are deleted within seconds."""

_LATEST = 10_000
"""Statements by which it is known that another vault's seal states the same period once more."""

_Statement = tuple[str, int, int, int, int]


@dataclass
class Digest(Catalogue):
    """`take` instead of `add`. Its seals have no coverage and replace nothing; see `seen` and `sealed_by`."""

    seen: dict[str, list[Coverage]] = field(default_factory=dict)
    """By source, what seals and interruptions state, joined as far as it came in order."""
    given: dict[tuple[str, str], Coverage] = field(default_factory=dict)
    """By run and source, the sum of what was sealed."""
    latest: dict[_Statement, None] = field(default_factory=dict)
    recent: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)

    def take(self, entry: Entry) -> Entry:
        """Take one more entry, in the order of the chain; the entry as it is to be remembered."""
        body = entry.body
        if isinstance(body, Seal | Interruption):
            new = [part for part in body.coverage if self._is_new(part)]
            for part in new:
                self._see(part)
            if isinstance(body, Seal):
                self._give(body.run, new)
                self.recent.append((entry.at_ns, body.replaces))
                body = dataclasses.replace(body, coverage=(), replaces=())
            else:
                body = dataclasses.replace(body, coverage=())
            entry = dataclasses.replace(entry, body=body)
        self.add(entry)
        return entry

    def settle(self) -> None:
        """After some entries were taken: forget which journal files were replaced long ago."""
        newest_ns = max((at_ns for at_ns, _ in self.recent), default=0)
        self.recent = [one for one in self.recent if one[0] > newest_ns - REPLACED_NS]
        self.replaced = {name for _, names in self.recent for name in names}

    def copy(self) -> Self:
        """The same, to be added to; who reads this one sees nothing of it."""
        fields = {
            one.name: copy.copy(getattr(self, one.name)) for one in dataclasses.fields(self) if one.init
        }
        fields["seen"] = {source: list(parts) for source, parts in self.seen.items()}
        return type(self)(**fields)

    def sealed_by(self, run: str, source: str) -> list[Coverage]:
        """What one run has sealed of one source, as one sum."""
        found = self.given.get((run, source))
        return [found] if found else []

    def periods(self) -> list[Coverage]:
        """The periods that seals state, joined; by source, in order of time."""
        return periods.joined(part for parts in self.seen.values() for part in parts)

    def _is_new(self, part: Coverage) -> bool:
        key = (part.source, part.first_ns, part.last_ns, part.packets, part.bytes)
        known = key in self.latest
        self.latest[key] = None
        if len(self.latest) > _LATEST:
            del self.latest[next(iter(self.latest))]
        return not known

    def _see(self, part: Coverage) -> None:
        parts = self.seen.setdefault(part.source, [])
        parts[-1:] = periods.joined([*parts[-1:], part])

    def _give(self, run: str, new: Iterable[Coverage]) -> None:
        for part in new:
            before = self.given.get((run, part.source))
            self.given[run, part.source] = _sum(before, part) if before else part


def _sum(one: Coverage, other: Coverage) -> Coverage:
    """Counts added, from the first instant to the last."""
    return Coverage(
        one.source,
        min(one.first_ns, other.first_ns),
        max(one.last_ns, other.last_ns),
        one.packets + other.packets,
        one.bytes + other.bytes,
        lost=dict(Counter(one.lost) + Counter(other.lost)),
        noted=dict(Counter(one.noted) + Counter(other.noted)),
    )
