"""What makes listening incomplete is an alarm while it lasts, and none afterwards."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from appliance.config.listen import PORTS, ListenConfig
from appliance.config.sources import NAME, text_of
from appliance.listeners import asking
from appliance.listeners.inlets import Inlets
from appliance.model.feeds import DeclaredSource
from appliance.runtime.files import write_once
from appliance.services.feeds import listening_watch
from appliance.services.feeds.gate import Gate
from appliance.services.feeds.inbox import Inbox
from appliance.services.feeds.intake import Intake
from appliance.services.feeds.listening_watch import ListeningWatch
from appliance.services.feeds.rhythms import Rhythms
from appliance.services.feeds.speakers import Speakers
from appliance.services.recording.alarms import Alarms
from appliance.services.recording.recording import recording
from appliance.vault.names import Home
from tests.system.boxes import make_box
from tests.system.listening import free_ports

BOUND = DeclaredSource("bound", addresses=("10.0.0.1/32",), certificate="ab" * 32)
FREE = DeclaredSource("free", addresses=("10.0.0.2/32",))
Watched = Callable[..., AbstractContextManager[tuple[Home, ListeningWatch, Alarms]]]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    """A watch over the given inlet alone."""

    @contextmanager
    def begin(inlet: str, *declared: DeclaredSource) -> Iterator[tuple[Home, ListeningWatch, Alarms]]:
        home = Home(make_box(tmp_path, ["10.0.0.0/8"]).home)
        write_once(home.path / NAME, text_of(declared).encode())
        ports = dict.fromkeys(PORTS, ()) | {f"{inlet}_ports": (free_ports()[inlet],)}
        inlets = Inlets(home.path / "listen", ListenConfig("127.0.0.1", **ports), lambda *_: True)
        inlets.open()
        try:
            with recording(home.path, Intake) as at_work:
                intake, gate = at_work.recorder, Gate(home)
                alarms = intake.register.alarms
                rhythms = Rhythms(home.state, alarms, gate.board)
                watch = ListeningWatch(intake, gate, rhythms, inlets, Speakers(intake), Inbox(1 << 20))
                watch.begin()
                yield home, watch, alarms
                watch.leave()
                assert list(alarms) == []
        finally:
            inlets.close()

    return begin


def kinds(alarms: Alarms) -> set[str]:
    """How good this machine's own clock is, is left aside."""
    return {alarm.kind for alarm in alarms} - {"clock_unsynchronised"}


def test_a_certificate_that_nobody_is_asked_for_is_said(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "ask", lambda context: False)
    with watched("syslog_tls", BOUND, FREE) as (home, watch, alarms):
        assert kinds(alarms) == {"certificates_not_asked"}
        assert alarms.message("certificates_not_asked").startswith("bound: ")
        write_once(home.path / NAME, text_of((FREE,)).encode())
        watch.look()
        assert kinds(alarms) == set()
        write_once(home.path / NAME, text_of((BOUND,)).encode())
        watch.look()
        assert kinds(alarms) == {"certificates_not_asked"}


def test_where_peers_are_asked_there_is_nothing_to_say(watched: Watched) -> None:
    with watched("syslog_tls", BOUND) as (_, _, alarms):
        assert kinds(alarms) == set()


def test_without_a_port_that_speaks_tls_nobody_is_asked_either(watched: Watched) -> None:
    with watched("syslog_udp", BOUND) as (_, _, alarms):
        assert kinds(alarms) == {"certificates_not_asked"}


def test_too_little_memory_of_the_kernel_is_said_as_long_as_it_is_listened(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening_watch, "ROOM_BYTES", 1 << 40)
    with watched("syslog_udp", FREE) as (_, _, alarms):
        assert kinds(alarms) == {"receive_buffer"}
