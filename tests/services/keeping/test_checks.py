"""Everything that can be tested, on boxes that are well and on boxes that are not."""

import os
from pathlib import Path

import pytest

from appliance.control import messages
from appliance.control.messages import AskTests, ChangeBox
from appliance.control.words import Check, Outcome
from appliance.model.instants import MINUTE_NS
from appliance.runtime.recorder_state import Durable, RecorderState, SourceState, StateFile
from appliance.services.keeping import checks
from tests.services.keeping.asking import Asked, asked_of, set_up
from tests.vault.made_homes import NOW_NS, make_box
from tests.vault.made_rows import traffic


def checked(asked: Asked) -> dict[Check, messages.Tested]:
    answer = asked.ask(AskTests())
    assert isinstance(answer, messages.Tests)
    assert [one.check for one in answer.tested] == list(Check)
    assert all(one.said for one in answer.tested)
    return {one.check: one for one in answer.tested}


def outcomes(asked: Asked) -> dict[Check, Outcome]:
    return {check: one.outcome for check, one in checked(asked).items()}


def test_a_new_box_passes_what_can_be_known_by_then(tmp_path: Path) -> None:
    found = outcomes(set_up(tmp_path))
    passed = {Check.HOME, Check.DISK, Check.CHAIN, Check.AUDIT, Check.CUSTODIANS}
    assert {check for check, outcome in found.items() if outcome is Outcome.PASSED} - {Check.CLOCK} == passed
    assert found[Check.RECORDING] is found[Check.CENTRALS] is found[Check.INTERFACE] is Outcome.LATER
    assert not any((tmp_path / "home" / "state").glob("test*"))


def test_a_home_that_others_may_open_fails(tmp_path: Path) -> None:
    asked = set_up(tmp_path)
    os.chmod(asked.at.path, 0o755)
    assert "chmod 700" in checked(asked)[Check.HOME].said
    os.chmod(asked.at.path, 0o700)
    os.chmod(asked.at.path / "box.key", 0o640)
    assert outcomes(asked)[Check.HOME] is Outcome.FAILED


@pytest.mark.parametrize("long", [False, True])
def test_a_chain_that_was_changed_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, long: bool) -> None:
    box = make_box(tmp_path)
    box.record(traffic(5))
    asked = asked_of(box)
    monkeypatch.setattr(checks, "WHOLE_BYTES", 0 if long else 1 << 30)
    assert outcomes(asked)[Check.CHAIN] is Outcome.PASSED
    content = box.home.chain.read_bytes()
    box.home.chain.write_bytes(b"".join(content.splitlines(keepends=True)[:-1]))
    assert outcomes(asked)[Check.CHAIN] is Outcome.FAILED


def test_a_line_that_was_edited_fails(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    box.record(traffic(5))
    content = box.home.chain.read_bytes()
    box.home.chain.write_bytes(content.replace(b'"rows":5', b'"rows":4', 1))
    assert outcomes(asked_of(box))[Check.CHAIN] is Outcome.FAILED


def test_an_audit_chain_that_was_edited_fails(tmp_path: Path) -> None:
    asked = set_up(tmp_path)
    asked.ask(ChangeBox(interfaces=("gone0",)))
    path = asked.at.path / "audit" / "chain.jsonl"
    path.write_bytes(path.read_bytes().replace(b"jeanne", b"joanne", 1))
    assert outcomes(asked)[Check.AUDIT] is Outcome.FAILED


def test_one_custodian_who_reads_alone_fails(tmp_path: Path) -> None:
    assert outcomes(asked_of(make_box(tmp_path, quorum=1)))[Check.CUSTODIANS] is Outcome.FAILED


def test_an_interface_that_is_not_there_fails(tmp_path: Path) -> None:
    found = checked(set_up(tmp_path, interfaces=("gone0",)))
    assert found[Check.INTERFACE].outcome is Outcome.FAILED
    assert "gone0" in found[Check.INTERFACE].said
    assert found[Check.TRAFFIC].outcome is Outcome.LATER


def test_a_recorder_is_seen_at_work_stuck_and_dead(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    asked = asked_of(box)
    source = SourceState("interface:mirror0", 9, 900, 3, None, {}, {}, {}, Durable(NOW_NS, NOW_NS))
    with box.recording() as (run, _):
        file = StateFile(box.home.state, run.id)
        file.write(RecorderState(run.id, os.getpid(), NOW_NS, NOW_NS, False, (source,), ()))
        found = outcomes(asked)
        assert (found[Check.RECORDING], found[Check.TRAFFIC]) == (Outcome.PASSED, Outcome.PASSED)
        box.clock.now_ns += MINUTE_NS
        assert outcomes(asked)[Check.RECORDING] is Outcome.FAILED
        file.close()
    assert outcomes(asked)[Check.RECORDING] is Outcome.FAILED  # it has not said that it ended


def test_a_disk_that_takes_nothing_fails(tmp_path: Path) -> None:
    asked = set_up(tmp_path)
    state = asked.at.path / "state"
    (state / "test").mkdir()
    (state / "test" / "full").touch()
    answer = asked.ask(AskTests())
    assert isinstance(answer, messages.Tests)
    assert answer.tested[list(Check).index(Check.DISK)].outcome is Outcome.FAILED
