"""The keeper as a process: it answers for a real home, enrols at a real central, ends when told to."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from appliance.control.client import Client
from appliance.control.messages import (
    Actor,
    Ask,
    AskBox,
    AskCentral,
    AskCoverage,
    AskOverview,
    AskReplication,
    AskSources,
    AskTests,
    Box,
    CentralIdentity,
    CoverageOf,
    DeclareSource,
    Done,
    EnrolCentral,
    Refused,
    SetUp,
)
from appliance.control.words import Check, Outcome, Trouble
from appliance.model.errors import ControlError
from appliance.model.instants import DAY_NS, HOUR_NS, NS
from tests.system.boxes import GREFFIER, custodian, greffier
from tests.system.captures import write_capture
from tests.system.central_boxes import Place

ME = Actor("jeanne", "operator", "192.0.2.7")


class Keeper:
    """The command `greffier keeper` of a home that need not be there."""

    def __init__(self, home: Path, *options: str) -> None:
        self.client = Client(home.with_name(f"{home.name}-web") / "control.sock")
        self._log = home.with_name(f"{home.name}.log")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", GREFFIER, "keeper", "--home", str(home), *options],
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + 40
        while not self.client.path.exists():
            assert self._process.poll() is None, self.said()
            assert time.monotonic() < until, self.said()
            time.sleep(0.05)

    def ask(self, ask: Ask) -> object:
        return self.client.ask(ME, ask)

    def said(self) -> str:
        return self._log.read_text()

    def end(self, number: int = signal.SIGTERM) -> int:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)
        return self._process.wait(timeout=40)


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    made = Keeper(tmp_path / "box")
    try:
        yield made
    finally:
        made.end(signal.SIGKILL)


def set_up(keeper: Keeper, folder: Path) -> None:
    keys = tuple(custodian(folder / f"{name}.key") for name in ("owner", "lawyer"))
    done = keeper.ask(SetUp("Hôtel du Port", ("10.0.0.0/8", "192.168.0.0/16"), keys, 2))
    assert isinstance(done, Done), done


def test_a_box_is_made_recorded_and_told_of(keeper: Keeper, tmp_path: Path) -> None:
    assert keeper.ask(AskBox()) == Box(False, "", "", "", keeper.ask(AskBox()).version, (), (), (), (), 0, {})
    set_up(keeper, tmp_path)
    yesterday = (time.time_ns() // DAY_NS - 1) * DAY_NS
    write_capture(tmp_path / "hotel.pcap", np.arange(50), yesterday + HOUR_NS + np.arange(50) * NS)
    greffier("record", "--home", tmp_path / "box", tmp_path / "hotel.pcap")
    status = json.loads(greffier("status", "--home", tmp_path / "box", "--json"))
    overview = keeper.ask(AskOverview())
    assert overview.site == status["site"] == "Hôtel du Port"
    assert overview.last_record == status["last_record"]
    assert (overview.oldest_day, overview.newest_day) == (status["oldest_day"], status["newest_day"])
    assert overview.days_kept == 1
    assert overview.next_day == status["next_destruction"]["day"]
    assert keeper.ask(AskBox()).head == status["head"]
    covered = keeper.ask(AskCoverage("1970-01-01", "2100-01-01"))
    assert isinstance(covered, CoverageOf)
    told = json.loads(greffier("coverage", "--home", tmp_path / "box", "--json"))["sources"]
    assert [source.source for source in covered.sources] == [source["source"] for source in told]
    for source, by_command in zip(covered.sources, told, strict=True):
        assert [(one.first, one.last, one.packets, one.lost) for one in source.periods] == [
            (one["first"], one["last"], one["packets"], one["lost"]) for one in by_command["periods"]
        ]
    assert "Traceback" not in keeper.said()


def test_a_source_declared_on_the_page_is_the_one_of_the_command(keeper: Keeper, tmp_path: Path) -> None:
    set_up(keeper, tmp_path)
    points = (("bar", "02:00:00:00:00:01"), ("", "02:00:00:00:00:02"))
    asked = DeclareSource("lobby", ("10.0.0.7",), "Guests", kinds=("syslog", "radius"), access_points=points,
                          secret="seven words nobody guesses")  # fmt: skip
    assert isinstance(keeper.ask(asked), Done)
    (told,) = json.loads(greffier("sources", "--home", tmp_path / "box", "--json"))["sources"]
    assert (told["label"], told["network"], told["kinds"]) == ("lobby", "Guests", ["syslog", "radius"])
    (declared,) = keeper.ask(AskSources()).declared
    assert declared.has_secret
    assert (declared.points[0].name, declared.points[0].mac) == points[0]
    assert "seven words" not in str(keeper.ask(AskSources()))
    kept = DeclareSource("lobby", ("10.0.0.8",), kinds=("radius",), replace=True)
    assert isinstance(keeper.ask(kept), Done)
    assert "seven words" in (tmp_path / "box" / "sources.toml").read_text()
    troubles = {finding.trouble for finding in keeper.ask(AskOverview()).findings}
    assert Trouble.NOT_LISTENING in troubles


def test_a_central_is_compared_before_it_is_believed(keeper: Keeper, tmp_path: Path) -> None:
    set_up(keeper, tmp_path)
    lyon = Place.new(tmp_path / "lyon", "Lyon")
    lyon.start()
    try:
        identity = keeper.ask(AskCentral(lyon.url))
        said = greffier("central", "enrol", "--dir", lyon.folder, "--site", "Hôtel", "--json")
        code = json.loads(said)["code"]
        assert isinstance(identity, CentralIdentity)
        assert identity.name == "Lyon"
        wrong = keeper.ask(EnrolCentral(lyon.url, code, "0" * 64))
        assert isinstance(wrong, Refused)
        assert keeper.ask(AskReplication()).centrals == ()
        assert isinstance(keeper.ask(EnrolCentral(lyon.url, code, identity.fingerprint)), Done)
        (central,) = keeper.ask(AskReplication()).centrals
        assert (central.name, central.url, central.fingerprint) == ("Lyon", lyon.url, identity.fingerprint)
        assert central.left_objects > 0
        greffier("replicate", "--home", tmp_path / "box", "--once")
        tested = {one.check: one for one in keeper.ask(AskTests()).tested}
        assert tested[Check.CENTRALS].outcome is Outcome.PASSED, tested[Check.CENTRALS]
    finally:
        lyon.end()
    tested = {one.check: one for one in keeper.ask(AskTests()).tested}
    assert tested[Check.CENTRALS].outcome is Outcome.FAILED
    assert list(tested) == list(Check)
    audit = (tmp_path / "box" / "audit" / "chain.jsonl").read_text()
    assert code not in audit
    assert code.split("-")[0] not in audit


def test_nobody_is_told_where_there_is_no_central(keeper: Keeper) -> None:
    answer = keeper.ask(AskCentral("https://127.0.0.1:9"))
    assert isinstance(answer, Refused)
    assert isinstance(keeper.ask(AskCentral("file:///etc/passwd")), Refused)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_order_when_it_is_told_to(keeper: Keeper, number: int) -> None:
    assert keeper.end(number) == 0
    assert not keeper.client.path.exists()
    with pytest.raises(ControlError):
        keeper.ask(AskBox())


def test_after_a_kill_the_next_one_answers(tmp_path: Path) -> None:
    first = Keeper(tmp_path / "box")
    set_up(first, tmp_path)
    first.end(signal.SIGKILL)
    first.client.path.unlink()  # so that we wait for the next one's
    second = Keeper(tmp_path / "box")
    try:
        assert second.ask(AskBox()).site == "Hôtel du Port"
    finally:
        assert second.end() == 0


def test_a_user_who_is_not_there_cannot_be_let_in(tmp_path: Path) -> None:
    greffier("keeper", "--home", tmp_path / "box", "--page-user", "nobody-of-this-name", expect=2)
    assert not (tmp_path / "box-web").exists()


def test_systemd_is_told_when_it_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """sd_notify(3): a datagram to the socket that NOTIFY_SOCKET names."""
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        keeper = Keeper(tmp_path / "box")
        try:
            assert manager.recv(100) == b"READY=1"
            assert isinstance(keeper.ask(AskBox()), Box)
        finally:
            keeper.end()


def test_its_memory_holds_when_it_is_asked_over_and_over(keeper: Keeper, tmp_path: Path) -> None:
    set_up(keeper, tmp_path)
    pid = keeper._process.pid

    def resident() -> int:
        fields = Path(f"/proc/{pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    for _ in range(100):
        keeper.ask(AskOverview())
    before = resident()
    handles = len(os.listdir(f"/proc/{pid}/fd"))
    for _ in range(500):
        keeper.ask(AskOverview())
    assert resident() - before < 8 << 20
    assert len(os.listdir(f"/proc/{pid}/fd")) <= handles + 2
