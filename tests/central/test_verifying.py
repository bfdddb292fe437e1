"""`greffier central verify`: whatever is changed in a central is found and named; what is whole is quiet."""

import contextlib
import dataclasses
import os
import shutil
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.central import places, verifying
from appliance.central.ledger import Ledger
from appliance.central.places import Central
from appliance.central.tables import Site, Stored
from appliance.cli.main import main
from appliance.config.central import CentralConfig
from tests.central.filled import Filled, deposit, enrol, make_filled
from tests.vault.made_homes import traffic


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return make_filled(tmp_path_factory.mktemp("box"))


@pytest.fixture(scope="module")
def whole(filled: Filled, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a central that has everything of two boxes, closed."""
    folder = tmp_path_factory.mktemp("whole") / "central"
    central = places.create(folder, CentralConfig("Lyon"), ("127.0.0.1",))
    other = make_filled(tmp_path_factory.mktemp("other"), hours=(3,))
    for box in (filled, other):
        enrol(box, central)
        deposit(box, central)
    central.close()
    return folder


@pytest.fixture
def copied(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "central")
    return tmp_path / "central"


def found(folder: Path) -> list[str]:
    """The faults, as sentences."""
    central = places.open(folder)
    try:
        return [f"{fault.place}: {fault.what}" for fault in verifying.verify(central).faults]
    finally:
        central.close()


def test_what_is_whole_has_no_fault_on_both_kinds_of_central(filled: Filled, central: Central) -> None:
    enrol(filled, central)
    deposit(filled, central)
    told: list[tuple[int, int]] = []
    report = verifying.verify(central, None, lambda done, total: told.append((done, total)))
    assert report.faults == ()
    content = filled.objects()
    assert report.counts["receipts"] == len(content)
    assert told[-1] == (sum(map(len, content.values())),) * 2
    assert report.counts["bytes"] == told[-1][0]


def test_one_site_alone_can_be_checked(copied: Path) -> None:
    central = places.open(copied)
    first, second = Site.select().order_by(Site.id).execute(central.database)
    Stored.update(size_bytes=1).where(Stored.site == first, Stored.sequence == 3).execute(central.database)
    assert verifying.verify(central, second).faults == ()
    assert verifying.verify(central, first).faults
    central.close()


def test_what_has_not_come_yet_is_a_notice(filled: Filled, tmp_path: Path) -> None:
    central = places.create(tmp_path / "central", CentralConfig("Lyon"), ("127.0.0.1",))
    enrol(filled, central)
    deposit(filled, central, leave_out=(".parquet", ".envelope"))
    report = verifying.verify(central)
    central.close()
    assert report.faults == ()
    said = " ".join(notice.what for notice in report.notices)
    assert "files that its chain fixes have not come" in said
    assert "envelopes that its chain names have not come" in said


def test_what_a_crash_leaves_is_a_notice(copied: Path) -> None:
    path = next(path for path in copied.glob("objects/*/statistics/*/*"))
    path.with_name(path.name.replace("cafe0123-1", "cafe0123-2")).write_bytes(b"{}\n")
    central = places.open(copied)
    report = verifying.verify(central)
    central.close()
    assert report.faults == ()
    assert [notice.what for notice in report.notices if "has no receipt" in notice.what]


def files(folder: Path, rooms: tuple[str, ...] = ("objects", "custody")) -> list[Path]:
    return sorted(path for room in rooms for path in (folder / room).glob("[0-9a-f]*/**/*") if path.is_file())


def _flip(path: Path, at: int, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[at % len(content)] ^= 1 << bit
    path.write_bytes(content)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_bytes_are_named(whole: Path, tmp_path: Path, data: st.DataObject) -> None:
    shutil.rmtree(tmp_path / "central", ignore_errors=True)
    shutil.copytree(whole, tmp_path / "central")
    mine = files(tmp_path / "central")
    path = data.draw(st.sampled_from(mine))
    how = data.draw(st.sampled_from(["flip", "cut", "add", "delete", "empty", "swap"]))
    touched = [path]
    match how:
        case "flip":
            _flip(path, data.draw(st.integers(0, 1 << 20)), data.draw(st.integers(0, 7)))
        case "cut":
            os.truncate(path, data.draw(st.integers(0, path.stat().st_size - 1)))
        case "add":
            path.write_bytes(path.read_bytes() + data.draw(st.binary(min_size=1, max_size=9)))
        case "delete":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "swap":
            other = data.draw(st.sampled_from([one for one in mine if one != path]))
            content = path.read_bytes(), other.read_bytes()
            path.write_bytes(content[1])
            other.write_bytes(content[0])
            touched.append(other)
    faults = found(tmp_path / "central")
    assert len(faults) == len(touched)
    for one in touched:
        name = one.relative_to(tmp_path / "central").as_posix().split("/", 2)[2].rpartition(".")[0]
        assert any(f"({name})" in fault for fault in faults), faults


ROWS = {
    "stored": "sequence, name, kind, vault, day, key_id, sha256, size_bytes, received_at_ns, previous, "
    "claim_signature, state",
    "line": "hash, seq, prev, kind",
    "fixed": "name, sha256, size_bytes, line",
    "key": "key_id, vault, day, state",
    "event": "at_ns, kind, site, line",
    "site": "fingerprint, public_key, receipts, receipts_head",
}


def _rows(database: sqlite3.Connection, table: str) -> list[int]:
    return [rowid for (rowid,) in database.execute(f'SELECT rowid FROM "{table}" ORDER BY rowid')]


def _other(value: object) -> object:
    """A value of the same kind that is another."""
    match value:
        case int():
            return value + 1
        case bytes():
            return bytes([value[0] ^ 1]) + value[1:]
        case None | "":
            return "0123456789abcdef"
        case str() if value in ("kept", "replaced"):
            return "destroyed"
        case str() if len(value) == 10 and value[4] == "-":
            return "2025-01-01"
        case _:
            return f"{str(value)[:-1]}{'1' if str(value)[-1] != '1' else '2'}"


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_deleted_or_exchanged_row_is_found(
    whole: Path, tmp_path: Path, data: st.DataObject
) -> None:
    shutil.rmtree(tmp_path / "central", ignore_errors=True)
    shutil.copytree(whole, tmp_path / "central")
    table = data.draw(st.sampled_from(sorted(ROWS)))
    with sqlite3.connect(tmp_path / "central" / "catalogue.sqlite") as database:
        rows = _rows(database, table)
        row = data.draw(st.sampled_from(rows))
        how = data.draw(st.sampled_from(["change", "delete", "swap"]))
        if how == "delete":
            database.execute(f'DELETE FROM "{table}" WHERE rowid = ?', (row,))
        else:
            column = data.draw(st.sampled_from(ROWS[table].split(", ")))
            (mine,) = database.execute(f'SELECT "{column}" FROM "{table}" WHERE rowid = ?', (row,)).fetchone()
            other = row
            theirs: object = _other(mine)
            if how == "swap":
                other = data.draw(st.sampled_from(rows))
                (theirs,) = database.execute(
                    f'SELECT "{column}" FROM "{table}" WHERE rowid = ?', (other,)
                ).fetchone()
            if theirs == mine:
                return
            try:
                if how == "swap":
                    database.execute(
                        f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?', (_other(theirs), other)
                    )
                database.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?', (theirs, row))
                if how == "swap":
                    database.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?', (mine, other))
            except sqlite3.IntegrityError:
                return
    database.close()
    assert found(tmp_path / "central")


def _sql(statement: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        with sqlite3.connect(folder / "catalogue.sqlite") as database:
            assert database.execute(statement).rowcount > 0
        database.close()

    return change


def _last(folder: Path) -> None:
    """The last receipt of a site taken away so that the rest is without a gap."""
    with sqlite3.connect(folder / "catalogue.sqlite") as database:
        site, last = database.execute(
            "SELECT site_id, max(sequence) FROM stored WHERE site_id = 1"
        ).fetchone()
        database.execute("DELETE FROM stored WHERE site_id = ? AND sequence = ?", (site, last))
    database.close()


def _taken_away(folder: Path) -> None:
    """What destruction does, done by somebody else than central."""
    key_id = files(folder, ("custody",))[0].name.partition(".")[0]
    with sqlite3.connect(folder / "catalogue.sqlite") as database:
        for table in ("key", "stored"):
            database.execute(f"UPDATE {table} SET state = 'destroyed' WHERE key_id = ?", (key_id,))
    database.close()
    for path in files(folder):
        if key_id in path.name:
            path.unlink()


def _site_taken_away(folder: Path) -> None:
    with sqlite3.connect(folder / "catalogue.sqlite") as database:
        (fingerprint,) = database.execute("SELECT fingerprint FROM site WHERE id = 2").fetchone()
        for table in ("stored", "line", "fixed", "replacement", "key", "hold"):
            database.execute(f"DELETE FROM {table} WHERE site_id = 2")
        database.execute("DELETE FROM site WHERE id = 2")
    database.close()
    for room in ("objects", "custody"):
        shutil.rmtree(folder / room / fingerprint)


CHANGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "the last receipt": (_last, "rows were taken away"),
    "the first": (_sql("DELETE FROM stored WHERE site_id = 1 AND sequence = 1"), "rows were taken away"),
    "a time": (
        _sql("UPDATE stored SET received_at_ns = received_at_ns + 1 WHERE sequence = 4"),
        "one of the two",
    ),
    "all of a site": (_sql("DELETE FROM site WHERE id = 2"), "belongs to no site"),
    "a site with all its traces": (_site_taken_away, "the catalogue does not know it"),
    "a journal said to be replaced": (
        _sql("UPDATE stored SET state = 'replaced' WHERE kind = 'journal' AND site_id = 1"),
        "no seal of the chain replaces it",
    ),
    "a segment said to be destroyed": (
        _sql("UPDATE stored SET state = 'destroyed' WHERE kind = 'segments' AND site_id = 1"),
        "its key is not",
    ),
    "a key said to be destroyed": (_sql("UPDATE key SET state = 'destroyed'"), "its key was destroyed"),
    "a day taken away with all its traces": (_taken_away, "the ledger has no certificate of it"),
    "a hold lifted by nobody": (
        _sql(
            "INSERT INTO hold (site_id, reference, vaults, first_day, last_day, until, placed_by) "
            "VALUES (1, 'B 1', 'traffic', '2026-03-01', '2026-03-14', '2030-01-01', 'central')"
        ),
        "placed by nobody",
    ),
    "the ledger's last line": (
        _sql("DELETE FROM event WHERE seq = (SELECT max(seq) FROM event)"),
        "the catalogue remembers",
    ),
    "a line of the chain": (_sql("DELETE FROM line WHERE seq = 2"), "follows from a line that is not here"),
    "what is fixed": (_sql("DELETE FROM fixed WHERE site_id = 1"), "no line of the chain fixes"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_each_kind_of_change_has_its_words(copied: Path, what: str) -> None:
    change, words = CHANGES[what]
    change(copied)
    assert any(words in fault for fault in found(copied))


def test_an_envelope_of_a_destroyed_key_is_a_fault(copied: Path) -> None:
    """What a restored backup of custody would bring back."""
    envelope = files(copied, ("custody",))[0]
    content, key_id = envelope.read_bytes(), envelope.name.partition(".")[0]
    with sqlite3.connect(copied / "catalogue.sqlite") as database:
        database.execute("UPDATE key SET state = 'destroyed' WHERE key_id = ?", (key_id,))
        for path, room in ((path, path.relative_to(copied).parts[0]) for path in files(copied)):
            if key_id in path.name:
                assert room in ("objects", "custody")
                path.unlink()
        database.execute("UPDATE stored SET state = 'destroyed' WHERE key_id = ?", (key_id,))
    database.close()
    assert [fault for fault in found(copied) if "no certificate of it" not in fault] == []
    envelope.parent.mkdir(exist_ok=True, parents=True)
    envelope.write_bytes(content)
    assert any("its day could be opened" in fault for fault in found(copied))


def test_things_put_there_are_named(copied: Path) -> None:
    (copied / "objects" / "strange").write_bytes(b"x")
    envelope = files(copied, ("custody",))[0]
    wrong = copied / "objects" / envelope.relative_to(copied / "custody")
    wrong.parent.mkdir(parents=True)
    shutil.copy(envelope, wrong)
    faults = found(copied)
    assert any("strange" in fault and "put here" in fault for fault in faults)
    assert any("locks and copies" in fault for fault in faults)


def test_a_box_that_was_rolled_back_is_named_and_no_fault(tmp_path: Path) -> None:
    filled = make_filled(tmp_path / "box", hours=(9,))
    before = filled.box.copy_to(tmp_path / "before")
    central = places.create(tmp_path / "central", CentralConfig("Lyon"), ("127.0.0.1",))
    enrol(filled, central)
    filled.box.record(traffic(40, seed=21, hour=15))
    deposit(filled, central)
    before.record(traffic(40, seed=22, hour=15))
    deposit(dataclasses.replace(filled, box=before), central)
    report = verifying.verify(central)
    assert report.faults == ()
    assert [notice for notice in report.notices if "put back to line" in notice.what]
    assert "fork" in {entry.kind for entry in Ledger(central).entries()}
    central.close()


def test_keys_that_other_accounts_may_read_are_said(copied: Path) -> None:
    def places_said() -> list[str]:
        with contextlib.closing(places.open(copied)) as central:
            report = verifying.verify(central)
        assert report.faults == ()
        return [notice.place for notice in report.notices if "chmod 600" in notice.what]

    assert places_said() == []
    (copied / "central.key").chmod(0o644)
    (copied / "tls/server.key").chmod(0o640)
    assert places_said() == ["central.key", "tls/server.key"]


def test_a_central_that_begins_to_serve_says_so_too(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copied / "central.key").chmod(0o644)
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        assert main(["central", "serve", "--dir", str(copied), "--listen", where]) == 9
    assert f"chmod 600 {copied / 'central.key'}" in capsys.readouterr().err
