"""A central that was off for long, or whose clock jumped, says what a person has to do."""

import json
from pathlib import Path

import pytest

from appliance.central import places
from appliance.central.ledger import Ledger
from appliance.cli.main import main
from appliance.config.central import CentralConfig
from appliance.model.instants import DAY_NS, to_iso
from appliance.runtime.clock import now_ns


def test_a_central_that_was_off_for_forty_days_says_how_it_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    central = places.create(tmp_path / "lyon", CentralConfig("Lyon"), ["127.0.0.1"])
    Ledger(central, lambda: now_ns() - 41 * DAY_NS).append("running")
    central.close()
    where = ["--dir", str(tmp_path / "lyon")]
    assert main(["central", "sites", *where]) == 0
    shown = capsys.readouterr().out
    assert "ALARM: the clock stands 41 days after the last believed instant" in shown
    assert "'greffier central clock --confirm'" in shown
    assert main(["central", "sites", *where, "--json"]) == 0
    assert "stands 41 days after" in json.loads(capsys.readouterr().out)["clock_doubt"]
    assert main(["central", "clock", *where, "--confirm", to_iso(now_ns())]) == 0
    assert "The clock is believed" in capsys.readouterr().out
    assert main(["central", "sites", *where]) == 0
    assert "ALARM" not in capsys.readouterr().out
