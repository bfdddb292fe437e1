"""Removal of a whole site from a central: custody first, then the store, then every row of the catalogue."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from peewee import SqliteDatabase

from appliance.central import holds
from appliance.central.failures import Failures
from appliance.central.objects import kept_until
from appliance.central.places import Central
from appliance.central.tables import Code, Erasure, Fixed, Hold, Key, Line, Replacement, Site, Stored
from appliance.replication import names
from appliance.replication.names import Kind, ObjectName

_OF_A_SITE = (Stored, Line, Fixed, Replacement, Key, Hold)


@dataclass(frozen=True)
class Removed:
    """What went, as the catalogue counts. `later`: paths a lock keeps; `held_files`: what a hold keeps."""

    envelopes: int
    files: int
    size_bytes: int
    later: tuple[str, ...]
    later_until: dt.date | None
    held_files: int


def remove(central: Central, site: Site, held: Sequence[Hold], today: dt.date) -> Removed:
    """Destroy the envelopes of a site and delete its objects, all but what a hold keeps.

    While a hold keeps a day the chain stays too: without its lines nobody could show what the records are.
    Raises StorageError, when everything is gone that can go; then it may be called again.
    """
    prefix, kept, failures = f"{site.fingerprint}/", 0, Failures()
    for path in list(central.custody.names(prefix)):
        if _is_held(path, held):
            kept += 1
        else:
            with failures.of("cannot destroy an envelope"):
                central.custody.destroy(path)
    later: list[str] = []
    until = today
    for path, _ in list(central.store.names(prefix)):
        name = _name(path)
        if _is_held(path, held) or (kept and name is not None and name.kind is Kind.CHAIN):
            kept += 1
            continue
        with failures.of("cannot delete a file"):
            if central.store.delete(path):
                continue
            later.append(path)
            if name is not None and name.vault and name.day:
                until = max(until, kept_until(site, name.vault, name.day))
    failures.tell()
    rows = Stored.select(Stored.kind, Stored.size_bytes).where(Stored.site == site, Stored.state == "kept")
    sizes = [(kind, size) for kind, size in rows.tuples().execute(central.database)]
    envelopes = sum(kind == Kind.ENVELOPE for kind, _ in sizes)
    return Removed(
        envelopes,
        len(sizes) - envelopes,
        sum(size for _, size in sizes),
        tuple(later),
        until if later else None,
        kept,
    )


def forget(central: Central, site: Site, removed: Removed) -> None:
    """Every row of a site, inside the transaction that certifies its end; paths to delete later stay."""
    database = central.database
    Erasure.delete().where(Erasure.path.startswith(f"{site.fingerprint}/")).execute(database)
    for path in removed.later:
        Erasure.insert(path=path, not_before=removed.later_until).on_conflict_ignore().execute(database)
    for model in _OF_A_SITE:
        model.delete().where(model.site == site).execute(database)
    Code.delete().where(Code.used_by == site.fingerprint).execute(database)
    Site.delete().where(Site.id == site.id).execute(database)


def scrub(central: Central) -> None:
    """Let nothing of deleted rows stay in the catalogue's files, as far as its database can.

    SQLite overwrites what it deletes (secure_delete), but for its log, which is emptied here.
    """
    database: Any = central.database
    if isinstance(central.database, SqliteDatabase):
        database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return
    connection = database.connection()
    before, connection.autocommit = connection.autocommit, True
    try:
        for model in (*_OF_A_SITE, Code, Erasure, Site):
            connection.execute(f'VACUUM "{model._meta.table_name}"')
    finally:
        connection.autocommit = before


def _is_held(path: str, held: Sequence[Hold]) -> bool:
    name = _name(path)
    if name is None or name.vault is None or name.day is None:
        return False
    return any(holds.covers(hold, name.vault, name.day) for hold in held)


def _name(path: str) -> ObjectName | None:
    """What an object of a site is; None for a file that is none of ours."""
    try:
        return names.parse(path.partition("/")[2].rpartition(".")[0])
    except ValueError:
        return None
