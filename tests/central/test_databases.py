"""The catalogue's database: durable, one writer after another, and back after its server went away."""

import re
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from peewee import IntegrityError

from appliance.central import databases, places, tables
from appliance.model.errors import CentralError, StorageError
from tests.central.servers import Postgresql

OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def add(database: databases.Catalogue, key: str, value: str = "x") -> None:
    with databases.writing(database):
        tables.About.insert(key=key, value=value).execute(database)


def keys(database: databases.Catalogue) -> set[str]:
    return {row.key for row in tables.About.select().execute(database)}


@pytest.fixture
def postgresql_catalogue(postgresql: Postgresql):  # type: ignore[no-untyped-def]
    database = databases.PostgresqlCatalogue(postgresql.new_database())
    tables.create(database)
    yield database
    database.close_all()


def test_settings_that_a_receipt_rests_on(central: places.Central) -> None:
    def told(sql: str) -> str:
        return str(central.database.execute_sql(sql).fetchone()[0])

    if isinstance(central.database, databases.SqliteCatalogue):
        assert (told("PRAGMA journal_mode"), told("PRAGMA synchronous")) == ("wal", "2")
        assert told("PRAGMA foreign_keys") == "1"
        assert (central.folder / places.CATALOGUE).stat().st_mode & 0o777 == 0o600
    else:
        assert (told("SHOW synchronous_commit"), told("SHOW fsync")) == ("on", "on")


def test_an_insertion_that_contradicts_is_the_caller_s_to_handle(central: places.Central) -> None:
    add(central.database, "once")
    with pytest.raises(IntegrityError):
        add(central.database, "once")
    assert "once" in keys(central.database)


def test_counting_side_by_side_loses_no_step(central: places.Central) -> None:
    """Eight threads add one to the same row, 20 times each: read, wait, write."""
    database = central.database
    add(database, "count", "0")
    failed: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(20):
                with databases.writing(database):
                    query = tables.About.select().where(tables.About.key == "count")
                    row = databases.locking(database, query).get(database)
                    tables.About.update(value=str(int(row.value) + 1)).where(
                        tables.About.key == "count"
                    ).execute(database)
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed
    (row,) = tables.About.select().where(tables.About.key == "count").execute(database)
    assert row.value == "160"


def test_connections_of_threads_that_ended_are_closed(postgresql_catalogue, postgresql: Postgresql) -> None:  # type: ignore[no-untyped-def]
    database = postgresql_catalogue

    def count() -> int:
        return int(postgresql.psql(database.database, f"SELECT count(*) {OTHERS}"))

    for _ in range(10):
        thread = threading.Thread(target=keys, args=(database,))
        thread.start()
        thread.join()
    assert count() <= 2
    database.close_all()
    assert count() == 0
    assert keys(database)


def test_postgresql_restarted_beneath_us(postgresql_catalogue, postgresql: Postgresql) -> None:  # type: ignore[no-untyped-def]
    database = postgresql_catalogue
    add(database, "before")

    def work() -> None:
        with databases.writing(database):
            tables.About.insert(key="lost", value="x").execute(database)
            postgresql.stop()
            tables.About.insert(key="after", value="x").execute(database)

    with pytest.raises(CentralError, match="PostgreSQL does not answer"):
        work()
    try:
        for _ in range(2):
            with pytest.raises(CentralError, match="PostgreSQL does not answer"):
                add(database, "nobody is there")
            with pytest.raises(CentralError, match="PostgreSQL does not answer"):
                keys(database)
    finally:
        postgresql.start()
    assert {"before"} <= keys(database)
    assert not keys(database) & {"lost", "after", "nobody is there"}
    add(database, "again")
    assert postgresql.psql(database.database, "SELECT value FROM about WHERE key = 'again'") == "x"


def test_an_idle_connection_that_was_cut_is_not_noticed(postgresql_catalogue, postgresql: Postgresql) -> None:  # type: ignore[no-untyped-def]
    """Restarted overnight: the first deposit of the morning succeeds."""
    database = postgresql_catalogue
    add(database, "evening")
    postgresql.stop()
    postgresql.start()
    add(database, "morning")
    assert {"evening", "morning"} <= keys(database)


def test_a_commit_whose_answer_is_lost_is_an_error(postgresql_catalogue, postgresql: Postgresql) -> None:  # type: ignore[no-untyped-def]
    """Whoever gets it must ask again: it may count or not."""
    database = postgresql_catalogue

    def work() -> None:
        with databases.writing(database):
            tables.About.insert(key="cut", value="x").execute(database)
            postgresql.psql(database.database, f"SELECT pg_terminate_backend(pid) {OTHERS}")

    with pytest.raises(CentralError, match="does not answer"):
        work()
    assert "cut" not in keys(database)
    add(database, "cut")


def test_sqlite_survives_a_kill(tmp_path: Path) -> None:
    """What was told to be committed is there, though its process was killed, many times over."""
    code = (
        "import os, pathlib\n"
        "from appliance.central import databases, tables\n"
        f"database = databases.connect('', pathlib.Path({str(tmp_path)!r}))\n"
        "tables.create(database)\n"
        "for number in range(1000):\n"
        "    with databases.writing(database):\n"
        "        tables.About.insert(key=f'{os.getpid()}-{number}', value='x').execute(database)\n"
        "    print(f'{os.getpid()}-{number}', flush=True)\n"
    )
    told: set[str] = set()
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        told |= {process.stdout.readline().strip() for _ in range(7)}
        process.kill()
        rest, _ = process.communicate(timeout=30)
        told |= {line for line in rest.splitlines() if re.fullmatch(r"[0-9]+-[0-9]+", line)}
    seen = sqlite3.connect(tmp_path / "catalogue.sqlite")  # beside us, without our settings
    kept = {key for (key,) in seen.execute("SELECT key FROM about")}
    seen.close()
    assert len(told) >= 21
    assert told <= kept


def test_a_writer_that_holds_on_too_long_is_an_error_not_a_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "BUSY_S", 0.2)
    one, other = (databases.connect("", tmp_path) for _ in range(2))
    tables.create(one)
    with databases.writing(one), pytest.raises(CentralError, match="database is locked"):
        add(other, "waits")
    add(other, "waits")
    one.close_all()
    other.close_all()


def test_a_full_disk_is_said_as_such(tmp_path: Path) -> None:
    database = databases.connect("", tmp_path)
    tables.create(database)
    pages = database.execute_sql("PRAGMA page_count").fetchone()[0]
    database.execute_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError, match="has no room left"):
        add(database, "much", "x" * 100_000)
    assert "much" not in keys(database)
    database.close_all()


def test_threads_write_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    """SQLite alone lets them sleep and try again, and some never come to it."""
    database = databases.connect("", tmp_path)
    tables.create(database)
    begun: list[int] = []
    wrote: list[int] = []

    def work(number: int) -> None:
        begun.append(number)
        with databases.writing(database):
            wrote.append(number)
            tables.About.insert(key=f"turn {number}", value="x").execute(database)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(10)]
    with databases.writing(database):
        for thread in threads:
            thread.start()
            time.sleep(0.05)
    for thread in threads:
        thread.join(30)
    assert wrote == begun == list(range(10))
    database.close_all()


@pytest.mark.parametrize("how", ["raises", "nested", "single", "no begin"])
def test_a_turn_ends_with_its_transaction_however_it_ends(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "BUSY_S", 1)
    database, elsewhere = (databases.connect("", tmp_path) for _ in range(2))
    tables.create(database)
    if how == "raises":
        with pytest.raises(IntegrityError), databases.writing(database):
            tables.About.insert_many([{"key": "undone", "value": "x"}] * 2).execute(database)
        assert "undone" not in keys(database)
    elif how == "nested":
        with databases.writing(database), databases.writing(database):
            add(database, "deep")
    elif how == "single":
        tables.About.insert(key="single", value="x").execute(database)
    else:
        with databases.writing(elsewhere), pytest.raises(CentralError):
            add(database, "never")
    other = threading.Thread(target=add, args=(database, "other"))
    other.start()
    other.join(30)
    assert "other" in keys(database)
    database.close_all()
    elsewhere.close_all()


def test_whoever_waits_for_his_turn_too_long_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = databases.connect("", tmp_path)
    tables.create(database)
    monkeypatch.setattr(databases, "BUSY_S", 0.1)
    said: list[str] = []

    def work() -> None:
        try:
            add(database, "waits")
        except CentralError as error:
            said.append(str(error))

    other = threading.Thread(target=work)
    with databases.writing(database):
        other.start()
        other.join(30)
    assert "is busy" in said[0]
    add(database, "afterwards")
    database.close_all()
