"""The catalogue's database: SQLite in a file, or PostgreSQL; the same tables and the same promises on both.

A commit is on the disk when it returns. Connections belong to threads. One that broke is given up and the
next query has another, so that a server may be restarted beneath a central; what was in the middle of a
transaction fails with CentralError and is not repeated here.
"""

import contextlib
import errno
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from peewee import InterfaceError, OperationalError, PeeweeException, PostgresqlDatabase, SqliteDatabase

from appliance.central.turns import Turns
from appliance.model.errors import CentralError, StorageError

BUSY_S = 30
"""How long a writer waits for another: a keeper's long transaction is no reason to refuse a box."""
CONNECT_S = 5
QUERY_S = 120
_READS = ("SELECT", "PRAGMA", "WITH")
_FULL = ("disk is full", "No space left")


class _Connections:
    """What both kinds share: connections are known, so that all can be closed, and errors are sentences."""

    title: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._known: list[tuple[threading.Thread, Any]] = []
        self._guard = threading.Lock()
        super().__init__(*args, **kwargs)

    def close_all(self) -> None:
        """Close the connections of all threads; the next query opens one."""
        with self._guard:
            known, self._known = self._known, []
        for _, connection in known:
            connection.close()
        self.dispose()  # type: ignore[attr-defined]  # peewee's Database, beside this

    def connect(self, reuse_if_open: bool = False) -> bool:
        """As peewee's. Raises CentralError."""
        with self.told():
            return bool(super().connect(reuse_if_open))  # type: ignore[misc]

    def begin(self, *args: Any, **kwargs: Any) -> None:
        """As peewee's, on a connection that lives. Raises CentralError."""
        try:
            with self.told():
                super().begin(*args, **kwargs)  # type: ignore[misc]
        except CentralError:
            if not self.broken():
                raise
            self.give_up()
            with self.told():
                super().begin(*args, **kwargs)  # type: ignore[misc]

    def commit(self) -> Any:
        """As peewee's. Raises CentralError: then nobody knows whether it counts, until it is asked again."""
        with self.told():
            return super().commit()  # type: ignore[misc]

    def rollback(self) -> Any:
        """As peewee's; with its connection a transaction is gone anyhow."""
        if self.broken():
            return None
        with self.told():
            return super().rollback()  # type: ignore[misc]

    def cursor(self, named_cursor: Any = None) -> Any:
        """As peewee's; outside of a transaction never of a connection that broke."""
        if self.broken() and not self.in_transaction():  # type: ignore[attr-defined]
            self.give_up()
        return super().cursor(named_cursor)  # type: ignore[misc]

    def _execute_cursor(self, sql: str, params: Any, **options: Any) -> Any:
        with self.told():
            return super()._execute_cursor(sql, params, **options)  # type: ignore[misc]

    def _connect(self) -> Any:
        connection = super()._connect()  # type: ignore[misc]
        with self._guard:
            ended = [known for thread, known in self._known if not thread.is_alive()]
            self._known = [(thread, known) for thread, known in self._known if thread.is_alive()]
            self._known.append((threading.current_thread(), connection))
        for known in ended:
            known.close()
        return connection

    def _close(self, connection: Any) -> None:
        super()._close(connection)  # type: ignore[misc]
        with self._guard:
            self._known = [(thread, known) for thread, known in self._known if known is not connection]

    def broken(self) -> bool:
        """Whether this thread's connection is of no use any more."""
        return False

    def give_up(self) -> None:
        """Let this thread's connection go; the next query opens another."""
        connection = self._state.conn  # type: ignore[attr-defined]
        self.dispose()  # type: ignore[attr-defined]
        with contextlib.suppress(PeeweeException):
            self._close(connection)

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """A database that does not answer is CentralError, one without room StorageError."""
        try:
            yield
        except (OperationalError, InterfaceError) as error:
            why = str(error).strip().partition("\n")[0]
            if any(text in why for text in _FULL):
                full = OSError(errno.ENOSPC, why)
                raise StorageError(f"{self.title} has no room left; free its disk") from full
            raise CentralError(f"{self.title} does not answer as it should: {why}; see to it") from error


class SqliteCatalogue(_Connections, SqliteDatabase):
    """One file and its write-ahead log. Each transaction is one that writes: it waits, and then succeeds."""

    def __init__(self, path: Path) -> None:
        self.title = str(path)
        self._turns = Turns()
        super().__init__(
            str(path),
            pragmas={"journal_mode": "wal", "synchronous": "full", "foreign_keys": 1, "secure_delete": 1},
            lock_type="IMMEDIATE",
            timeout=BUSY_S,
            check_same_thread=False,  # so that all can be closed at the end
        )

    def begin(self, *args: Any, **kwargs: Any) -> None:
        """As peewee's, when it is this thread's turn. Raises CentralError."""
        self._take_turn()
        try:
            super().begin(*args, **kwargs)
        except BaseException:  # an interrupt too: a turn that is not given back keeps every thread waiting
            self._turns.give()
            raise

    def commit(self) -> Any:
        """As peewee's; if it fails, the rollback that follows ends the turn."""
        super().commit()
        self._turns.give()

    def rollback(self) -> Any:
        """As peewee's; SQLite has done it by itself where the disk was full."""
        state: Any = self._state  # type: ignore[attr-defined]  # peewee's
        try:
            if state.conn is not None and state.conn.in_transaction:
                super().rollback()
        finally:
            self._turns.give()

    def _execute_cursor(self, sql: str, params: Any, **options: Any) -> Any:
        if self._turns.has() or sql.startswith(_READS):
            return super()._execute_cursor(sql, params, **options)
        self._take_turn()
        try:
            return super()._execute_cursor(sql, params, **options)
        finally:
            self._turns.give()

    def _take_turn(self) -> None:
        if not self._turns.take(BUSY_S):
            raise CentralError(f"{self.title} is busy: others wrote to it for {BUSY_S} s; try again")


class PostgresqlCatalogue(_Connections, PostgresqlDatabase):
    """A database of a PostgreSQL server, by its URL."""

    def __init__(self, url: str) -> None:
        self.title = "PostgreSQL"
        super().__init__(
            url,
            connect_timeout=CONNECT_S,
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=30_000,
            application_name="greffier central",
            options=f"-c synchronous_commit=on -c statement_timeout={QUERY_S}s -c lock_timeout={BUSY_S}s "
            "-c idle_in_transaction_session_timeout=300s -c timezone=UTC",
        )

    def broken(self) -> bool:
        """Whether this thread's connection is of no use any more."""
        state: Any = self._state  # type: ignore[attr-defined]  # peewee's
        return not state.closed and bool(state.conn.closed)


Catalogue = SqliteCatalogue | PostgresqlCatalogue


def connect(url: str, beside: Path) -> Catalogue:
    """The catalogue of a URL, or catalogue.sqlite in a folder; opened at the first query."""
    return PostgresqlCatalogue(url) if url else SqliteCatalogue(beside / "catalogue.sqlite")


def writing(database: Any) -> Any:
    """A transaction that writes, as a context; inside another a savepoint. CentralError, StorageError."""
    return database.atomic()


def locking(database: Any, query: Any) -> Any:
    """A query whose rows nobody else may lock or change until the transaction ends; on SQLite nobody can."""
    return query.for_update() if database.for_update else query
