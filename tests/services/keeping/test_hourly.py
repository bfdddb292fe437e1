"""What the keeper does unasked: it destroys on the day, goes on after errors, and complains once."""

from pathlib import Path

import pytest

from appliance.control.messages import AskAudit, AskRetention, ChangeBox
from appliance.model.errors import StorageError
from appliance.model.instants import DAY_NS, HOUR_NS, MINUTE_NS, day_of
from appliance.services.keeping import hourly
from appliance.services.keeping.at_hand import AtHand
from appliance.services.keeping.hourly import Hourly
from appliance.vault import chain
from appliance.vault.seals import AuditAnchor
from tests.services.keeping.asking import asked_of
from tests.vault.made_homes import make_box
from tests.vault.made_rows import traffic


def test_what_has_passed_its_term_goes_within_the_turn(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    box.record(traffic(20))
    asked = asked_of(box)
    keeping = Hourly(asked.at, asked.complaints.append)
    keeping.turn()
    assert box.files("envelopes")
    for _ in range(12):  # a box that runs all the year; nobody doubts its clock
        box.clock.now_ns += 31 * DAY_NS
        box.record(traffic(5, day=day_of(box.clock.now_ns)))
        keeping.turn()
    days = {path.parent.name for path in box.files("envelopes")}
    assert len(days) == 12
    assert min(days) > "2026-03-15"
    (certificate,) = asked.ask(AskRetention()).certificates
    assert (certificate.vault, certificate.day) == ("traffic", "2026-03-14")
    assert asked.complaints == []


def test_a_clock_that_is_not_believed_destroys_nothing(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    box.record(traffic(20))
    box.clock.now_ns += 400 * DAY_NS
    Hourly(asked_of(box).at, lambda told: None).turn()
    assert box.files("envelopes")


def test_before_there_is_a_home_nothing_is_done_and_nothing_said(tmp_path: Path) -> None:
    said: list[str] = []
    Hourly(AtHand(tmp_path / "home"), said.append).turn()
    assert said == []
    assert list(tmp_path.iterdir()) == []


def test_the_audit_chain_is_tied_to_the_seals(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    asked = asked_of(box)
    asked.ask(ChangeBox(interfaces=("mirror0",)))
    Hourly(asked.at, asked.complaints.append).turn()
    anchors = [entry.body for entry in chain.read(box.home) if isinstance(entry.body, AuditAnchor)]
    audit = asked.ask(AskAudit())
    assert [f"{one.audit_lines - 1}:{one.audit_hash}" for one in anchors] == [audit.head]


def test_what_fails_is_said_once_and_tried_again_sooner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = make_box(tmp_path)
    asked = asked_of(box)
    tried, repaired = [], []

    def work(at: AtHand) -> None:
        tried.append(at.clock())
        if not repaired:
            raise StorageError("the disk is full")

    def fall(at: AtHand) -> None:
        raise ValueError("192.0.2.99")

    monkeypatch.setattr(hourly, "WORKS", (("fall", fall), ("sweep", work)))
    keeping = Hourly(asked.at, asked.complaints.append)
    for _ in range(12):
        keeping.turn()
        box.clock.now_ns += MINUTE_NS
    assert len(tried) == 3
    assert asked.complaints == [
        "cannot fall: ValueError; it is tried again",
        "cannot sweep: the disk is full; it is tried again",
    ]
    repaired.append(True)
    for _ in range(120):
        box.clock.now_ns += MINUTE_NS
        keeping.turn()
    assert len(tried) == 5
    assert len(asked.complaints) == 2


def test_midnight_and_a_clock_set_back_are_no_time_to_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = make_box(tmp_path)
    asked = asked_of(box)
    tried: list[int] = []
    monkeypatch.setattr(hourly, "WORKS", (("sweep", lambda at: tried.append(at.clock())),))
    keeping = Hourly(asked.at, asked.complaints.append)
    box.clock.now_ns = box.clock.now_ns // DAY_NS * DAY_NS + DAY_NS - MINUTE_NS
    keeping.turn()
    box.clock.now_ns += MINUTE_NS
    keeping.turn()
    box.clock.now_ns -= 5 * HOUR_NS
    keeping.turn()
    assert len(tried) == 3
