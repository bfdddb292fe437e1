"""The accounts' database: for its owner alone, used by many threads, and honest about a disk that refuses."""

import resource
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from appliance.model.errors import HomeError, StorageError
from tests.webui.made_answers import made_keeper
from tests.webui.visiting import ADDRESS, AGENT, PASSWORD, QUICK, Clock, made_site, signed_in, visitor
from webui.accounts import opened
from webui.accounts.seats import Stage
from webui.accounts.store import Store
from webui.accounts.tables import Rule
from webui.rights import Role


def test_its_files_are_its_owners_alone(tmp_path: Path) -> None:
    made = opened.open(tmp_path, Clock(), QUICK)
    made.users.add("Éva", Role.OPERATOR, "hash", None)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["accounts.sqlite", "accounts.sqlite-shm", "accounts.sqlite-wal"]
    assert [oct(file.stat().st_mode & 0o777) for file in files] == ["0o600"] * 3
    made.close()


def test_many_threads_and_another_process(tmp_path: Path) -> None:
    made = opened.open(tmp_path, Clock(), QUICK)
    made.users.add("Éva", Role.OPERATOR, "hash", None)
    wrong: list[Exception] = []

    def work() -> None:
        try:
            for _ in range(2):
                secret = made.sessions.begin(1, Stage.IN, ADDRESS, AGENT)
                assert made.seated(secret, ADDRESS, AGENT)
        except (AssertionError, StorageError) as error:
            wrong.append(error)

    crowd = [threading.Thread(target=work) for _ in range(8)]
    for one in crowd:
        one.start()
    other = (
        "import sys, time; from pathlib import Path\n"
        "from webui.accounts import opened; from webui.rights import Role\n"
        "made = opened.open(Path(sys.argv[1]), time.time_ns)\n"
        "for n in range(10): made.users.add(f'user {n}', Role.AUDITOR, 'hash', ())\n"
    )
    subprocess.run([sys.executable, "-c", other, str(tmp_path)], check=True)
    for one in crowd:
        one.join()
    assert wrong == []
    assert len(made.users.all()) == 11
    made.close()


def test_a_file_that_is_no_database_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "accounts.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(HomeError, match="cannot be used"):
        opened.open(tmp_path, Clock(), QUICK)


def test_a_file_of_another_version_is_not_touched(tmp_path: Path) -> None:
    opened.open(tmp_path, Clock(), QUICK).close()
    with sqlite3.connect(tmp_path / "accounts.sqlite") as database:
        database.execute("UPDATE rule SET value = '2' WHERE key = 'schema'")
    database.close()
    with pytest.raises(HomeError, match="another version"):
        opened.open(tmp_path, Clock(), QUICK)


def test_a_full_disk_is_told_as_that(tmp_path: Path) -> None:
    """SQLite's own error of a full disk, by the limit of its pages; it has rolled back by itself then."""
    store = Store(tmp_path)
    with store.look() as database:
        (pages,) = database.execute_sql("PRAGMA page_count").fetchone()
        database.execute_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError, match="disk is full"), store.turn() as database:
        Rule.insert(key="long", value="x" * 100_000).execute(database)
    with store.turn() as database:
        Rule.insert(key="short", value="x").execute(database)
    store.close()


def test_a_disk_that_refuses_is_a_sentence_and_those_who_are_in_still_see(tmp_path: Path) -> None:
    """As a full disk does, by the limit of a file's size."""
    clock = Clock()
    site = made_site(tmp_path, made_keeper("good", clock()), clock)
    browser = signed_in(site, name="Éva")
    stranger = visitor(site)
    token = stranger.get("/sign-in").token
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        clock.go(120)
        seen = browser.get("/account")
        refused = stranger.post("/sign-in", {"name": "Éva", "password": PASSWORD}, token)
        with pytest.raises(StorageError, match="free its disk"):
            site.accounts.users.add("Paul", Role.AUDITOR, "hash", ())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert seen.status == 200
    assert refused.status == 503
    assert "free its disk" in refused.text
    assert [account.name for account in site.accounts.users.all()] == ["Éva"]
    site.accounts.users.add("Paul", Role.AUDITOR, "hash", ())
    site.accounts.close()
