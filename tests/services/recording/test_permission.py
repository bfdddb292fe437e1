"""A lapsed basis stops a vault where the site wants that: no record of it, and the coverage says how many."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from appliance.control.words import Lapse
from appliance.model.instants import from_iso
from appliance.model.reasons import Evidence
from appliance.model.rows import BINDING, FED_TRAFFIC
from appliance.retention import lawful
from appliance.runtime import clock
from appliance.services.feeds.intake import Intake
from appliance.services.mirror.recorder import Recorder
from appliance.services.mirror.replay import record_files
from appliance.services.recording import permission
from appliance.services.recording.alarms import Alarms
from appliance.services.recording.permission import AsSaid
from appliance.services.recording.recording import Report, recording
from appliance.vault import chain
from appliance.vault.names import Home, VaultName
from appliance.vault.seals import Seal
from appliance.vault.verify import verify
from tests.retention.legal.test_calendar import RENEWED
from tests.system.boxes import Box, make_box
from tests.vault import made_homes

ANDROID = Path(__file__).parents[2] / "cases" / "android" / "android.pcap"
FIRST_FRAME = "2020-02-23T10:46:09Z"
LAPSED_NS = from_iso("2026-10-20T22:00:00Z")
"""Midnight in Paris after the last day of the basis that is shipped."""


@pytest.fixture
def across(tmp_path: Path) -> Path:
    """A real capture of 102 s, brought to where half of it lies after the lapse."""
    shift_s = (LAPSED_NS - from_iso(FIRST_FRAME)) // 10**9 - 50
    moved = tmp_path / "across.pcap"
    subprocess.run(["editcap", "-t", str(shift_s), ANDROID, moved], check=True)
    return moved


def stopping_box(folder: Path, wanted: bool = True) -> Box:
    folder.mkdir()
    box = make_box(folder, ["192.168.0.0/16", "10.0.0.0/8", "fc00::/7", "fe80::/10"])
    if wanted:
        lawful.set_lapse(Home(box.home), VaultName.TRAFFIC, Lapse.STOP, lambda: from_iso("2026-10-01"))
    return box


def record(box: Box, capture: Path) -> Report:
    with recording(box.home, Recorder) as at_work:
        record_files(at_work, [capture], lambda _: None)
        at_work.recorder.register.journal()
        at_work.recorder.register.permission.look(at_work.recorder.register.alarms)
    return at_work.report


def test_what_began_before_the_lapse_is_kept_and_what_came_after_is_not(tmp_path: Path, across: Path) -> None:
    asked, reference = stopping_box(tmp_path / "a"), stopping_box(tmp_path / "b", wanted=False)
    report, everything = record(asked, across), record(reference, across)
    of_all = reference.search("--parts")
    before = [row for row in of_all if from_iso(str(row["first_seen"])) < LAPSED_NS]
    assert 0 < len(before) < len(of_all)
    kept = asked.search("--parts")
    key = ("first_seen", "client_ip", "client_port", "peer_ip", "peer_port", "packets_out", "packets_in")
    assert sorted(str([row[name] for name in key]) for row in kept) == sorted(
        str([row[name] for name in key]) for row in before
    )
    assert report.noted["traffic_stopped"] == len(of_all) - len(before)
    assert "traffic_stopped" not in everything.noted
    assert report.bindings == everything.bindings > 0
    assert verify(Home(asked.home)).faults == ()


def test_after_the_lapse_no_byte_of_that_vault_is_written(tmp_path: Path, across: Path) -> None:
    box = stopping_box(tmp_path / "a")
    later = tmp_path / "later.pcap"
    subprocess.run(["editcap", "-t", "3600", across, later], check=True)
    with recording(box.home, Recorder) as at_work:
        record_files(at_work, [later], lambda _: None)
        at_work.recorder.register.journal()  # connections that are still open, too
        at_work.recorder.register.seal(from_iso("2026-10-21"))
    for room in ("journal", "segments", "envelopes"):
        assert not list((box.home / room).glob("traffic/*/*")), room
    assert list((box.home / "segments").glob("source/*/*"))
    [source] = box.json("coverage")["sources"]
    [period] = source["periods"]
    assert period["packets"] > 0
    assert period["noted"]["traffic_stopped"] > 0
    assert box.json("verify")["faults"] == []


def test_what_was_kept_before_the_site_wanted_it_to_stop_stays(tmp_path: Path, across: Path) -> None:
    """Rows that wait for their segment were recorded lawfully: they are sealed all the same."""
    box = stopping_box(tmp_path / "a", wanted=False)
    with recording(box.home, Recorder) as at_work:
        record_files(at_work, [across], lambda _: None)
        before = at_work.recorder.register.records
        assert before > 0
        lawful.set_lapse(Home(box.home), VaultName.TRAFFIC, Lapse.STOP)
        at_work.recorder.register.journal()
    assert at_work.report.records >= before
    assert "traffic_stopped" not in at_work.report.noted
    assert len(box.search("--parts")) == at_work.report.records


def test_a_recorder_at_work_obeys_within_a_look_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, alarms = made_homes.make_box(tmp_path).home, Alarms()
    now = made_homes.Clock(from_iso("2026-11-22T10:00:00Z"))
    monkeypatch.setattr(permission, "wall_clock", now)
    asked = AsSaid(home)
    asked.look(alarms)
    assert list(alarms) == []
    lawful.set_lapse(home, VaultName.TRAFFIC, Lapse.STOP, now)
    asked.look(alarms)
    [alarm] = alarms
    assert alarm.kind == "traffic_stopped"
    assert "since 2026-11-22T10:00:00Z" in alarm.message
    lawful.confirm(home, RENEWED)
    asked.look(alarms)
    assert list(alarms) == []
    now.now_ns = from_iso("2027-10-20T22:00:00Z")  # nothing was written; the day has come
    asked.look(alarms)
    assert [alarm.kind for alarm in alarms] == ["traffic_stopped"]


def test_a_broken_file_stops_nothing_and_frees_nothing(tmp_path: Path) -> None:
    home, alarms = made_homes.make_box(tmp_path).home, Alarms()
    lawful.set_lapse(home, VaultName.TRAFFIC, Lapse.STOP, lambda: from_iso("2026-10-01"))
    asked = AsSaid(home)
    asked.look(alarms)
    good = lawful.path_of(home).read_text()
    lawful.path_of(home).write_text("[stop")
    asked.look(alarms)
    assert {alarm.kind for alarm in alarms} == {"traffic_stopped", "legal"}
    lawful.path_of(home).write_text(good)
    asked.look(alarms)
    assert {alarm.kind for alarm in alarms} == {"traffic_stopped"}
    assert clock.now_ns() > LAPSED_NS


def of_a_vault(rows: int, dtype: np.dtype[np.void], time_of: str, at_ns: int) -> NDArray[np.void]:
    made = np.zeros(rows, dtype)
    made[time_of] = at_ns + np.arange(rows) * 10**9
    if "evidence" in made.dtype.fields:
        made["evidence"] = Evidence.DHCP
    return made


@pytest.mark.parametrize("vault", list(VaultName))
def test_what_is_told_is_stopped_like_what_is_seen(
    tmp_path: Path, vault: VaultName, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of feeds: of ten that begin around the lapse, a second apart, those before it are kept."""
    home = made_homes.make_box(tmp_path).home
    lawful.set_lapse(home, vault, Lapse.STOP)
    spell = lawful.Spell(LAPSED_NS, LAPSED_NS + 10 * 86400 * 10**9)
    monkeypatch.setattr(lawful, "stopped", lambda said, one: (spell,) if one == vault else ())
    is_traffic = vault is VaultName.TRAFFIC
    with recording(home.path, Intake) as at_work:
        intake = at_work.recorder
        intake.number_source("feed:lobby")
        dtype, time_of = (FED_TRAFFIC, "first_seen") if is_traffic else (BINDING, "from")
        rows = of_a_vault(10, dtype, time_of, LAPSED_NS - 4 * 10**9)
        (intake.register.keep if is_traffic else intake.register.hold)(rows)
        kept = intake.register.records if is_traffic else intake.register.bindings
        assert kept == 4
        assert intake.sources[0].noted == {permission.NOTES[vault]: 6}
    [sealed] = [entry.body for entry in chain.read(home) if isinstance(entry.body, Seal) and entry.body.rows]
    assert (sealed.vault, sealed.rows) == (vault, 4)
    assert at_work.report.noted == {permission.NOTES[vault]: 6}
