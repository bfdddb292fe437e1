"""Replication of a home to two real centrals in folders: what is slow, away or refused stops nothing else."""

import dataclasses
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from appliance.config.replication import ReplicationConfig
from appliance.model.errors import ReplicationError
from appliance.model.instants import HOUR_NS
from appliance.replication import backoff, brought, delivery, state
from appliance.replication.claims import Claim
from appliance.replication.enrolled import Enrolled
from appliance.replication.receipts import Receipt
from appliance.replication.targets import Busy, Full, Refused, Target, Unreachable, Untrusted
from appliance.services import replicating as replicating_service
from appliance.services.replicating import Outcome, Replicating
from appliance.services.replication_status import Replication
from appliance.services.status import status
from tests.replication.centrals_here import Here, at_home, box_of_hours, central_for
from tests.system.warm import wait_for
from tests.vault.made_homes import Box, run_that_dies
from tests.vault.made_rows import traffic


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return box_of_hours(tmp_path / "box", 3)


@pytest.fixture
def heres(box: Box, tmp_path: Path) -> list[Here]:
    return [central_for(box, tmp_path / name, name) for name in ("north", "south")]


def targets(heres: list[Here]) -> Callable[[Enrolled], Target]:
    by_url = {here.enrolled.url: here for here in heres}
    return lambda central: by_url[central.url].target()


def replicating(
    box: Box, heres: list[Here], stopping: threading.Event, once: bool, hours: str = ""
) -> Replicating:
    config = ReplicationConfig(hours=hours, time_zone="UTC")
    known = [here.enrolled for here in heres]
    return Replicating(box.home, known, config, stopping, once, make_target=targets(heres), clock=box.clock)


def once(box: Box, heres: list[Here]) -> list[Outcome]:
    return replicating(box, heres, threading.Event(), True).run()


@contextmanager
def at_work(box: Box, heres: list[Here], hours: str = "") -> Iterator[list[Outcome]]:
    stopping, ended = threading.Event(), list[Outcome]()
    service = replicating(box, heres, stopping, False, hours)
    thread = threading.Thread(target=lambda: ended.extend(service.run()))
    thread.start()
    try:
        yield ended
    finally:
        stopping.set()
        thread.join(15)
        assert not thread.is_alive(), "it ends quickly"


def standing(box: Box) -> tuple[Replication, list[str]]:
    """How replication stands, and what `status` says is wrong with it."""
    found = status(box.home, box.clock())
    assert found.replication
    return found.replication, [fault for fault in found.faults if "central '" in fault]


def test_both_centrals_get_everything_and_segments_are_safe(box: Box, heres: list[Here]) -> None:
    found, faults = standing(box)
    assert (found.safe, len(faults)) == ((3, 0, 0), 2)
    once(box, heres[:1])
    found, faults = standing(box)
    assert (found.safe, len(faults)) == ((0, 3, 0), 1)
    outcomes = once(box, heres)
    assert [(one.error, one.state.objects, one.state.doing) for one in outcomes] == [(None, 0, "ended")] * 2
    for here in heres:
        assert here.objects() == at_home(box)
        again = [name for name, count in here.asked.items() if count > 1]
        assert len(again) == (here is heres[0]), "nothing twice but the line that asks whether it is there"
    found, faults = standing(box)
    assert (found.safe, faults) == ((0, 0, 3), [])


def test_a_central_that_hangs_keeps_nobody_waiting(box: Box, heres: list[Here]) -> None:
    hanging = threading.Event()
    heres[0].before = lambda claim: void(hanging.wait(60))
    try:
        with at_work(box, heres):
            wait_for(lambda: heres[1].objects() == at_home(box), 20, "the other central to have everything")
            assert not heres[0].taken
    finally:
        hanging.set()


def void(_: object) -> None:
    return None


def test_a_segment_on_a_slow_line_keeps_no_journal_waiting(box: Box, heres: list[Here]) -> None:
    slow = threading.Event()

    def slowly(claim: Claim) -> None:
        if claim.name.startswith("segments/"):
            slow.wait(60)

    heres[0].before = slowly
    try:
        with at_work(box, heres[:1]):
            wait_for(lambda: any("segments/" in name for name in heres[0].asked), 20, "a segment on its way")
            run_that_dies(box, traffic(5, 9))
            wait_for(
                lambda: any("journal/" in name for name in heres[0].taken), 20, "the journal to be there"
            )
            assert not any("segments/" in name for name in heres[0].taken)
            slow.set()
    finally:
        slow.set()


def test_segments_wait_for_their_hours_and_the_rest_does_not(box: Box, heres: list[Here]) -> None:
    run_that_dies(box, traffic(5, 9))
    with at_work(box, heres[:1], hours="22:00-23:30"):  # it is 18:00
        wait_for(lambda: told(heres[0]) == "resting", 20, "all but segments to be sent")
        kinds = {name.partition("/")[0] for name in heres[0].objects()}
        assert kinds == {"envelopes", "journal", "chain"}
        box.clock.now_ns += 5 * HOUR_NS
        wait_for(lambda: heres[0].objects() == at_home(box), 20, "segments to be sent in their hours")


def told(here: Here) -> str:
    said = state.read(here.enrolled.folder)
    return said.doing if said else ""


@pytest.mark.parametrize(
    ("kind", "error"), [("untrusted", Untrusted("not it")), ("", Unreachable("a hiccup"))]
)
def test_a_failure_is_waited_out_and_told(
    box: Box, heres: list[Here], kind: str, error: ReplicationError
) -> None:
    failing = threading.Event()
    failing.set()

    def fail(claim: Claim) -> None:
        if failing.is_set():
            raise error

    heres[0].before = fail
    with at_work(box, heres[:1]):
        wait_for(lambda: told(heres[0]) == "waiting", 20, "it to wait")
        said = state.read(heres[0].enrolled.folder)
        assert said
        assert [alarm.kind for alarm in said.alarms] == ([kind] if kind else [])
        assert (said.contact_ns, said.receipt_ns) == (None, None)
        failing.clear()
        wait_for(lambda: heres[0].objects() == at_home(box), 30, "everything to be sent")
        wait_for(lambda: told(heres[0]) == "idle", 20, "it to say so")
        said = state.read(heres[0].enrolled.folder)
        assert said
        assert (said.alarms, said.objects, said.receipts) == ((), 0, len(at_home(box)))


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("unreachable", Unreachable("no way there"), "cannot be reached: no way there"),
        ("busy", Busy("not now"), "is busy: not now"),
        ("full", Full("no room left"), "is full: no room left"),
    ],
)
def test_an_outage_of_a_minute_and_more_is_an_alarm(
    box: Box, heres: list[Here], kind: str, error: ReplicationError, words: str
) -> None:
    def away(claim: Claim) -> None:
        raise error

    heres[0].before = away
    with at_work(box, heres[:1]):
        wait_for(lambda: told(heres[0]) == "waiting", 20, "it to wait")
        box.clock.now_ns += HOUR_NS
        wait_for(lambda: bool((said := state.read(heres[0].enrolled.folder)) and said.alarms), 20, "an alarm")
        found, faults = standing(box)
        assert [one.is_sending for one in found.centrals if one.name == "north"] == [True]
        assert any(f"'north' {words} (since 2026-03-14T18:00" in one for one in faults)
        said = state.read(heres[0].enrolled.folder)
        assert said
        assert [alarm.kind for alarm in said.alarms] == [kind]


def test_receipts_that_wait_and_cannot_be_entered_are_an_alarm_until_they_are(
    box: Box, heres: list[Here], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_BROUGHT_S", 0.1)
    waiting = heres[0].enrolled.folder / brought.FOLDER / "1.receipts"
    waiting.mkdir(parents=True)  # no file that can be read
    with at_work(box, heres[:1]):
        wait_for(lambda: kinds_told(heres[0]) == ["brought"], 10, "an alarm")
        said = state.read(heres[0].enrolled.folder)
        assert said
        assert "cannot read what waits in" in said.alarms[0].message
        waiting.rmdir()
        wait_for(lambda: kinds_told(heres[0]) == [], 10, "the alarm to end")


def kinds_told(here: Here) -> list[str]:
    said = state.read(here.enrolled.folder)
    return [alarm.kind for alarm in said.alarms] if said else []


def test_what_central_will_not_take_is_an_alarm_and_left(box: Box, heres: list[Here]) -> None:
    path = box.files("segments", ".index")[0]
    content = path.read_bytes()
    path.write_bytes(bytes(len(content)))
    [outcome] = once(box, heres[:1])
    assert (outcome.error, outcome.state.objects) == (None, 1)
    [alarm] = outcome.state.alarms
    assert alarm.kind == "refused"
    path.write_bytes(content)
    assert once(box, heres[:1])[0].state.objects == 0


def test_two_processes_do_not_send_to_one_central(box: Box, heres: list[Here]) -> None:
    with at_work(box, heres[:1]):
        wait_for(lambda: told(heres[0]) == "idle", 20, "it to run")
        with pytest.raises(ReplicationError, match="already"):
            once(box, heres)
        assert not heres[1].taken
        once(box, heres[1:])
    assert heres[1].objects() == at_home(box)


def test_once_asks_a_central_that_lacks_nothing_whether_it_is_there(
    box: Box, heres: list[Here], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It once said that all was well of one that was switched off."""
    monkeypatch.setattr(backoff, "FIRST_S", 0.01)
    contact_ns = once(box, heres[:1])[0].state.contact_ns
    assert contact_ns
    for error in (Unreachable("no way there"), Refused("403")):
        heres[0].before = failing_with(error)
        box.clock.now_ns += HOUR_NS
        [outcome] = once(box, heres[:1])
        assert str(error) in str(outcome.error)
        assert (outcome.state.objects, outcome.state.receipt_ns) == (0, contact_ns), "known over restarts"


def failing_with(error: ReplicationError) -> Callable[[Claim], None]:
    def fail(claim: Claim) -> None:
        raise error

    return fail


def test_once_finds_a_central_that_was_put_back_and_gives_it_everything(
    box: Box, heres: list[Here], tmp_path: Path
) -> None:
    heres[0].save(tmp_path / "empty")
    once(box, heres[:1])
    heres[0].put_back(tmp_path / "empty")
    [outcome] = once(box, heres[:1])
    assert heres[0].objects() == at_home(box)
    assert [alarm.kind for alarm in outcome.state.alarms] == ["put_back"]


def test_a_central_enrolled_or_moved_while_it_runs_is_sent_to(
    box: Box, heres: list[Here], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second one was once not sent to until somebody started the service again."""
    monkeypatch.setattr(replicating_service, "LOOK_S", 0.1)
    north, south = heres
    known = [dataclasses.replace(north.enrolled, url="https://was-there.example:443")]
    by_url = targets(heres)

    def target_of(central: Enrolled) -> Target:
        return _Away() if "was-there" in central.url else by_url(central)

    stopping, ended = threading.Event(), list[Outcome]()
    service = Replicating(
        box.home, list(known), ReplicationConfig(), stopping, make_target=target_of, look=lambda: list(known)
    )
    thread = threading.Thread(target=lambda: ended.extend(service.run()))
    thread.start()
    try:
        wait_for(lambda: told(north) == "waiting", 10, "it to find nobody")
        known.append(south.enrolled)
        wait_for(lambda: south.objects() == at_home(box), 20, "the second to have everything")
        assert not north.taken
        known[0] = north.enrolled
        wait_for(lambda: north.objects() == at_home(box), 20, "the first to have everything")
    finally:
        stopping.set()
        thread.join(15)
    assert [(one.central, one.url) for one in ended] == [
        (here.enrolled.identity.name, here.enrolled.url) for here in heres
    ]


class _Away:
    def deposit(self, claim: Claim, content: BinaryIO) -> Receipt:
        raise Unreachable("no way there")

    def close(self) -> None:
        return None
