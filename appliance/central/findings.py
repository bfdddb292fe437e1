"""What a check of a central finds: faults and notices, each with its exact place, in bounded memory."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from peewee import ModelSelect

from appliance.vault.chain_check import Fault

Progress = Callable[[int, int], None]
"""Told (bytes read, bytes to read)."""

KEPT_IN_MIND = 2_000
"""Faults beyond so many are counted and no more named: a lost disk has one an object."""

PAGE = 500
"""Rows that are looked at together."""


@dataclass
class Findings:
    """`counts` has what was checked by kind, and `faults` and `notices` in all."""

    faults: list[Fault] = field(default_factory=list)
    notices: list[Fault] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def fault(self, place: str, what: str) -> None:
        """Something is not as it was signed, stored or promised."""
        self.counts["faults"] += 1
        if len(self.faults) < KEPT_IN_MIND:
            self.faults.append(Fault(place, what))

    def notice(self, place: str, what: str) -> None:
        """Something is worth knowing and no fault."""
        self.counts["notices"] += 1
        if len(self.notices) < KEPT_IN_MIND:
            self.notices.append(Fault(place, what))


def pages(query: "ModelSelect[Any]", key: Any, database: Any) -> Iterator[list[Any]]:
    """The rows of a query in the order of a unique column, some at a time, each page a query of its own."""
    last: Any = None
    while True:
        page = query if last is None else query.where(key > last)
        rows = list(page.order_by(key).limit(PAGE).execute(database))
        if rows:
            yield rows
        if len(rows) < PAGE:
            return
        last = getattr(rows[-1], key.name)
