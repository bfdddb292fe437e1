"""Moves a central to other places: from its folder to S3 and PostgreSQL, or on to others, or back.

Receipts go on where they ended, so that no box notices. First the bytes, each hashed on the way; then the
catalogue in one transaction; then the settings, by which it counts. Broken off before that nothing has
changed, and the next try goes on. Last, envelopes are destroyed where they lay: there must be one copy here.
Broken off there, the next call, or the keeper of the central that serves, destroys them.
"""

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.central import places, tables
from appliance.central.custody import Custody
from appliance.central.databases import writing
from appliance.central.objects import locked_until, path_of
from appliance.central.places import Central
from appliance.central.tables import About, Hold, Site, Stored
from appliance.config import central_toml
from appliance.config.central import CentralConfig
from appliance.model.errors import CentralError
from appliance.model.instants import day_of
from appliance.replication import names
from appliance.replication.names import Kind
from appliance.runtime.clock import now_ns
from appliance.runtime.files import sync_folder, write_once

Progress = Callable[[int, int], None]
_ROWS = 500

LEFT = "moved-from.toml"
"""The settings from before a move, for as long as envelopes may still lie where they say."""


@dataclass(frozen=True)
class Moved:
    """How many files, envelopes among them, and rows of the catalogue were taken to their new places."""

    files: int
    envelopes: int
    rows: int


def move(folder: Path, wanted: CentralConfig, told: Progress = lambda done, total: None) -> Moved:
    """Move to the catalogue, the store and the custody of `wanted`; other settings stay.

    Nobody may serve meanwhile. Raises CentralError if somebody does, if the new catalogue is in use, or if a
    file is not as the catalogue says; StorageError.
    """
    with places.alone(folder), contextlib.closing(places.opened(folder)) as old:
        leave(old)
        parts = {name: getattr(wanted, name) for name in ("catalogue", "store", "custody")}
        with contextlib.closing(places.prospect(folder, dataclasses.replace(old.config, **parts))) as new:
            heads = _heads(old)
            files, envelopes = _bytes(old, new, told)
            rows = 0
            with _all_or_nothing(old, new):
                if new.config.catalogue != old.config.catalogue:
                    rows = _catalogue(old, new)
                _check_still(old, heads)
            _switch(old, new)
            leave(new)
    return Moved(files, envelopes, rows)


def leave(central: Central) -> bool:
    """Destroy the envelopes where they lay before the last move, if that is still to be done; whether it was.

    One that this central has signed for goes only when it is here, byte for byte. Raises CentralError if one
    is not, StorageError.
    """
    note = central.folder / LEFT
    if not note.exists():
        return False
    before = central_toml.read(note)
    if before.custody == central.config.custody:  # broken off before it counted
        note.unlink()
        return False
    with contextlib.closing(places.custody_of(central.folder, before)) as custody:
        kept = sum(not _leave(central, custody, path) for path in list(custody.names("")))
    if kept:
        raise CentralError(
            f"{kept:,} envelopes lie in the custody from before the move and not in this one; stop every "
            "machine that still has the old settings; then mend with 'greffier central compare --mend'"
        )
    note.unlink()
    sync_folder(central.folder)
    return True


def _leave(central: Central, custody: Custody, path: str) -> bool:
    """Destroy an envelope in the custody from before; false if it is needed, and nowhere else."""
    fingerprint, _, rest = path.partition("/")
    name = rest.rpartition(".")[0]
    row = (
        Stored.select(Stored.state)
        .join(Site, on=(Stored.site == Site.id))
        .where(Site.fingerprint == fingerprint, Stored.name == name)
        .scalar(central.database)
    )
    try:
        if row == "kept" and central.custody.get(path) != custody.get(path):
            return False
    except KeyError:
        return False
    custody.destroy(path)
    return True


def _switch(old: Central, new: Central) -> None:
    """Make the new settings count; where envelopes must still go is written down first."""
    if new.config.custody != old.config.custody:
        write_once(new.folder / LEFT, central_toml.render(old.config).encode("utf-8"))
    write_once(new.folder / central_toml.NAME, central_toml.render(new.config).encode("utf-8"))


def _heads(central: Central) -> list[tuple[int, str]]:
    query = Site.select(Site.id, Site.receipts_head).order_by(Site.id).tuples()
    return list(query.execute(central.database))


def _check_still(old: Central, heads: list[tuple[int, str]]) -> None:
    """Another machine, whose lock is not seen here, would go on to sign into the old catalogue."""
    if _heads(old) != heads:
        raise CentralError("another machine serves this central meanwhile; stop it there, then move it")


@contextlib.contextmanager
def _all_or_nothing(old: Central, new: Central) -> Iterator[None]:
    if new.config.catalogue == old.config.catalogue:
        yield
        return
    with writing(new.database):
        yield


def _bytes(old: Central, new: Central, told: Progress) -> tuple[int, int]:
    """Copy what the catalogue says is kept and whose place changes; how many files, how many envelopes."""
    sites = {site.id: site for site in Site.select().execute(old.database)}
    query = Stored.select().where(Stored.state == "kept").order_by(Stored.site, Stored.sequence)
    total = query.count(old.database)
    files = envelopes = 0
    for done, row in enumerate(query.iterator(old.database), start=1):
        site = sites[row.site_id]
        with _as_it_was(row):
            if row.kind == Kind.ENVELOPE:
                envelopes += _envelope(old, new, site, row)
            else:
                files += _object(old, new, site, row)
        told(done, total)
    return files + envelopes, envelopes


def _envelope(old: Central, new: Central, site: Site, row: Stored) -> int:
    if new.config.custody == old.config.custody:
        return 0
    path = _path(site, row)
    new.custody.put(path, old.custody.get(path))
    return 1


def _object(old: Central, new: Central, site: Site, row: Stored) -> int:
    if new.config.store == old.config.store:
        return 0
    locked = locked_until(site, names.parse(row.name), day_of(now_ns()))
    path = _path(site, row)
    with contextlib.closing(old.store.open(path)) as content:
        new.store.put(path, content, row.size_bytes, row.sha256.hex(), locked)
    return 1


def _path(site: Site, row: Stored) -> str:
    return path_of(site.fingerprint, row.name, row.sha256.hex())


@contextlib.contextmanager
def _as_it_was(row: Stored) -> Iterator[None]:
    try:
        yield
    except (KeyError, ValueError):
        raise CentralError(
            f"{row.name} is lost or damaged; mend it with 'greffier central compare --mend', then move"
        ) from None


def _catalogue(old: Central, new: Central) -> int:
    """Copy every row, in the caller's transaction; how many."""
    count = 0
    if new.database.table_exists(About._meta.table_name):
        raise CentralError("the new catalogue has tables already; give this central an empty database")
    tables.create(new.database)
    About.delete().execute(new.database)
    for model in tables.MODELS:
        fields = model._meta.sorted_fields
        for rows in _batches(model.select(*fields).tuples().iterator(old.database)):
            model.insert_many(rows, fields=fields).execute(new.database)
            count += len(rows)
    if new.config.catalogue:
        _count_on(new)
    return count


def _count_on(new: Central) -> None:
    """PostgreSQL numbers new rows after those that came with their numbers."""
    database: Any = new.database
    for model in (Site, Hold):
        name = model._meta.table_name
        database.execute_sql(
            f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id)) FROM {name}"  # noqa: S608
        )


def _batches(rows: Iterable[Any]) -> Iterator[list[Any]]:
    rows = iter(rows)
    while batch := list(itertools.islice(rows, _ROWS)):
        yield batch
