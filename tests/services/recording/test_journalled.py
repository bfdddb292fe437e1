"""Whoever answers what is durable asks the register whether the journal was written since he last asked."""

from pathlib import Path

from appliance.services.feeds.intake import Intake
from appliance.services.recording.recording import recording
from tests.system.boxes import make_box


def test_a_journal_is_told_once(tmp_path: Path) -> None:
    with recording(make_box(tmp_path, ["10.0.0.0/8"]).home, Intake) as at_work:
        register = at_work.recorder.register
        register.take_journalled()
        assert not register.take_journalled()
        assert register.journal()
        assert register.take_journalled()
        assert not register.take_journalled()
