"""The contract's end on the box: every key goes, whatever its term, but what a hold keeps.

The same two signed lines as at the term, with `term_years` 0. The person who ends it types the fingerprint
of the box, so that nobody empties the wrong one. Central's copies end by two operators, with
`greffier central destroy`.
"""

import contextlib
import datetime as dt
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from appliance.model.errors import HomeError, StorageError, UsageError
from appliance.model.instants import day_of
from appliance.retention import destruction, holds
from appliance.retention.destruction import Kept
from appliance.runtime import locks
from appliance.runtime.clock import Clock
from appliance.vault import chain as chains
from appliance.vault import liveness, signing
from appliance.vault.catalogue import Catalogue
from appliance.vault.chain import Chain
from appliance.vault.names import Home, VaultName
from appliance.vault.seals import Destroyed, DestructionOrdered

AT_CONTRACTS_END = 0
"""The `term_years` of an order that no term gave."""


@dataclass(frozen=True)
class Ending:
    """What goes, or went, and what a hold keeps; `statistics` counts the days of totals that go with it."""

    fingerprint: str
    orders: tuple[DestructionOrdered, ...]
    destroyed: tuple[Destroyed, ...]
    kept: tuple[Kept, ...]
    statistics: int


def plan(home: Home, now_ns: int) -> Ending:
    """What the end of the contract would destroy. Raises HomeError."""
    catalogue = Catalogue.of(chains.read(home))
    today = day_of(now_ns)
    orders, kept = [], []
    for (vault, day), key_ids in sorted(_keys(home, catalogue).items(), key=lambda item: item[0][::-1]):
        hold = holds.keeping(catalogue, vault, day, today)
        if hold:
            kept.append(Kept(vault, day, holds.free_on(hold), f"the hold '{hold.reference}' keeps it"))
        else:
            orders.append(DestructionOrdered(vault, day, tuple(sorted(key_ids)), AT_CONTRACTS_END, now_ns))
    box = signing.load(home.signing_key).fingerprint
    return Ending(box, tuple(orders), (), tuple(kept), len(_statistics(home)))


def end(home: Home, confirmed: str, clock: Clock) -> Ending:
    """Destroy every key that no hold keeps, and the statistics. `confirmed` is the fingerprint as typed.

    Raises UsageError for another fingerprint, HomeError while a recorder is at work, StorageError; after that
    the next call, or 'greffier retention', finishes what was begun.
    """
    if confirmed.strip().lower() != signing.load(home.signing_key).fingerprint:
        raise UsageError(
            "this is not the fingerprint of this box, so nothing was destroyed; 'greffier status' prints it"
        )
    with locks.exclusive(home.state / "start.lock"), locks.exclusive(home.state / "retention.lock"):
        if liveness.live(home):
            raise HomeError(
                f"a recorder is at work in {home.path}, so nothing was destroyed; stop it and try again"
            )
        chain = Chain.open(home)
        chain.clock = clock
        finished = destruction.finish(home, chain, destruction.begun(home, Catalogue.of(chains.read(home))))
        planned = plan(home, clock())
        chain.append(planned.orders)
        destroyed = destruction.finish(home, chain, planned.orders)
        _clear(home, {(kept.vault, kept.day) for kept in planned.kept})
    return Ending(
        planned.fingerprint, planned.orders, (*finished, *destroyed), planned.kept, planned.statistics
    )


def _keys(home: Home, catalogue: Catalogue) -> dict[tuple[VaultName, dt.date], set[str]]:
    """The keys not destroyed: those the chain knows, and those whose envelope lies here all the same."""
    found = {scope: set(key_ids) - catalogue.ordered for scope, key_ids in catalogue.living_keys().items()}
    for path in (home.path / "envelopes").glob("*/*/*.envelope"):
        with contextlib.suppress(ValueError):
            scope = VaultName(path.parent.parent.name), dt.date.fromisoformat(path.parent.name)
            if path.stem not in catalogue.ordered:
                found.setdefault(scope, set()).add(path.stem)
    return {scope: key_ids for scope, key_ids in found.items() if key_ids}


def _statistics(home: Home) -> list[Path]:
    return sorted(home.statistics.iterdir()) if home.statistics.is_dir() else []


def _clear(home: Home, kept: set[tuple[VaultName, dt.date]]) -> None:
    """Remove totals, and files that no key opens any more: what a run that died had left, for instance."""
    try:
        for folder in _statistics(home):
            shutil.rmtree(folder)
        for folder in _day_folders(home):
            if (folder.parent.name, folder.name) not in {(str(vault), str(day)) for vault, day in kept}:
                shutil.rmtree(folder)
    except OSError as error:
        raise StorageError(
            f"the keys are destroyed, but not every file could be removed: {error}; run this again"
        ) from error


def _day_folders(home: Home) -> Iterator[Path]:
    for room in ("segments", "journal"):
        yield from (home.path / room).glob("*/*")
