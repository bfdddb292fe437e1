"""`greffier statistics` as a manager or a script meets it, over a home with known statistics."""

import json
from pathlib import Path

import pytest

from appliance.cli.main import main
from appliance.model.instants import DAY_NS, HOUR_NS, from_iso
from appliance.statistics.files import StatisticsWriter
from appliance.statistics.statements import DayStatement, HourStatement, Use, Users
from appliance.vault.names import Home
from tests.cli.test_custody_verbs import Greffier, as_json, greffier, home

__all__ = ["greffier", "home"]

DAY = from_iso("2026-03-14")


@pytest.fixture
def told(home: Path) -> Path:
    """Two hours and their day, and an hour of the next day in which one or two were there."""
    evening = (
        Use("none", "video", 9_000_000_000, 40, Users(12)),
        Use("none", "tls_web", 1_000_000_000, 400, Users(20)),
    )
    night = (Use("all", "other", 70_000, 3, Users(3)),)
    StatisticsWriter(Home(home), "cafe0123").write(
        [
            HourStatement(DAY + 20 * HOUR_NS, Users(21), evening),
            HourStatement(DAY + 23 * HOUR_NS, Users(3), night),
            DayStatement(DAY, Users(33), (("android", Users(14)), ("windows", Users(9)))),
            HourStatement(DAY + DAY_NS + 3 * HOUR_NS, None),
        ]
    )
    return home


def test_a_manager_reads_words_shares_and_users(greffier: Greffier, told: Path) -> None:
    code, shown, error = greffier("statistics", "--home", told)
    assert (code, error) == (0, "")
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "2026-03-14 33 10.0 GB 443" in lines
    assert "2026-03-15 too few to say" in lines
    assert "Video 90.0 % 9.0 GB 40 12" in lines
    assert "Web, encrypted 10.0 % 1.0 GB 400 20" in lines
    assert "Android 14" in [line.removesuffix(" ") for line in lines]
    assert "Hours with one or two users are not shown, nor among the sums." in lines


def test_by_hour_and_of_a_part(greffier: Greffier, told: Path) -> None:
    shown = as_json(
        greffier("statistics", "--home", told, "--by", "hour", "--from", "2026-03-14T22:00Z", "--json")
    )
    night, quiet = shown["periods"]  # type: ignore[misc]
    assert (night["start"], night["users"], night["bytes"]) == (
        "2026-03-14T23:00Z",
        {"least": 3, "most": 3},
        70_000,
    )
    assert night["uses"] == {"other": {"bytes": 70_000, "connections": 3, "clients_at_least": 3}}
    assert (quiet["start"], quiet["users"], quiet["too_few"]) == ("2026-03-15T03:00Z", None, True)
    assert (
        "20:00"
        not in greffier("statistics", "--home", told, "--by", "hour", "--from", "2026-03-14T22:00Z")[1]
    )
    by_day = as_json(greffier("statistics", "--home", told, "--to", "2026-03-15", "--json"))
    [day] = by_day["periods"]  # type: ignore[misc]
    assert (day["start"], day["users"]) == ("2026-03-14", {"least": 33, "most": 33})
    assert day["systems"]["windows"] == {"least": 9, "most": 9}
    assert day["places"].keys() == {"none", "all"}


def test_what_is_withheld_is_not_shown_as_nothing(greffier: Greffier, home: Path) -> None:
    """A day of three whose hours had one each; another of which one hour is told; systems of too few."""
    use = (Use("none", "web", 7_900, 5, Users(4)),)
    systems = (("apple_mobile", Users(4)),)
    StatisticsWriter(Home(home), "cafe0123").write(
        [
            *(HourStatement(DAY + hour * HOUR_NS, None) for hour in (1, 2, 3, 25)),
            DayStatement(DAY, Users(3)),
            HourStatement(DAY + DAY_NS, Users(4), use),
            DayStatement(DAY + DAY_NS, Users(6), systems, too_few=True),
        ]
    )
    words = [" ".join(line.split()) for line in greffier("statistics", "--home", home)[1].splitlines()]
    assert "2026-03-14 3 too few to say too few to say" in words
    assert "2026-03-15 6 7.9 kB or more 5 or more" in words
    assert "Systems with one or two devices are not named." in words
    first, second = as_json(greffier("statistics", "--home", home, "--json"))["periods"]  # type: ignore[misc]
    assert (first["users"], first["too_few"]) == ({"least": 3, "most": 3}, True)
    assert (first["bytes"], first["connections"], first["clients_at_least"]) == (None, None, None)
    assert (second["bytes"], second["too_few"], second["systems_too_few"]) == (7_900, True, True)
    assert first["systems_too_few"] is False


def test_what_cannot_be_meant_is_said_so(greffier: Greffier, told: Path, tmp_path: Path) -> None:
    assert greffier("statistics", "--home", told, "--from", "yesterday")[0] == 2
    assert greffier("statistics", "--home", told, "--from", "2026-03-15", "--to", "2026-03-14")[0] == 2
    assert greffier("statistics", "--home", told, "--by", "week")[0] == 2
    assert greffier("statistics", "--home", tmp_path / "nowhere")[0] == 4
    nothing = greffier("statistics", "--home", told, "--to", "2020-01-01")
    assert (nothing[0], nothing[1].strip()) == (
        0,
        "There are no statistics of that time; an hour appears five minutes after its end.",
    )


def test_damage_is_told_and_the_rest_shown(greffier: Greffier, told: Path) -> None:
    [first, _] = sorted((told / "statistics").glob("*/*.jsonl"))
    first.write_text(first.read_text().replace('"video"', '"example.com"'))
    code, shown, error = greffier("statistics", "--home", told, "--json")
    assert code == 0
    assert "1 line(s) of statistics are damaged" in error
    assert "example.com" not in shown + error
    assert json.loads(shown)["damaged_lines"] == 1
    assert json.loads(shown)["periods"][0]["users"] == {"least": 33, "most": 33}


def test_retention_deletes_old_statistics_and_says_so(greffier: Greffier, told: Path) -> None:
    planned = greffier("retention", "--home", told, "--now", "2027-04-19", "--dry-run")
    assert "Would be deleted: the statistics of 1 day(s) from 2026-03-14 to 2026-03-14." in planned[1]
    assert len(list((told / "statistics").iterdir())) == 2
    gone = as_json(greffier("retention", "--home", told, "--now", "2027-04-19", "--json"))
    assert gone["statistics_deleted"] == ["2026-03-14"]
    assert [folder.name for folder in (told / "statistics").iterdir()] == ["2026-03-15"]
    assert greffier("verify", "--home", told)[0] == 0


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["statistics", "--help"])
    assert "  greffier statistics " in capsys.readouterr().out.split("examples:")[1]
