"""Days that are over are packed: whoever reads, sends or deletes finds the same before and after."""

import contextlib
import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.model.errors import StorageError
from appliance.model.instants import DAY_NS, HOUR_NS, start_of
from appliance.runtime import locks
from appliance.statistics import archive, files
from appliance.statistics.files import Damage, StatisticsWriter
from appliance.statistics.statements import DayStatement, HourStatement, Statement, Use, Users
from appliance.vault import day_archive, day_folder
from appliance.vault.names import Home
from bench import year_of_statistics

DAY = dt.date(2026, 3, 14)
START = start_of(DAY)
LATER = START + 2 * DAY_NS
WHOLE = DayStatement(START, Users(9), (("android", Users(4)),))


def hour(number: int) -> HourStatement:
    return HourStatement(
        START + number * HOUR_NS, Users(4), (Use("vlan 20", "video", 10 + number, 6, Users(4, False)),)
    )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.state.mkdir()
    writer = StatisticsWriter(home, "cafe0123")
    for number in range(5):
        writer.write([hour(number)])
    writer.write([WHOLE])
    return home


def read(home: Home) -> list[tuple[str, Statement]]:
    damage = Damage()
    found = list(files.read(home, 0, 1 << 62, damage))
    assert damage.lines == 0
    return found


def lying(home: Home) -> list[str]:
    return sorted(path.name for path in (home.statistics / str(DAY)).iterdir())


def test_a_day_that_is_over_becomes_one_file_and_reads_the_same(home: Home) -> None:
    before, listed = read(home), day_folder.listed(home.statistics / str(DAY))
    whole = dict(day_folder.contents(home.statistics / str(DAY)))
    assert archive.compact(home, START + DAY_NS + HOUR_NS) == 0  # not yet at rest
    assert archive.compact(home, LATER) == 1
    assert lying(home) == [day_archive.NAME]
    assert (home.statistics / str(DAY) / day_archive.NAME).stat().st_mode & 0o777 == 0o600
    assert read(home) == before
    after = day_folder.listed(home.statistics / str(DAY))
    assert [(one.name, one.size_bytes, one.written_ns) for one in after] == [
        (one.name, one.size_bytes, one.written_ns) for one in listed
    ]
    assert dict(day_folder.contents(home.statistics / str(DAY))) == whole
    assert archive.compact(home, LATER) == 0


def test_what_comes_later_is_packed_beside_it(home: Home) -> None:
    archive.compact(home, LATER)
    StatisticsWriter(home, "feed0001").write([hour(3)])
    before = read(home)
    assert len(before) == 7
    assert archive.compact(home, LATER) == 1
    assert lying(home) == [day_archive.NAME]
    assert sorted(read(home), key=str) == sorted(before, key=str)


def test_a_power_cut_between_packing_and_removing_counts_nothing_twice(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read(home)

    def cut(path: Path, missing_ok: bool = False) -> None:
        raise OSError(5, "power")

    with monkeypatch.context() as failing:
        failing.setattr(Path, "unlink", cut)
        with pytest.raises(StorageError):
            archive.compact(home, LATER)
    assert len(lying(home)) == 7
    assert read(home) == before
    assert archive.compact(home, LATER) == 1
    assert lying(home) == [day_archive.NAME]
    assert read(home) == before


def test_what_is_packed_while_somebody_reads_is_read_once(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, whole = read(home), day_folder.plain

    def packing(path: Path) -> bytes | None:
        if path.name == "cafe0123-000003.jsonl":
            monkeypatch.undo()
            archive.compact(home, LATER)
        return whole(path)

    monkeypatch.setattr(day_folder, "plain", packing)
    assert read(home) == before
    assert lying(home) == [day_archive.NAME]


def test_a_draft_makes_its_day_wait(home: Home) -> None:
    dying = StatisticsWriter(home, "dead0000")
    dying.draft([WHOLE])
    assert archive.compact(home, LATER) == 0
    StatisticsWriter(home, "cafe0124").adopt()
    assert archive.compact(home, LATER) == 1
    assert len(read(home)) == 7


def test_what_is_not_ours_stays_as_it_is(home: Home) -> None:
    strange = home.statistics / str(DAY) / "feed0001-000000.jsonl"
    strange.write_bytes(b'{"hour":1}\n')
    assert archive.compact(home, LATER) == 1
    assert lying(home) == [day_archive.NAME, strange.name]
    assert archive.compact(home, LATER) == 0
    damage = Damage()
    assert len(list(files.read(home, 0, 1 << 62, damage))) == 6
    assert damage.lines == 1


@pytest.mark.parametrize("content", [b"", b"{}\n", None])
def test_a_damaged_archive_is_told_and_nothing_is_put_in_its_place(home: Home, content: bytes | None) -> None:
    place = home.statistics / str(DAY) / day_archive.NAME
    if content is None:
        place.symlink_to("/etc/passwd")
    else:
        place.write_bytes(content)
    assert archive.compact(home, LATER) == 0
    damage = Damage()
    assert len(list(files.read(home, 0, 1 << 62, damage))) == 6
    assert damage.lines == 1


def test_of_two_that_pack_one_does(home: Home) -> None:
    with locked(home.state / "statistics.lock"):
        assert archive.compact(home, LATER) == 0
    assert archive.compact(home, LATER) == 1


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    handle = locks.take(path)
    yield
    os.close(handle)


def test_a_day_goes_with_its_archive_when_its_term_is_over(home: Home) -> None:
    archive.compact(home, LATER)
    gone = files.past_term(home, START + 401 * DAY_NS, 400)
    assert gone == [DAY]
    files.delete(home, gone)
    assert files.days(home) == []


def test_a_year_of_fifty_access_points_takes_less_than_fifty_megabytes(tmp_path: Path) -> None:
    """Twenty-eight days of all seasons and weekdays are drawn; a week of summer here, the fullest of them."""
    home = Home(tmp_path)
    year_of_statistics.fill(home, dt.date(2026, 7, 26), days=8)
    packed = list(home.statistics.glob(f"*/{day_archive.NAME}"))
    assert len(packed) == 7
    on_disk = sum(path.stat().st_blocks * 512 + 4096 for path in packed)  # and their folders
    assert on_disk / 7 * 365 < 50_000_000
    hours = [one for _, one in read(home) if isinstance(one, HourStatement)]
    assert len(hours) == 24 * 8
    assert len({use.place for one in hours for use in one.uses}) > 50
    assert min(use.clients.least for one in hours for use in one.uses) >= 3
