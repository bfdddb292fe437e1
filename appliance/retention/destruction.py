"""Destruction: envelopes first, then files, between two signed lines. Safe to interrupt anywhere.

Order: the chain states the order; the envelopes are overwritten and deleted; the files go; the chain takes
the certificate. A destruction that was cut short is finished by the next call, whatever the clock says.
"""

import contextlib
import dataclasses
import datetime as dt
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.config.box import BoxConfig
from appliance.model.errors import StorageError
from appliance.model.instants import DAY_NS, day_of
from appliance.retention import holds, policy
from appliance.runtime import locks
from appliance.runtime.files import sync_folder, write_all
from appliance.vault import chain as chains
from appliance.vault import liveness
from appliance.vault.catalogue import Catalogue
from appliance.vault.chain import Chain, Entry
from appliance.vault.names import Home, VaultName
from appliance.vault.seals import ClockConfirmed, Destroyed, DestructionOrdered


@dataclass(frozen=True)
class Kept:
    """A vault's day that stays, until when (the first day on which it may go), and why."""

    vault: VaultName
    day: dt.date
    until: dt.date
    why: str


@dataclass(frozen=True)
class Outcome:
    """What a call did, or with `dry_run` would do. `doubt` says why nothing was destroyed at all."""

    now_ns: int
    destroyed: tuple[Destroyed, ...]
    kept: tuple[Kept, ...]
    doubt: str | None


def plan(
    home: Home, catalogue: Catalogue, terms: Mapping[str, int], now_ns: int
) -> tuple[list[DestructionOrdered], list[Kept]]:
    """What has passed its term at an instant, and what stays."""
    today = day_of(now_ns)
    due, kept = [], []
    for (vault, day), key_ids in sorted(catalogue.living_keys().items(), key=lambda item: item[0][::-1]):
        until = policy.destroyed_on(day, terms[vault])
        if today < until:
            kept.append(Kept(vault, day, until, "its term runs"))
            continue
        waiting = [key_id for key_id in key_ids if key_id not in catalogue.ordered]
        order = holds.keeping(catalogue, vault, day, today)
        if waiting and order:
            kept.append(Kept(vault, day, holds.free_on(order), f"the hold '{order.reference}' keeps it"))
            continue
        idle = [key_id for key_id in waiting if not liveness.is_live(home, catalogue.envelopes[key_id].run)]
        if len(idle) < len(waiting):
            kept.append(Kept(vault, day, until, "its term is over, but a recorder at work holds its key"))
        if idle:
            due.append(DestructionOrdered(vault, day, tuple(idle), terms[vault], now_ns))
    return due, kept


def doubt(entries: Sequence[Entry], now_ns: int) -> str | None:
    """Why this instant is not believed, in words; None if it is."""
    vouched = [index for index, entry in enumerate(entries) if isinstance(entry.body, ClockConfirmed)]
    start = vouched[-1] if vouched else 0
    body = entries[start].body
    written = [entry.at_ns for entry in entries[start:]]
    if isinstance(body, ClockConfirmed):
        written[0] = body.now_ns
    found = policy.doubt(written, now_ns)
    return found.why if found else None


def destroy(
    home: Home,
    config: BoxConfig,
    clock: Callable[[], int],
    stated_ns: int | None = None,
    dry_run: bool = False,
) -> Outcome:
    """Destroy what has passed its term by the clock, or by the instant that a person states.

    Raises HomeError, StorageError; after either, the next call finishes what was begun.
    """
    if dry_run:
        return _decide(home, config, clock(), stated_ns)[0]
    with locks.exclusive(home.state / "retention.lock"):
        chain = Chain.open(home)
        catalogue = Catalogue.of(chains.read(home))
        finished = finish(home, chain, begun(home, catalogue))
        # Read now: a clock read before the lines just written would seem to stand before them.
        clock_ns = clock()
        outcome, orders = _decide(home, config, clock_ns, stated_ns)
        chain.append([*_confirmation(home, clock_ns, stated_ns), *orders])
        return dataclasses.replace(outcome, destroyed=(*finished, *finish(home, chain, orders)))


def _decide(
    home: Home, config: BoxConfig, clock_ns: int, stated_ns: int | None
) -> tuple[Outcome, list[DestructionOrdered]]:
    entries = chains.read(home)
    catalogue = Catalogue.of(entries)
    now_ns = clock_ns if stated_ns is None else stated_ns
    why = doubt(entries, now_ns) if stated_ns is None else None
    orders, kept = plan(home, catalogue, config.term_years, now_ns)
    if why:
        held = "the clock is in doubt"
        kept += [
            Kept(order.vault, order.day, policy.destroyed_on(order.day, order.term_years), held)
            for order in orders
        ]
        orders = []
    planned = [_certificate(home, order, _files(home, order)) for order in orders]
    return Outcome(now_ns, tuple(planned), tuple(kept), why), orders


def _confirmation(home: Home, clock_ns: int, stated_ns: int | None) -> list[ClockConfirmed]:
    """A person who states the time that the clock shows thereby vouches for the clock, after a jump too."""
    if stated_ns is None or abs(stated_ns - clock_ns) > DAY_NS or not doubt(chains.read(home), clock_ns):
        return []
    return [ClockConfirmed(stated_ns)]


def begun(home: Home, catalogue: Catalogue) -> list[DestructionOrdered]:
    """Destructions ordered and not certified, and certified ones whose files are back (from a backup)."""
    begun = []
    for order in catalogue.orders:
        uncertified = not catalogue.destroyed.issuperset(order.key_ids)
        if uncertified or any(_envelopes(home, order)) or _files(home, order):
            begun.append(order)
    return begun


def finish(home: Home, chain: Chain, orders: Sequence[DestructionOrdered]) -> tuple[Destroyed, ...]:
    """Carry out orders that the chain holds; their certificates."""
    if not orders:
        return ()
    certificates = [_certificate(home, order, _files(home, order)) for order in orders]
    try:
        for order in orders:
            _shred(_envelopes(home, order), home.envelopes(order.vault, order.day))
        for order in orders:
            for path in _files(home, order):
                path.unlink(missing_ok=True)
            for folder in (home.segments(order.vault, order.day), home.journal(order.vault, order.day)):
                _leave(folder)
    except OSError as error:
        raise StorageError(
            f"cannot destroy all that is due: {error}; repair the disk and run this again"
        ) from error
    chain.append(certificates)
    return tuple(certificates)


def _certificate(home: Home, order: DestructionOrdered, files: Sequence[Path]) -> Destroyed:
    size = sum(path.stat().st_size for path in files)
    return Destroyed(order.vault, order.day, order.key_ids, len(order.key_ids), len(files), size)


def _envelopes(home: Home, order: DestructionOrdered) -> list[Path]:
    folder = home.envelopes(order.vault, order.day)
    return [path for key_id in order.key_ids if (path := folder / f"{key_id}.envelope").exists()]


def _files(home: Home, order: DestructionOrdered) -> list[Path]:
    """The segments and journal files of some keys: each carries its key's id in its name."""
    folders = (home.segments(order.vault, order.day), home.journal(order.vault, order.day))
    return [
        path
        for folder in folders
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if any(f"-{key_id}" in path.name for key_id in order.key_ids)
    ]


def _shred(paths: Sequence[Path], folder: Path) -> None:
    """Overwrite and delete. Whether a disk keeps old blocks is beyond us: see THREATS.md."""
    for path in paths:
        handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            write_all(handle, bytes(os.fstat(handle).st_size))
            os.fsync(handle)
        finally:
            os.close(handle)
        path.unlink()
    _leave(folder)


def _leave(folder: Path) -> None:
    """Make deletions in a folder durable, and remove it if it is empty."""
    if folder.is_dir():
        sync_folder(folder)
        with contextlib.suppress(OSError):
            folder.rmdir()
