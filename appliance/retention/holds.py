"""Holds: preservation orders that keep stated vaults and days beyond their term, and nothing else.

An order is a signed line of the chain, so that central obeys it too and nobody can deny it. It ends on its
date by itself. Placed and destroyed under one lock: a day is either kept whole or was gone before.
"""

import datetime as dt
from dataclasses import dataclass

from appliance.model.errors import UsageError
from appliance.model.instants import day_of
from appliance.runtime import locks
from appliance.runtime.clock import Clock, now_ns
from appliance.vault import chain as chains
from appliance.vault.catalogue import Catalogue
from appliance.vault.chain import Chain
from appliance.vault.names import Home, VaultName
from appliance.vault.seals import Hold, HoldEnded


@dataclass(frozen=True)
class HeldScope:
    """A hold and how it stands: days of vaults that are kept, and that had gone before; and days alone."""

    hold: Hold
    state: str
    """holding; ended (its date has passed); lifted."""
    kept: int
    gone: int
    kept_days: int
    """Days of which a vault at least is kept."""
    gone_days: int
    """Days of which nothing is left, and something was."""


def free_on(hold: Hold) -> dt.date:
    """The first day on which a hold keeps nothing any more."""
    return hold.until + dt.timedelta(days=1)


def keeping(catalogue: Catalogue, vault: VaultName, day: dt.date, today: dt.date) -> Hold | None:
    """Of the holds that keep a vault's day today the one that does so longest; None if there is none."""
    found = [hold for hold in catalogue.holding(vault, day) if today <= hold.until]
    return max(found, key=lambda hold: hold.until, default=None)


def check_new(catalogue: Catalogue, hold: Hold, today: dt.date) -> None:
    """Raises UsageError for a hold that is over or whose reference was used."""
    if hold.reference in catalogue.holds:
        raise UsageError(
            f"the reference '{hold.reference}' was used before; to prolong a hold place another under "
            "a reference of its own"
        )
    if hold.until < today:
        raise UsageError(f"{hold.until} has passed; give a day from {today} on")


def found(catalogue: Catalogue, reference: str) -> Hold:
    """The hold that is to be lifted. Raises UsageError if there is none to lift."""
    hold = catalogue.holds.get(reference)
    if hold is None:
        known = ", ".join(f"'{name}'" for name in catalogue.holds) or "none"
        raise UsageError(f"there is no hold '{reference}'; those known: {known}")
    if reference in catalogue.lifted:
        raise UsageError(f"the hold '{reference}' was lifted already")
    return hold


def place(home: Home, hold: Hold, clock: Clock = now_ns) -> HeldScope:
    """Sign a hold into the chain.

    Raises UsageError for one that is over or whose reference was used, HomeError, StorageError.
    """
    with locks.exclusive(home.state / "retention.lock"):
        chain = Chain.open(home)
        chain.clock = clock
        catalogue = Catalogue.of(chains.read(home))
        today = day_of(clock())
        check_new(catalogue, hold, today)
        [entry] = chain.append([hold])
        catalogue.add(entry)
        return _standing(catalogue, hold, today)


def end(home: Home, reference: str, clock: Clock = now_ns) -> HeldScope:
    """Lift a hold before its date. Raises UsageError if there is none to lift, HomeError, StorageError."""
    with locks.exclusive(home.state / "retention.lock"):
        chain = Chain.open(home)
        chain.clock = clock
        catalogue = Catalogue.of(chains.read(home))
        hold = found(catalogue, reference)
        [entry] = chain.append([HoldEnded(reference)])
        catalogue.add(entry)
        return _standing(catalogue, hold, day_of(clock()))


def standing(home: Home, today: dt.date) -> list[HeldScope]:
    """Every hold that the chain knows, as placed. Raises HomeError."""
    return of_catalogue(Catalogue.of(chains.read(home)), today)


def of_catalogue(catalogue: Catalogue, today: dt.date) -> list[HeldScope]:
    """`standing` of a chain that was read."""
    return [_standing(catalogue, hold, today) for hold in catalogue.holds.values()]


def _standing(catalogue: Catalogue, hold: Hold, today: dt.date) -> HeldScope:
    made = {(one.vault, one.day) for one in catalogue.envelopes.values() if hold.covers(one.vault, one.day)}
    living = made & {
        scope for scope, keys in catalogue.living_keys().items() if set(keys) - catalogue.ordered
    }
    lifted = hold.reference in catalogue.lifted
    state = "lifted" if lifted else "ended" if today > hold.until else "holding"
    days, kept_days = ({day for _, day in scopes} for scopes in (made, living))
    return HeldScope(hold, state, len(living), len(made - living), len(kept_days), len(days - kept_days))
