"""What a box remembers of one central's receipts, and when they contradict one another. Touches no file.

A central that works as it should gives each object one receipt, each number once, and each receipt names the
one before. One that was put back to an earlier state, from a backup, gives numbers anew: then two receipts it
signed exclude one another, and nothing from there on is believed any more.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

_MOST_GAPS = 1000


class Verdict(StrEnum):
    """What came of a receipt."""

    NEW = "new"
    KNOWN = "known"
    PUT_BACK = "put back"
    """It contradicts others: central had been put back, and those from there on count no more."""
    OUTDATED = "outdated"
    """It contradicts later ones: it was signed before central was put back, and does not count itself."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What counts of a receipt. `hash` is its own, `previous` that of the receipt before it."""

    sequence: int
    name: str
    sha256: str
    hash: str
    previous: str


class Book:
    """Receipts by name and by number. `signed` gives the hash of the bytes signed for, by name."""

    def __init__(self) -> None:
        self.by_name: dict[str, Kept] = {}
        self.signed: dict[str, str] = {}
        self.gaps: list[tuple[int, int]] = []
        self.highest = 0
        self.void_count = 0
        """How many receipts were forgotten by `void`."""
        self._by_sequence: dict[int, Kept] = {}

    def __len__(self) -> int:
        return len(self._by_sequence)

    @property
    def absent(self) -> int:
        """How many receipts central gave to this site that never came here."""
        return sum(last - first + 1 for first, last in self.gaps)

    def contradictions(self, came: Kept) -> list[Kept]:
        """The receipts known that cannot be true together with this one."""
        at, before, after = (self._by_sequence.get(came.sequence + step) for step in (0, -1, 1))
        same = self.by_name.get(came.name)
        found = {
            one.sequence: one
            for one, excluded in (
                (at, at is not None and at.hash != came.hash),
                (before, before is not None and before.hash != came.previous),
                (after, after is not None and after.previous != came.hash),
                (same, same is not None and same.hash != came.hash),
            )
            if one is not None and excluded
        }
        return [found[sequence] for sequence in sorted(found)]

    def put(self, kept: Kept) -> None:
        """Take a receipt that contradicts none."""
        self.by_name[kept.name] = self._by_sequence[kept.sequence] = kept
        self.signed[kept.name] = kept.sha256
        if kept.sequence > self.highest + 1:
            self.gaps = [*self.gaps, (self.highest + 1, kept.sequence - 1)][-_MOST_GAPS:]
        elif kept.sequence < self.highest:
            self._fill(kept.sequence)
        self.highest = max(self.highest, kept.sequence)

    def void(self, sequence: int) -> None:
        """Forget every receipt of this number and above."""
        void = [number for number in self._by_sequence if number >= sequence]
        self.void_count += len(void)
        for number in void:
            self._drop(self._by_sequence[number])
        self.highest = min(self.highest, sequence - 1)
        self.gaps = [(first, min(last, self.highest)) for first, last in self.gaps if first <= self.highest]

    def gone(self, is_gone: Callable[[str], bool]) -> list[Kept]:
        """The receipts of objects that are no more; the highest number is never among them."""
        return [kept for kept in self.by_name.values() if kept.sequence < self.highest and is_gone(kept.name)]

    def drop(self, receipts: Iterable[Kept]) -> None:
        """Forget some receipts; that they are not here is no gap."""
        for kept in receipts:
            self._drop(kept)

    def _drop(self, kept: Kept) -> None:
        del self._by_sequence[kept.sequence]
        if self.by_name.get(kept.name) is kept:
            del self.by_name[kept.name], self.signed[kept.name]

    def _fill(self, sequence: int) -> None:
        for place, (first, last) in enumerate(self.gaps):
            if first <= sequence <= last:
                parts = ((first, sequence - 1), (sequence + 1, last))
                self.gaps[place : place + 1] = [part for part in parts if part[0] <= part[1]]
                return


def settled(book: Book, besides: Mapping[str, str]) -> Mapping[str, str]:
    """What need not be sent: what was signed for, and what central says it needs no more."""
    return {**book.signed, **besides} if besides else book.signed
