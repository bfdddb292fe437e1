"""The calendar: bases as shipped and as confirmed, and how each stands on a day. Pure.

A basis whose end is known lapses with it, unless the operator has confirmed that another text follows. What
is kept already stays for its term all the same: a lapse only concerns what comes after it.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

TEXT_LETTERS = 300


class State(StrEnum):
    """How a basis stands on a day."""

    IN_FORCE = "in-force"
    LAPSING = "lapsing"
    LAPSED = "lapsed"
    UNLIMITED = "unlimited"


@dataclass(frozen=True)
class Basis:
    """What obliges to keep some vaults. Both days included; None where beginning or end is not known.

    `texts` by language; `longest_days` a confirmed period may have; `warn_days` before the end.
    """

    key: str
    vaults: tuple[str, ...]
    term_years: int
    articles: tuple[str, ...]
    sources: tuple[str, ...]
    texts: Mapping[str, str]
    first_day: dt.date | None = None
    last_day: dt.date | None = None
    longest_days: int = 366
    warn_days: int = 60


@dataclass(frozen=True)
class Table:
    """The bases of a country, as they were found on a day; `general`, by language, holds for all of them."""

    dated: dt.date
    bases: tuple[Basis, ...]
    general: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def basis(self, key: str) -> Basis | None:
        """The basis of this key; None if there is none."""
        return next((basis for basis in self.bases if basis.key == key), None)


@dataclass(frozen=True)
class Confirmation:
    """The operator's statement that a basis is in force by a text, both days included; `by` said it."""

    basis: str
    text: str
    first_day: dt.date
    last_day: dt.date
    by: str
    at_ns: int


@dataclass(frozen=True)
class Standing:
    """How a basis stands: the period that counts, days left of it (0: today is the last), who confirmed it.

    `must_confirm`: it ends soon or has ended, and only the operator can know what follows.
    """

    basis: Basis
    state: State
    first_day: dt.date | None
    last_day: dt.date | None
    days_left: int | None
    must_confirm: bool
    confirmation: Confirmation | None


def wrong(table: Table, confirmation: Confirmation, today: dt.date) -> str | None:
    """Why a confirmation cannot be meant, in a sentence; None if it can."""
    basis = table.basis(confirmation.basis)
    if basis is None:
        return f"there is no legal basis '{confirmation.basis}'; there are {_keys(table)}"
    if basis.last_day is None:
        return f"'{basis.key}' has no end, so there is nothing to confirm"
    text = confirmation.text
    if not text.strip() or len(text) > TEXT_LETTERS or not text.isprintable():
        return f"name the text that renews it, on one line of at most {TEXT_LETTERS} letters"
    if confirmation.last_day < confirmation.first_day:
        return "the last day is before the first"
    if (confirmation.last_day - confirmation.first_day).days >= basis.longest_days:
        return f"a period of more than {basis.longest_days} days cannot be meant: the text is of one year"
    if confirmation.last_day < today:
        return f"the period ended on {confirmation.last_day}; confirm the one that counts now"
    return None


def _keys(table: Table) -> str:
    return ", ".join(basis.key for basis in table.bases)


def standing(basis: Basis, confirmations: Iterable[Confirmation], today: dt.date) -> Standing:
    """How a basis stands today."""
    if basis.last_day is None:
        return Standing(basis, State.UNLIMITED, basis.first_day, None, None, False, None)
    own = [one for one in confirmations if one.basis == basis.key]
    period = _current(spells(basis, own), today)
    spoken = _newest(own, period, today)
    if not period[0] <= today <= period[1]:
        days = (period[1] - today).days
        return Standing(basis, State.LAPSED, *period, min(days, 0), True, spoken)
    left = (period[1] - today).days
    state = State.LAPSING if left < basis.warn_days else State.IN_FORCE
    return Standing(basis, state, *period, left, state is State.LAPSING, spoken)


def spells(basis: Basis, confirmations: Iterable[Confirmation]) -> list[tuple[dt.date, dt.date]]:
    """The periods in which a basis is known to be in force, in order; those that touch are one."""
    last = basis.last_day or dt.date.max
    found = sorted(
        [
            (basis.first_day or dt.date.min, last),
            *((one.first_day, one.last_day) for one in confirmations if one.basis == basis.key),
        ]
    )
    joined = [found[0]]
    for first_day, last_day in found[1:]:
        if joined[-1][1] == dt.date.max or first_day <= joined[-1][1] + dt.timedelta(days=1):
            joined[-1] = (joined[-1][0], max(joined[-1][1], last_day))
        else:
            joined.append((first_day, last_day))
    return joined


def gaps(
    bases: Sequence[Basis], confirmations: Sequence[Confirmation], vault: str
) -> list[tuple[dt.date, dt.date]]:
    """The periods, both days included, in which no basis obliges to keep this vault; from the first one on.

    A vault with several bases is kept as long as one of them is in force. Of days before any basis that is
    known here nothing is said: they may have had another.
    """
    found = sorted(
        spell for basis in bases if vault in basis.vaults for spell in spells(basis, confirmations)
    )
    missing, reached = [], found[0][1] if found else dt.date.max
    for first_day, last_day in found:
        if reached < dt.date.max and first_day > reached + dt.timedelta(days=1):
            missing.append((reached + dt.timedelta(days=1), first_day - dt.timedelta(days=1)))
        reached = max(reached, last_day)
    if reached < dt.date.max:
        missing.append((reached + dt.timedelta(days=1), dt.date.max))
    return missing


def _current(found: Sequence[tuple[dt.date, dt.date]], today: dt.date) -> tuple[dt.date, dt.date]:
    """The period that has today, else the last one that ended, else the first that begins."""
    begun = [spell for spell in found if spell[0] <= today]
    return begun[-1] if begun else found[0]


def _newest(
    confirmations: Sequence[Confirmation], period: tuple[dt.date, dt.date], today: dt.date
) -> Confirmation | None:
    """The statement that carries a period furthest: who answers for it now."""
    within = [one for one in confirmations if period[0] <= one.first_day and one.last_day <= period[1]]
    carrying = [one for one in within if one.first_day <= today] or within
    return max(carrying, key=lambda one: (one.last_day, one.at_ns), default=None)
