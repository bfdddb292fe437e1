"""Who is not declared is kept apart, shown, and recorded once accepted: `listen` and `sources` together."""

import json
import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from appliance.model.instants import from_iso
from appliance.services.feeds.listening import listen
from appliance.services.recording.counts import SourceCounts
from tests.system.boxes import Box
from tests.system.listening import Listener, declare, feed_box, listening
from tests.system.warm import wait_for

LINE = "<134>{when} ap hostapd: wlan0: STA 02:99:00:00:00:{number:02x} IEEE 802.11: associated"


@pytest.fixture
def made(tmp_path: Path) -> tuple[Box, dict[str, int]]:
    return feed_box(tmp_path, ["10.0.0.0/8"], "")


def say(listener: Listener, sender: str, *numbers: int) -> None:
    """Lines of an access point at this loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.bind((sender, 0))
        for number in numbers:
            when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            line = LINE.format(when=when, number=number)
            wire.sendto(line.encode(), ("127.0.0.1", listener.ports["syslog_udp"]))


def quarantined(box: Box) -> dict[str, int]:
    return {one["address"]: one["kept"] for one in box.json("sources")["quarantined"]}


def covered(box: Box) -> dict[str, Any]:
    """The coverage, by source."""
    return {one["source"]: one for one in box.json("coverage")["sources"]}


def joined(box: Box) -> dict[int, list[dict[str, str]]]:
    """What is recorded of each station, by its number."""
    found: dict[int, list[dict[str, str]]] = {}
    for line in box.run("bindings", *box.identities, "--format", "jsonl").splitlines():
        row = json.loads(line)
        found.setdefault(int(row["mac"][-2:], 16), []).append(row)
    return found


def test_a_stranger_is_kept_apart_until_it_is_accepted(made: tuple[Box, dict[str, int]]) -> None:
    box, ports = made
    with listening(box, ports) as listener:
        before_ns = time.time_ns()
        say(listener, "127.0.0.7", 1, 2)
        say(listener, "127.0.0.8", 3)
        after_ns = time.time_ns()
        wait_for(
            lambda: quarantined(box) == {"127.0.0.7": 2, "127.0.0.8": 1}, 10, "the strangers to be shown"
        )
        assert "Not recorded: 3 messages of 2 senders" in box.run("status")
        for content in box.bytes_kept().values():
            assert b"127.0.0.7" not in content
            assert b"02:99:00" not in content
        time.sleep(1.5)  # what is accepted later is recorded with the time at which it came
        told = box.json("sources", "accept", "127.0.0.7", "--label", "lobby")
        assert told == {"declared": "lobby", "kept_messages": 2}
        wait_for(lambda: listener.heard("feed:lobby") == 2, 10, "what was kept to be recorded")
        say(listener, "127.0.0.7", 4)
        wait_for(lambda: listener.heard("feed:lobby") == 3, 10, "the next word to be recorded")
        assert quarantined(box) == {"127.0.0.8": 1}
        box.run("sources", "forget", "lobby")
        time.sleep(2.5)
        say(listener, "127.0.0.7", 5)
        wait_for(
            lambda: quarantined(box) == {"127.0.0.7": 1, "127.0.0.8": 1}, 10, "it to be a stranger again"
        )
        report = listener.end()
    assert report["lost_by_place"] == {"quarantined": 2}
    known = joined(box)
    assert sorted(known) == [1, 2, 4]
    (row,) = known[1]
    assert row["source"] == "feed:lobby"
    assert before_ns - 10**9 <= from_iso(row["from"]) <= after_ns
    wait_for(lambda: covered(box)["feeds"]["gaps"], 10, "the box to say that nobody listens any more")
    stated = covered(box)
    assert sum(part["lost"].get("quarantined", 0) for part in stated["feeds"]["periods"]) == 2
    assert sum(part["packets"] for part in stated["feed:lobby"]["periods"]) == 3
    assert box.json("verify")["faults"] == []
    assert box.json("sources")["quarantined"] == []


def test_killed_it_states_what_it_had_heard_and_what_it_kept_apart(made: tuple[Box, dict[str, int]]) -> None:
    box, ports = made
    box.run("sources", "declare", "lobby", "--address", "127.0.0.7", "--kind", "syslog")
    with listening(box, ports) as listener:
        wait_for(lambda: listener.source("feed:lobby"), 5, "the declaration to be known")
        before_ns = time.time_ns()
        time.sleep(1.5)
        say(listener, "127.0.0.7", 1, 2, 3)
        say(listener, "127.0.0.8", 4, 5)
        wait_for(lambda: listener.source("feed:lobby")["durable"]["packets"] == 3, 10, "what is durable")
        wait_for(lambda: listener.source("feeds")["kept_apart"] == 2, 10, "what is kept apart")
        last = listener.source("feed:lobby")["last_record"]
        listener.process.kill()
        listener.process.wait()
    with listening(box, ports) as listener:
        wait_for(lambda: box.json("sources")["listening"], 10, "the new run to show what it knows")
        (lobby,) = box.json("sources")["sources"]
        assert from_iso(lobby["last"]) == from_iso(last)
        listener.process.kill()
        listener.process.wait()
    with listening(box, ports) as listener:
        wait_for(lambda: box.json("sources")["listening"], 10, "the third run to show what it knows")
        (lobby,) = box.json("sources")["sources"]
        assert from_iso(lobby["last"]) == from_iso(last), "not forgotten by a run that died without hearing"
        listener.end()
    stated = covered(box)
    assert sum(part["lost"].get("quarantined", 0) for part in stated["feeds"]["periods"]) == 2
    dead = stated["feed:lobby"]["periods"][0]
    assert dead["packets"] == 3
    assert dead["noted"]["interrupted"]
    assert from_iso(dead["first"]) < before_ns
    assert "at least 3 messages" in box.run("coverage")
    assert from_iso(dead["last"]) >= from_iso(last)
    assert box.json("verify")["faults"] == []


def test_what_is_accepted_was_heard_when_it_came(made: tuple[Box, dict[str, int]]) -> None:
    """However late it is accepted: in what is shown, learned, and stated."""
    box, ports = made
    with listening(box, ports) as listener:
        before_ns = time.time_ns()
        say(listener, "127.0.0.7", 1, 2)
        after_ns = time.time_ns()
        wait_for(lambda: quarantined(box) == {"127.0.0.7": 2}, 10, "the stranger to be shown")
        time.sleep(2)
        box.json("sources", "accept", "127.0.0.7", "--label", "lobby")
        wait_for(lambda: listener.heard("feed:lobby") == 2, 10, "what was kept to be recorded")
        (lobby,) = box.json("sources")["sources"]
        assert before_ns <= from_iso(lobby["last"]) <= after_ns + 10**9
        listener.end()
    (lobby,) = box.json("sources")["sources"]
    assert before_ns <= from_iso(lobby["last"]) <= after_ns + 10**9
    (period,) = covered(box)["feed:lobby"]["periods"]
    assert before_ns <= from_iso(period["first"]) <= after_ns
    assert period["packets"] == 2


def test_what_is_accepted_at_the_last_moment_is_recorded(made: tuple[Box, dict[str, int]]) -> None:
    """Between the last look at the declarations and the end."""
    box, ports = made
    line = LINE.format(when=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), number=1).encode()

    def progress(sources: Sequence[SourceCounts]) -> None:
        if not sources[0].kept_apart:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
                wire.sendto(line, ("127.0.0.1", ports["syslog_udp"]))
        else:
            declare(box, '[[source]]\nlabel = "lobby"\naddresses = ["127.0.0.1"]\n')
            signal.raise_signal(signal.SIGTERM)

    report = listen(box.home, 20, progress, print)
    assert report.lost == {}
    assert report.packets >= 1
    assert sorted(joined(box)) == [1]


def test_a_source_that_falls_silent_is_a_fault_until_it_speaks(made: tuple[Box, dict[str, int]]) -> None:
    """It has learned that every 30 seconds is usual at every hour, and was silent for more than a minute."""
    box, ports = made
    box.run(
        "sources", "declare", "lobby", "--address", "127.0.0.7", "--kind", "syslog", "--network", "Guests"
    )
    today = time.time_ns() // (86_400 * 10**9)
    rhythm = {
        "source": "lobby",
        "access_point": "",
        "last_ns": time.time_ns() - 72 * 10**9,
        "silent_ns": 72 * 10**9,
        "pauses": 2.4,
        "hours": [[[today - days, 30] for days in (3, 2, 1)]] * 24,
    }
    (box.home / "state" / "rhythms.json").write_text(json.dumps({"key": "00" * 32, "rhythms": [rhythm]}))
    with listening(box, ports) as listener:
        silent = 'FAULT: source "lobby" (network "Guests") has said nothing since '
        wait_for(lambda: silent in box.run("status"), 20, "the silence to be noticed")
        assert "it usually speaks every 30 s at this time of the day; check its power" in box.run("status")
        assert box.json("status")["feeds"]["silent"] == ["lobby"]
        say(listener, "127.0.0.7", 1)
        wait_for(lambda: silent not in box.run("status"), 20, "the silence to be over")
        listener.end()
    learned = json.loads((box.home / "state" / "rhythms.json").read_text())["rhythms"]
    assert [one["source"] for one in learned] == ["lobby"]
    assert learned[0]["pauses"] < 1
