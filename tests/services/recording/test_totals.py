"""Totals on their way to disk: when an hour is over, when the disk refuses, when the power fails."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.cli.main import main
from appliance.config.box import BoxConfig
from appliance.model.errors import StorageError
from appliance.model.instants import DAY_NS, HOUR_NS, MINUTE_NS
from appliance.services.recording import tables
from appliance.services.recording import totals as totals_module
from appliance.services.recording.totals import Totals
from appliance.statistics import files
from appliance.statistics.files import Damage, StatisticsWriter
from appliance.statistics.statements import DayStatement, HourStatement, Statement, Users
from appliance.vault.names import Home
from tests.statistics import model
from tests.system.boxes import make_box

DAY = 20_000 * DAY_NS
CONFIG = BoxConfig(
    "x", 1, ("age1q36pqyzlaulspxqajhyeh6z28eznch9ylp75xjv65pngxhq20g2qx08d8a",), ("10.0.0.0/8",)
)
ANDROID = Path(__file__).parents[2] / "cases" / "android" / "android.pcap"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.state.mkdir()
    return home


def totals(home: Home, run: str = "cafe0123") -> Totals:
    return Totals(CONFIG, tables.load(None), StatisticsWriter(home, run))


def rows(count: int, hour: int) -> Any:
    made = model.rows(count)
    made["client_mac"] = np.arange(1, count + 1)
    made["first_seen"] = DAY + hour * HOUR_NS
    made["bytes_in"] = 1
    return made


def read(home: Home) -> list[Statement]:
    return [statement for _, statement in files.read(home, 0, 1 << 62, Damage())]


def test_an_hour_is_written_when_it_is_over_and_the_day_at_the_end(home: Home) -> None:
    counted = totals(home)
    counted.keep(rows(5, hour=3))
    counted.write(DAY + 4 * HOUR_NS + 5 * MINUTE_NS - 1)
    assert read(home) == []
    counted.write(DAY + 4 * HOUR_NS + 5 * MINUTE_NS)
    assert [type(one) for one in read(home)] == [HourStatement]
    counted.keep(rows(7, hour=4))
    counted.finish()
    hours = [one.users for one in read(home) if isinstance(one, HourStatement)]
    assert hours == [Users(5), Users(7)]
    assert [one.users for one in read(home) if isinstance(one, DayStatement)] == [Users(7)]
    assert not list(home.statistics.rglob("*.draft"))


def test_the_day_of_a_run_that_dies_is_told_by_its_draft(home: Home) -> None:
    dying = totals(home, "dead0000")
    dying.keep(rows(5, hour=3))
    dying.write(DAY + 5 * HOUR_NS)
    dying.keep(rows(9, hour=5))  # lost: the hour that runs
    del dying
    after = totals(home)
    after.keep(rows(4, hour=7))
    after.finish()
    assert sorted(str(one.users) for one in read(home) if isinstance(one, DayStatement)) == [
        str(Users(4)),
        str(Users(5)),
    ]


def test_what_a_disk_refuses_waits_and_what_is_too_much_is_counted(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise StorageError("cannot write: the disk is full")

    monkeypatch.setattr(totals_module, "WAITING_LIMIT", 3)
    counted = totals(home)
    with monkeypatch.context() as full:
        full.setattr(StatisticsWriter, "write", refuse)
        for hour in range(5):
            counted.keep(rows(3 + hour, hour))
            with pytest.raises(StorageError):
                counted.write(DAY + (hour + 1) * HOUR_NS + 5 * MINUTE_NS)
    assert counted.lost == 2
    counted.write(DAY + 6 * HOUR_NS)
    assert [one.users for one in read(home)] == [Users(5), Users(6), Users(7)]


def test_statistics_that_cannot_be_written_cost_no_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    box = make_box(tmp_path, ["192.168.0.0/16", "fe80::/10"])
    (box.home / "statistics").write_text("a file where a folder should be")
    assert main(["record", "--home", str(box.home), "--json", str(ANDROID)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["noted"]["statistics_lost"] == 2  # its hour and its day
    assert "statistics_lost" in box.run("coverage", "--json")
    assert len(box.search()) > 10
    assert "cannot write" in box.run("status")
