"""The one connection to the accounts' database, and the lock that its users take in turns.

Queries take less than a millisecond, a commit what the disk takes to be sure of it; nothing slow, such as a
password's hash, is ever done under the lock.
"""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from peewee import IntegrityError, PeeweeException, SchemaManager, SqliteDatabase

from appliance.model.errors import HomeError, StorageError
from webui.accounts.tables import SCHEMA, TABLES, Rule

NAME = "accounts.sqlite"
_BUSY_S = 10
"""Another process, such as the headless set-up, may be writing."""


class Store:
    """Opened when made; `turn` gives its database to one thread at a time. Raises HomeError."""

    def __init__(self, state: Path) -> None:
        self._path = state / NAME
        self._lock = threading.RLock()
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._database = _connected(self._path)
            _ready(self._database)
        except (OSError, PeeweeException) as error:
            raise HomeError(f"{self._path} cannot be used: {error}; repair it or restore it") from error

    @contextlib.contextmanager
    def turn(self) -> Iterator[Any]:
        """The database, in a transaction that is on the disk when the block ends.

        Raises StorageError; and IntegrityError as it is, which says that there is such a row.
        """
        with self._lock:
            try:
                with self._database.atomic():
                    yield self._database
            except IntegrityError:
                raise
            except PeeweeException as error:
                raise StorageError(
                    f"{self._path} cannot be written: {_first(error)}; free its disk"
                ) from error

    @contextlib.contextmanager
    def look(self) -> Iterator[Any]:
        """The database, to read a row of it. Raises StorageError."""
        with self._lock:
            try:
                yield self._database
            except PeeweeException as error:
                raise StorageError(f"{self._path} cannot be read: {error}; repair it") from error

    def close(self) -> None:
        """Let the file go."""
        with self._lock:
            self._database.close()


def _first(error: BaseException) -> BaseException:
    """What went wrong first: of a full disk SQLite says so, and then that nothing is left to roll back."""
    while isinstance(error.__context__, (PeeweeException, sqlite3.Error)):
        error = error.__context__
    return error


def _connected(path: Path) -> SqliteDatabase:
    database = SqliteDatabase(
        str(path),
        pragmas={"journal_mode": "wal", "synchronous": "full", "foreign_keys": 1, "secure_delete": 1},
        lock_type="IMMEDIATE",
        timeout=_BUSY_S,
        thread_safe=False,  # one connection for all threads, behind the lock above
        check_same_thread=False,
    )
    database.connect()
    return database


def _ready(database: SqliteDatabase) -> None:
    with database.atomic():
        for table in TABLES:
            SchemaManager(table, database).create_all(safe=True)
        Rule.insert(key="schema", value=SCHEMA).on_conflict_ignore().execute(database)
        found = Rule.select(Rule.value).where(Rule.key == "schema").tuples().execute(database)
        (version,) = next(iter(found))
    if version != SCHEMA:
        raise PeeweeException(f"it was written by another version ({version})")
