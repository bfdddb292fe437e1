"""What is missing at a central, in the order in which it is to go. Pure.

What secures the last minutes goes first: without its envelope a day is lost, and journals are all there is
of the hour that is not sealed yet. Then the chain, because a segment rests on the line that seals it; then
the rest, oldest first. Nothing is remembered of what went wrong: positions are compared anew each time.
"""

import datetime as dt
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum


class Urgency(IntEnum):
    """What goes before what."""

    ENVELOPE = 0
    JOURNAL = 1
    LINE = 2
    STATISTICS = 3
    BULK = 4
    """Segments, and journal files that a dead run left."""


@dataclass(frozen=True, slots=True)
class Item:
    """An object of a home. `at_ns` is when it came to be.

    `sha256` is None where no line of the chain fixes it; it is hashed as it lies then. `line` is the number
    of the line that fixes it, or that it is, -1 where there is none; a line begins at `offset` of the chain.
    """

    name: str
    urgency: Urgency
    at_ns: int
    size_bytes: int
    sha256: str | None = None
    day: dt.date | None = None
    line: int = -1
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is still to go: objects, bytes, and since when the oldest of them waits."""

    objects: int
    size_bytes: int
    oldest_ns: int | None


def missing(items: Iterable[Item], acknowledged: Mapping[str, str], today: dt.date) -> list[Item]:
    """What a central has not signed for, in order. `acknowledged` gives the hash it signed for, by name."""
    lacking = [
        item
        for item in items
        if (signed := acknowledged.get(item.name)) is None
        or (item.sha256 is not None and signed != item.sha256)
    ]
    lacking.sort(key=lambda item: _order(item, today))
    return lacking


def _order(item: Item, today: dt.date) -> tuple[int, bool, int, int, str]:
    later = item.day != today and item.urgency in (Urgency.ENVELOPE, Urgency.JOURNAL)
    return item.urgency, later, item.line, item.at_ns, item.name


def due(lacking: Iterable[Item], aside: Container[str], stopped_at: int | None, may_bulk: bool) -> list[Item]:
    """Of what is missing, what may go now.

    `aside` are names that central will not take. Nothing goes that rests on line `stopped_at` or a later one,
    which will not be taken either. Without `may_bulk` only what is small and urgent goes.
    """
    return [
        item
        for item in lacking
        if item.name not in aside
        and (may_bulk or item.urgency <= Urgency.LINE)
        and not (stopped_at is not None and item.urgency >= Urgency.LINE and item.line >= stopped_at)
    ]


def backlog(lacking: Sequence[Item]) -> Backlog:
    """What is missing, in numbers."""
    return Backlog(
        len(lacking),
        sum(item.size_bytes for item in lacking),
        min((item.at_ns for item in lacking), default=None),
    )
