"""The legal bases on the command line: shown as they stand, confirmed, and what a lapse does."""

import json
from pathlib import Path
from typing import Any

import pytest

from appliance.audit.check import check
from appliance.cli import law as verb
from appliance.cli.main import main
from appliance.runtime import clock
from tests.vault.made_homes import make_box

NOW_NS = 1_795_341_600_000_000_000
"""2026-11-22T10:00:00Z"""

RENEWAL = ["--basis", "traffic-injunction", "--from", "2026-10-21", "--until", "2027-10-20"]


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now_ns", lambda: NOW_NS)


def shown(home: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["law", "--home", str(home), *arguments, "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out))


def test_it_is_shown_confirmed_and_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    box = make_box(tmp_path)
    injunction, source, *_ = shown(box.home.path, capsys, "list")["bases"]
    assert (injunction["key"], injunction["state"], injunction["days_left"]) == (
        "traffic-injunction",
        "lapsed",
        -33,
    )
    assert (source["state"], source["last_day"]) == ("unlimited", None)
    found = shown(box.home.path, capsys, "confirm", *RENEWAL, "--text", "décret 2026-1")
    assert (found["bases"][0]["state"], found["bases"][0]["confirmed_text"]) == ("in-force", "décret 2026-1")
    assert found["lapse"] == {"traffic": "alert", "source": "alert"}
    assert (
        shown(box.home.path, capsys, "lapse", "--vault", "traffic", "--to", "stop")["lapse"]["traffic"]
        == "stop"
    )
    assert [str(step.step) for step in check(box.home).steps] == ["confirm-basis", "set-lapse"]


def test_a_person_reads_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = str(make_box(tmp_path).home.path)
    assert main(["law", "--home", home]) == 0
    said = capsys.readouterr().out
    assert "ended on 2026-10-20 for all that is known: confirm the text that renewed it" in said
    assert "have it confirmed by your lawyer" in said
    assert main(["law", "--home", home, "confirm", *RENEWAL, "--text", ""]) == 2
    assert "name the text" in capsys.readouterr().err
    assert verb.__doc__
