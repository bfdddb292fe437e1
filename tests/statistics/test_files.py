"""Statistics on disk: whole or not at all, adopted after a crash, believed by no reader, deleted in time."""

import contextlib
import datetime as dt
import json
import os
import socket
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from appliance.model.errors import DecodeError, StorageError
from appliance.model.instants import DAY_NS, HOUR_NS, start_of
from appliance.runtime import locks
from appliance.statistics import files
from appliance.statistics.files import Damage, StatisticsWriter
from appliance.statistics.statements import (
    LINE_LIMIT,
    DayStatement,
    HourStatement,
    Statement,
    Use,
    Users,
    line,
    parse,
)
from appliance.vault.liveness import lock_path
from appliance.vault.names import Home

DAY_START = start_of(dt.date(2026, 3, 14))
HOUR = HourStatement(DAY_START + 5 * HOUR_NS, Users(4), (Use("vlan 20", "video", 5, 6, Users(4, False)),))
QUIET = HourStatement(DAY_START + 6 * HOUR_NS, None)
DAY = DayStatement(DAY_START, Users(4), (("android", Users(3)),), too_few=True)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.state.mkdir()
    return home


def read(home: Home, from_ns: int = 0, to_ns: int = 1 << 62) -> list[tuple[str, Statement]]:
    damage = Damage()
    found = list(files.read(home, from_ns, to_ns, damage))
    assert damage.lines == 0
    return found


def names(home: Home) -> list[str]:
    return sorted(path.name for path in home.statistics.rglob("*") if path.is_file())


def test_what_is_written_is_read_and_only_the_owner_may(home: Home) -> None:
    later = HourStatement(DAY_START + DAY_NS, Users(7), (Use("all", "other", 1, 2, Users(7)),))
    writer = StatisticsWriter(home, "cafe0123")
    writer.write([HOUR, QUIET, later])
    writer.write([DAY])
    assert [statement for _, statement in read(home)] == [HOUR, QUIET, DAY, later]
    assert {run for run, _ in read(home)} == {"cafe0123"}
    assert [one for _, one in read(home, HOUR.start_ns + 1, later.start_ns)] == [QUIET]
    modes = {oct(path.stat().st_mode)[-3:] for path in home.statistics.rglob("*.jsonl")}
    assert modes == {"600"}
    for text in home.statistics.joinpath("2026-03-14", "cafe0123-000000.jsonl").read_text().splitlines():
        json.loads(text)


def test_a_disk_that_refuses_leaves_nothing_behind(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(old: object, new: object) -> None:
        raise OSError(28, "No space left on device")

    writer = StatisticsWriter(home, "cafe0123")
    with monkeypatch.context() as refused:
        refused.setattr(os, "rename", refuse)
        with pytest.raises(StorageError, match="No space"):
            writer.write([HOUR])
        assert names(home) == []
    writer.write([HOUR])
    assert names(home) == ["cafe0123-000000.jsonl"]


def test_a_draft_counts_once_its_run_is_dead_and_only_then(home: Home) -> None:
    dying = StatisticsWriter(home, "dead0000")
    dying.write([HOUR])
    dying.draft([DAY])
    assert [statement for _, statement in read(home)] == [HOUR]
    lock = locks.take(lock_path(home, "dead0000"))
    StatisticsWriter(home, "cafe0123").adopt()
    assert [statement for _, statement in read(home)] == [HOUR]
    os.close(lock)
    StatisticsWriter(home, "cafe0123").adopt()
    assert read(home) == [("dead0000", HOUR), ("dead0000", DAY)]
    StatisticsWriter(home, "cafe0123").adopt()
    assert len(read(home)) == 2


def test_a_draft_is_dropped_where_the_day_was_written_after_all(home: Home) -> None:
    writer = StatisticsWriter(home, "dead0000")
    writer.draft([DAY])
    writer.write([DAY])
    assert names(home) == ["dead0000-000000.jsonl"]
    writer.draft([DAY])  # the power failed between the two
    StatisticsWriter(home, "cafe0123").adopt()
    assert read(home) == [("dead0000", DAY)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "5",
        '"hour"',
        "[" * 100_000,
        '{"hour":"2026-03-14T05:00:00Z"}',
        '{"hour":"2026-03-14T05:30:00Z","too_few":true}',
        '{"hour":"2026-03-14T05:00:00Z","users":2,"cells":[]}',
        '{"hour":"2026-03-14T05:00:00Z","users":3,"cells":[{"place":"<script>","use":"web","bytes":1,'
        '"connections":1,"clients":3}]}',
        '{"hour":"2026-03-14T05:00:00Z","users":3,"cells":[{"place":"vlan 4096","use":"web","bytes":1,'
        '"connections":1,"clients":3}]}',
        '{"hour":"2026-03-14T05:00:00Z","users":3,"cells":[{"place":"none","use":"www.hotel.fr","bytes":1,'
        '"connections":1,"clients":3}]}',
        '{"hour":"2026-03-14T05:00:00Z","users":3,"cells":[{"place":"none","use":"web","bytes":-1,'
        '"connections":1,"clients":3}]}',
        '{"hour":"2026-03-14T05:00:00Z","users":3,"cells":[{"place":"none","use":"web","bytes":1.5,'
        '"connections":1,"clients":3}]}',
        '{"hour":"2026-03-14T05:00:00Z","users":3,"cells":[{"place":"none","use":"web","bytes":1,'
        '"connections":true,"clients":3}]}',
        '{"day":"2026-13-14","users":3,"systems":[]}',
        '{"day":"2026-03-14","users":3,"systems":[{"system":"bob","clients":3}]}',
        '{"day":"2026-03-14","users":3,"systems":[{"system":["a"],"clients":3}]}',
    ],
)
def test_a_line_that_is_not_ours_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        parse(text)


@given(
    st.text() | st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists).map(json.dumps)
)
@example(line(HOUR)[:-1])
def test_any_text_is_a_statement_or_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        parse(text)


@pytest.mark.parametrize("statement", [HOUR, QUIET, DAY, DayStatement(DAY_START, None, (), too_few=True)])
def test_a_line_is_read_as_what_it_was(statement: Statement) -> None:
    assert parse(line(statement)) == statement


def test_what_is_not_ours_is_counted_and_the_rest_is_read(home: Home) -> None:
    StatisticsWriter(home, "cafe0123").write([HOUR])
    folder = home.statistics / "2026-03-14"
    (folder / "evil-000000.jsonl").write_bytes(b"\xff\xfe\n" + line(QUIET).encode() + b"\n{}\n")
    (folder / "notes.txt").write_text("nothing of ours")
    (home.statistics / "2026-99-99").mkdir()
    moved = line(DayStatement(DAY_START + DAY_NS, Users(3)))  # of another day than its folder
    (folder / "moved-000000.jsonl").write_text(moved)
    damage = Damage()
    assert [one for _, one in files.read(home, 0, 1 << 62, damage)] == [HOUR, QUIET]
    assert damage.lines == 2


def test_what_is_no_file_is_damage_and_nobody_waits_for_it(home: Home, tmp_path: Path) -> None:
    """A folder, a pipe, a link to what never ends, a socket, a file too large: one each, and at once."""
    StatisticsWriter(home, "cafe0123").write([HOUR])
    folder = home.statistics / "2026-03-14"
    (folder / "folder-000000.jsonl").mkdir()
    os.mkfifo(folder / "pipe-000000.jsonl")
    (folder / "endless-000000.jsonl").symlink_to("/dev/zero")
    (folder / "nowhere-000000.jsonl").symlink_to(tmp_path / "nothing")
    with contextlib.chdir(folder), socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket-000000.jsonl")
    with (folder / "large-000000.jsonl").open("wb") as large:
        large.truncate(LINE_LIMIT + 1)
    damage = Damage()
    assert [one for _, one in files.read(home, 0, 1 << 62, damage)] == [HOUR]
    assert damage.lines == 6


def test_what_is_no_file_stops_no_adoption(home: Home) -> None:
    dying = StatisticsWriter(home, "dead0000")
    dying.draft([DAY])
    (home.statistics / "2026-03-14" / "dead0000-000000.jsonl").mkdir()
    os.mkfifo(home.statistics / "2026-03-14" / "dead0000-000001.jsonl")
    StatisticsWriter(home, "cafe0123").adopt()
    assert (home.statistics / "2026-03-14" / "dead0000-draft.jsonl").is_file()


def test_a_link_is_no_day_and_what_it_points_to_stays(home: Home, tmp_path: Path) -> None:
    StatisticsWriter(home, "cafe0123").write([DAY])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept.jsonl").write_text(line(DAY))
    (home.statistics / "2020-01-01").symlink_to(elsewhere)
    gone = files.past_term(home, DAY_START + 1000 * DAY_NS, 400)
    assert gone == [dt.date(2026, 3, 14)]
    files.delete(home, gone)
    assert (elsewhere / "kept.jsonl").is_file()
    assert files.past_term(home, DAY_START + 1000 * DAY_NS, 400) == []


def test_statistics_past_their_term_are_deleted_and_no_others(home: Home) -> None:
    writer = StatisticsWriter(home, "cafe0123")
    writer.write([DayStatement(DAY_START + number * DAY_NS, Users(3)) for number in range(5)])
    now_ns = DAY_START + 400 * DAY_NS + 2 * DAY_NS + HOUR_NS
    gone = files.past_term(home, now_ns, 400)
    assert gone == [dt.date(2026, 3, 14), dt.date(2026, 3, 15)]
    files.delete(home, gone)
    assert [one.start_ns for _, one in read(home)] == [DAY_START + number * DAY_NS for number in (2, 3, 4)]
    assert files.past_term(home, now_ns, 400) == []
