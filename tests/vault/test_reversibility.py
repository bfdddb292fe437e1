"""Everything in open formats, each record once, judged by `search`, by pyarrow, by csv and by sha256sum."""

import csv
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from appliance.cli.main import main
from appliance.model.errors import CustodyError, HomeError, StorageError
from appliance.model.instants import DAY_NS, HOUR_NS, NS, start_of, to_iso
from appliance.retention.destruction import destroy
from appliance.retention.policy import destroyed_on
from appliance.vault import day_archive
from appliance.vault.names import VaultName
from appliance.vault.run import Run
from appliance.vault.unseal import reversibility
from appliance.vault.unseal.holders import JOINED_SCHEMA
from appliance.vault.unseal.holdings import SHOWN_SCHEMA, Holdings
from appliance.vault.unseal.open_statements import Wish
from appliance.vault.unseal.question import Question
from appliance.vault.unseal.search import Search
from appliance.vault.unseal.texts import readable
from tests.system.mounts import in_own_mounts, mount
from tests.vault.made_homes import DAY, SOURCES, Box, make_box, run_that_dies
from tests.vault.made_rows import TEXTS, held, traffic

NEXT = DAY + dt.timedelta(days=1)


def silent(done: int, total: int) -> None: ...


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Box:
    """Two days sealed, a connection across midnight, bindings, a journal adopted and one just left."""
    box = make_box(tmp_path_factory.mktemp("filled"))
    across = traffic(2, 99, hour=23)
    across[:] = across[0]
    across["first_seen"] = [start_of(NEXT) - 70 * NS, start_of(NEXT) - 10 * NS]
    across["last_seen"] = [start_of(NEXT) - 11 * NS, start_of(NEXT) + 40 * NS]
    across["end_reason"] = [2, 3]
    for day in (DAY, NEXT):
        with Run.start(box.home, box.clock) as run:
            writer = box.writer(run)
            for hour in (3, 14):
                rows = traffic(500, hour, hour, day)
                writer.journal(rows, SOURCES)
                writer.seal(rows, SOURCES, ())
            if day == DAY:
                writer.journal(across, SOURCES)
                writer.seal(across, SOURCES, ())
            holders = box.writer(run, VaultName.SOURCE)
            holders.journal(held(day), SOURCES, TEXTS)
            holders.seal(held(day), SOURCES, (), TEXTS)
            writer.close()
            holders.close()
    run_that_dies(box, traffic(50, 7, 16))
    box.record(traffic(5, 8, 17))  # its start adopts the journal
    run_that_dies(box, traffic(40, 9, 18))
    totals = box.home.statistics / str(DAY)
    totals.mkdir(parents=True)
    (totals / "0123abcd-000000.jsonl").write_text('{"day":"2026-03-14"}\n')
    (totals / "0123abcd.draft").write_text("not to be read\n")
    earlier = box.home.statistics / str(DAY - dt.timedelta(days=1))
    earlier.mkdir()
    packed, _ = day_archive.pack(earlier.name, {"0123abcd-000000.jsonl": (_whole(earlier.name), 0)})
    (earlier / day_archive.NAME).write_bytes(packed)
    return box


def _whole(day: str) -> bytes:
    return f'{{"day":"{day}","users":57,"systems":[]}}\n'.encode()


def write(box: Box, out: Path, **wish: object) -> reversibility.Outcome:
    return reversibility.write(box.home, box.opener(), out, Wish(**wish), silent)  # type: ignore[arg-type]


def as_rows(tables: list[pa.Table]) -> list[str]:
    """Rows as texts, instants as numbers, in one order."""
    rows = []
    for table in tables:
        for name in table.column_names:
            if pa.types.is_timestamp(table[name].type):
                place = table.column_names.index(name)
                table = table.set_column(place, name, table[name].cast(pa.int64()))
        rows += [json.dumps(row, sort_keys=True) for row in table.to_pylist()]
    return sorted(rows)


def searched(box: Box) -> list[str]:
    search = Search(box.home, box.opener(), Question())
    return as_rows([readable(table) for table in search.connections()])


def test_every_record_is_there_once_and_as_search_gives_it(filled: Box, tmp_path: Path) -> None:
    outcome = write(filled, tmp_path / "out")
    files = sorted((tmp_path / "out" / "traffic").glob("*.parquet"))
    assert {file.stem[:10] for file in files} == {str(DAY), str(NEXT)}
    found = as_rows([pq.read_table(file) for file in files])
    assert found == searched(filled)
    assert len(found) == outcome.rows["traffic"] > 2000
    holdings = Holdings(filled.home, filled.opener(), Question())
    shown = as_rows([readable(table) for table in holdings.everything()])
    told = as_rows([pq.read_table(file) for file in (tmp_path / "out" / "bindings").glob("*.parquet")])
    assert told == shown
    assert len(told) >= 4
    assert outcome.missing == []


def test_a_row_lies_in_the_file_of_the_day_on_which_it_began(filled: Box, tmp_path: Path) -> None:
    write(filled, tmp_path / "out")
    for room, first in (("traffic", "first_seen"), ("bindings", "from")):
        for file in (tmp_path / "out" / room).glob("*.parquet"):
            start = start_of(dt.date.fromisoformat(file.stem[:10]))
            began = np.asarray(pq.read_table(file)[first].cast(pa.int64()))
            assert ((began >= start) & (began < start + DAY_NS)).all()


def test_csv_says_the_same_as_parquet_and_is_as_rfc_4180_has_it(filled: Box, tmp_path: Path) -> None:
    write(filled, tmp_path / "out")
    files = sorted((tmp_path / "out").glob("*/*.csv"))
    assert len(files) >= 4
    for file in files:
        content = file.read_bytes()
        assert content.endswith(b"\r\n")
        assert content.count(b"\n") == content.count(b"\r\n")
        rows = list(csv.DictReader(content.decode().splitlines(keepends=True), strict=True))
        table = pq.read_table(file.with_suffix(".parquet"))
        assert len(rows) == len(table)
        for name in table.column_names:
            column = table[name]
            if pa.types.is_timestamp(column.type):
                numbers = column.cast(pa.int64()).to_pylist()
                expected = ["" if value is None else to_iso(value) for value in numbers]
            else:
                values = column.to_pylist()
                expected = [
                    "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
                    for value in values
                ]
            assert [row[name] for row in rows] == expected, name


def test_the_files_are_plain_parquet_with_zstd(filled: Box, tmp_path: Path) -> None:
    write(filled, tmp_path / "out", formats=("parquet",))
    assert not list((tmp_path / "out").rglob("*.csv"))
    metadata = pq.ParquetFile(next((tmp_path / "out" / "traffic").glob("*.parquet"))).metadata
    assert metadata.row_group(0).column(0).compression == "ZSTD"
    assert metadata.num_row_groups == 1


def test_sha256sum_finds_every_file_as_listed_and_a_changed_byte(filled: Box, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(filled, out)
    check = ["sha256sum", "--strict", "-c", "SHA256SUMS"]
    assert subprocess.run(check, cwd=out, capture_output=True, timeout=30).returncode == 0
    listed = {line.split("  ", 1)[1] for line in (out / "SHA256SUMS").read_text().splitlines()}
    assert listed == {
        str(path.relative_to(out)) for path in out.rglob("*") if path.is_file() and path.name != "SHA256SUMS"
    }
    changed = bytearray((out / "seals.jsonl").read_bytes())
    changed[0] ^= 1
    (out / "seals.jsonl").write_bytes(changed)
    assert subprocess.run(check, cwd=out, capture_output=True, timeout=30).returncode == 1


def test_what_lies_beside_the_records_is_all_that_the_home_says(filled: Box, tmp_path: Path) -> None:
    out = tmp_path / "out"
    receipts = filled.home.path / "replication" / "0123456789abcdef"
    receipts.mkdir(parents=True, exist_ok=True)
    (receipts / "receipts.jsonl").write_text("{}\n")
    (receipts / "state.json").write_text("{}")
    write(filled, out)
    assert (out / "chain" / "chain.jsonl").read_bytes() == filled.home.chain.read_bytes()
    assert (out / "receipts" / "0123456789abcdef" / "receipts.jsonl").read_text() == "{}\n"
    totals = {
        str(path.relative_to(out / "statistics")): path.read_bytes()
        for path in (out / "statistics").rglob("*")
        if path.is_file()
    }
    earlier = str(DAY - dt.timedelta(days=1))
    assert totals == {
        f"{DAY}/0123abcd-000000.jsonl": b'{"day":"2026-03-14"}\n',
        f"{earlier}/0123abcd-000000.jsonl": _whole(earlier),
    }
    lines = [json.loads(line) for line in filled.home.chain.read_text().splitlines()]
    told = [json.loads(line) for line in (out / "coverage.jsonl").read_text().splitlines()]
    assert len(told) == sum(len(line.get("coverage", ())) for line in lines)
    sealed = [json.loads(line) for line in (out / "seals.jsonl").read_text().splitlines()]
    assert [line["seq"] for line in sealed] == [
        line["seq"] for line in lines if line["kind"] in ("seal", "adoption")
    ]
    for text in ("README.txt", "LISEZMOI.txt"):
        words = (out / text).read_text()
        for column in (*JOINED_SCHEMA.names, *SHOWN_SCHEMA.names):
            assert f"  {column} " in words
    for path in (out, *out.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path
    assert "box.key" not in {path.name for path in out.rglob("*")}
    assert not (out / reversibility.UNFINISHED).exists()


def test_parts_are_given_as_they_were_written(filled: Box, tmp_path: Path) -> None:
    outcome = write(filled, tmp_path / "out", parts=True, formats=("parquet",))
    assert outcome.rows["traffic"] == sum(
        len(table) for table in Search(filled.home, filled.opener(), Question()).parts()
    )


def test_a_period_gives_what_search_gives_of_it(filled: Box, tmp_path: Path) -> None:
    from_ns, to_ns = start_of(DAY) + 14 * HOUR_NS, start_of(DAY) + 15 * HOUR_NS
    write(filled, tmp_path / "out", from_ns=from_ns, to_ns=to_ns)
    search = Search(filled.home, filled.opener(), Question(from_ns, to_ns))
    expected = as_rows([readable(table) for table in search.connections()])
    files = (tmp_path / "out" / "traffic").glob("*.parquet")
    assert as_rows([pq.read_table(file) for file in files]) == expected
    assert expected
    during = as_rows([readable(Holdings(filled.home, filled.opener(), Question()).during(from_ns, to_ns))])
    told = (tmp_path / "out" / "bindings").glob("*.parquet")
    assert as_rows([pq.read_table(file) for file in told]) == during


def test_a_folder_that_holds_something_is_not_touched(filled: Box, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(StorageError, match="not empty"):
        write(filled, tmp_path)
    (tmp_path / reversibility.UNFINISHED).mkdir()
    with pytest.raises(StorageError, match="not empty"):
        write(filled, tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_killed_anywhere_it_is_run_again_and_nothing_lies_outside(filled: Box, tmp_path: Path) -> None:
    out, keys = tmp_path / "out", [str(path) for path in filled.keys]
    outside = set(tmp_path.iterdir())
    verb = [
        sys.executable,
        "-m",
        "appliance.cli",
        "reversibility",
        "--home",
        str(filled.home.path),
        "--identity",
    ]
    for wait_s in (0.9, 1.1, 1.3):
        running = subprocess.Popen([*verb, *keys, "--to", str(out)], stdout=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while not (out / reversibility.UNFINISHED).exists() and time.monotonic() < end:
            time.sleep(0.005)
        time.sleep((wait_s - 0.9) / 2)
        running.send_signal(signal.SIGKILL)
        running.wait(20)
        if (out / "SHA256SUMS").exists():
            break
        assert not (out / "traffic").exists() or (out / reversibility.UNFINISHED).exists()
    if not (out / "SHA256SUMS").exists():
        write(filled, out)
    assert set(tmp_path.iterdir()) == {*outside, out}
    files = (out / "traffic").glob("*.parquet")
    assert as_rows([pq.read_table(file) for file in files]) == searched(filled)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a disk needs root")
def test_a_full_disk_is_said_and_a_larger_one_takes_it(filled: Box, tmp_path: Path) -> None:
    def body() -> None:
        mount("-t", "tmpfs", "-o", "size=128k", "none", str(tmp_path))
        with pytest.raises(StorageError, match="No space left on device"):
            write(filled, tmp_path / "out")
        assert not (tmp_path / "out" / "SHA256SUMS").exists()
        mount("-o", "remount,size=64m", str(tmp_path))
        assert write(filled, tmp_path / "out").missing == []

    in_own_mounts(body)


def test_destroyed_days_and_missing_files_are_said(filled: Box, tmp_path: Path) -> None:
    box = filled.copy_to(tmp_path / "copy")
    destroy(box.home, box.config, box.clock, start_of(destroyed_on(DAY, 1)))
    lost = box.files("segments", ".parquet")[0]
    lost.unlink()
    lost.with_suffix(".index").unlink()
    envelope = next(iter(box.home.envelopes(VaultName.SOURCE, NEXT).iterdir()))
    envelope.unlink()
    outcome = write(box, tmp_path / "out")
    assert (VaultName.TRAFFIC, DAY) in outcome.destroyed
    assert {str(one["name"]) for one in outcome.missing} >= {lost.name, envelope.name}
    told = [json.loads(line) for line in (tmp_path / "out" / "missing.jsonl").read_text().splitlines()]
    assert told == outcome.missing
    assert not list((tmp_path / "out" / "traffic").glob(f"{DAY}*"))
    assert '"destroyed"' in (tmp_path / "out" / "destroyed.jsonl").read_text()


def test_a_damaged_file_is_named_and_the_rest_is_given(filled: Box, tmp_path: Path) -> None:
    """A bit flipped in a segment, in an index and in a journal; `search` alone refuses at the first."""
    box = filled.copy_to(tmp_path / "copy")
    whole = write(filled, tmp_path / "whole").rows["traffic"]
    segment, index = box.files("segments/traffic", ".parquet")[0], box.files("segments", ".index")[-1]
    journal = box.files("journal")[0]
    for path in (segment, index, journal):
        content = bytearray(path.read_bytes())
        content[min(400, len(content) // 2)] ^= 1
        path.write_bytes(content)
    outcome = write(box, tmp_path / "out")
    named = {str(one["name"]).partition(".")[0] for one in outcome.missing}
    assert {segment.stem, index.stem} <= named
    assert 1000 < outcome.rows["traffic"] < whole
    files = (tmp_path / "out" / "traffic").glob("*.parquet")
    found = as_rows([pq.read_table(file) for file in files])
    assert set(found) < set(searched(filled))
    with pytest.raises(HomeError):
        searched(box)


def test_too_few_custodians_get_nothing_at_all(filled: Box, tmp_path: Path) -> None:
    with pytest.raises(CustodyError, match="come together"):
        reversibility.write(filled.home, filled.opener(0), tmp_path / "out", Wish(), silent)
    assert not list((tmp_path / "out").rglob("*.parquet"))
    write(filled, tmp_path / "out")


def test_the_command_says_what_it_wrote(
    filled: Box, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = [str(path) for path in filled.keys]
    verb = ["reversibility", "--home", str(filled.home.path), "--identity", *keys]
    assert main([*verb, "--to", str(tmp_path / "a"), "--format", "csv"]) == 0
    told = capsys.readouterr().out
    assert "sha256sum -c" in told
    assert "in clear" in told
    assert main([*verb, "--to", str(tmp_path / "b"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"]["traffic"] > 2000
    assert main([*verb, "--to", str(tmp_path / "b")]) == 7
    assert main([*verb, "--to", str(tmp_path / "c"), "--from", "2026-04-01", "--until", "2026-03-01"]) == 2
