"""One question for all who look, room for so many, and a stream that ends and comes back."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.control.messages import AskLive, Live
from appliance.model.errors import ControlError
from appliance.runtime.clock import now_ns
from tests.webui.made_answers import made_keeper
from tests.webui.visiting import made_site, signed_in, visitor
from webui import protection
from webui.pages import live
from webui.rights import Role
from webui.watch import PACE_S, SEATS, SEATS_A_SESSION, Full, Watch


def answer() -> Live:
    given = made_keeper("good", now_ns()).ask(None, AskLive())  # type: ignore[arg-type]
    assert isinstance(given, Live)
    return given


def test_twenty_who_look_are_one_question() -> None:
    watch, asked, found = Watch(), [], []
    begun = threading.Event()

    def ask() -> Live:
        asked.append(1)
        begun.wait(5)
        return answer()

    lookers = [threading.Thread(target=lambda: found.append(watch.newer(0, ask))) for _ in range(20)]
    for one in lookers:
        one.start()
    begun.set()
    for one in lookers:
        one.join(5)
    assert len(found) == 20
    assert len(asked) == 1


def test_a_keeper_that_fails_frees_the_next() -> None:
    """Whoever asks in the name of all and breaks does not leave them waiting."""
    watch = Watch(monotonic_s=iter(range(0, 1_000, 10)).__next__)

    def broken() -> Live:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        watch.newer(0, broken)
    assert watch.newer(1, answer)[1] is not None


def test_the_next_answer_comes_at_its_pace() -> None:
    watch, numbers = Watch(), []
    for _ in range(2):
        number, _value = watch.newer(numbers[-1] if numbers else 0, answer)
        numbers.append(number)
    assert numbers == [1, 2]
    assert PACE_S >= 1


def test_there_is_room_for_so_many() -> None:
    watch = Watch()
    held = [watch.seat(f"session {number // SEATS_A_SESSION}") for number in range(SEATS)]
    for number, seat in enumerate(held):
        seat.__enter__()
        if number == SEATS_A_SESSION - 1:
            with pytest.raises(Full), watch.seat("session 0"):
                pass
    with pytest.raises(Full), watch.seat("another"):
        pass
    for seat in held:
        seat.__exit__(None, None, None)
    with watch.seat("another"):
        pass


@pytest.fixture
def site(tmp_path: Path) -> Any:
    return made_site(tmp_path, made_keeper("good", now_ns()), clock=now_ns)


def opened(browser: Any) -> tuple[list[Any], Iterator[bytes]]:
    """The stream as the web server would read it, not to its end."""
    told: list[Any] = []
    environ = browser._environ("GET", "/live", b"", "", {})
    return told, browser.page(environ, lambda status, headers, *_: told.extend((status, dict(headers))))


def test_a_stream_tells_what_moves_and_gives_its_seat_back(site: Any) -> None:
    browser = signed_in(site)
    told, stream = opened(browser)
    first = next(iter(stream)).decode()
    assert told[0].startswith("200")
    assert told[1]["Content-Type"].startswith("text/event-stream")
    lines = dict(line.split(": ", 1) for line in first.strip().splitlines())
    now = json.loads(lines["data"])
    assert now["state"] == {"level": "well", "findings": 0, "recording": "yes"}
    assert now["values"]["users"] == "37"
    assert "last:interface:eth1" in now["values"]
    assert site.watch._seats.total() == 1
    stream.close()  # type: ignore[attr-defined]
    assert site.watch._seats.total() == 0


def test_a_stream_ends_with_its_session_and_by_itself(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webui.watch.PACE_S", 0.05)
    browser = signed_in(site)
    _told, stream = opened(browser)
    events = iter(stream)
    next(events)
    number = protection.number_of(browser.cookies[protection.COOKIE])
    site.accounts.sessions.end(number)
    assert sum(1 for _ in events) <= 1
    monkeypatch.setattr(live, "LASTS_S", 0.2)
    again = signed_in(site, Role.AUDITOR)
    assert 1 <= len(again.get("/live").text.split("\n\n")) < 30


def test_who_comes_too_many_is_told_not_to_come_back(site: Any) -> None:
    browser = signed_in(site)
    streams = [opened(browser)[1] for _ in range(SEATS_A_SESSION)]
    for stream in streams:
        next(iter(stream))
    assert browser.get("/live").status == 204
    for stream in streams:
        stream.close()  # type: ignore[attr-defined]


def test_a_keeper_that_is_gone_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def ask(self, actor: Any, ask: Any) -> Any:
            raise ControlError("the keeper does not answer")

    monkeypatch.setattr(live, "LASTS_S", 0.05)
    monkeypatch.setattr("webui.watch.PACE_S", 0.02)
    browser = signed_in(made_site(tmp_path, Gone(), clock=now_ns))
    assert '{"lost": true}' in browser.get("/live").text


def test_a_stranger_gets_no_stream(site: Any) -> None:
    assert visitor(site).get("/live").status == 303
