"""Replication as its users run it: a recorder at work, two centrals over HTTPS, killed again and again.

What is where is judged by hashlib over files and plain SQL.
"""

import contextlib
import json
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.model.instants import DAY_NS, HOUR_NS, day_of, from_iso
from tests.system import custody_judge, load
from tests.system.boxes import GREFFIER, Box, make_box
from tests.system.central_boxes import Place, enrol, site_of, unbridle
from tests.system.networks import Network, may_make
from tests.system.warm import wait_for
from tests.vault import made_homes
from tests.vault.made_rows import traffic

NS = 10**9
PER_SECOND = 300
KILLS = 8
LATEST_S = 38
"""A journal file is whole 30 s after the second in its name; looking, sending, a busy machine come on top."""


@contextlib.contextmanager
def replicating(box: Box, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [GREFFIER, "replicate", "--home", str(box.home), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=20)


def ended(process: subprocess.Popen[str], number: int) -> tuple[int, str, float]:
    begun = time.monotonic()
    process.send_signal(number)
    said, complained = process.communicate(timeout=20)
    assert "Traceback" not in complained
    return process.returncode, said + complained, time.monotonic() - begun


@pytest.fixture
def places(tmp_path: Path) -> Iterator[list[Place]]:
    made = [Place.new(tmp_path / name, name) for name in ("north", "south")]
    try:
        yield made
    finally:
        for place in made:
            place.end(signal.SIGKILL)


def rows(place: Place, like: str) -> list[tuple[str, int, int]]:
    """(name, sequence, when received) in the order of receipt."""
    with contextlib.closing(sqlite3.connect(place.folder / "catalogue.sqlite", timeout=20)) as database:
        asked = "SELECT name, sequence, received_at_ns FROM stored WHERE name LIKE ? ORDER BY sequence"
        return list(database.execute(asked, (like,)))


def begun_ns(name: str) -> int:
    """The second in the name of a journal file."""
    text = name.rpartition("/")[2].partition("-")[0]
    return from_iso(f"{text[:4]}-{text[4:6]}-{text[6:11]}:{text[11:13]}:{text[13:15]}Z")


def central_of(box: Box, number: int) -> dict[str, Any]:
    return dict(box.json("status")["replication"]["centrals"][number])


def told(box: Box) -> list[dict[str, Any]]:
    """What the process that sends last said of each central: cheaper to ask than `status`."""
    found = []
    for path in (box.home / "replication").glob("*/state.json"):
        with contextlib.suppress(ValueError):
            found.append(dict(json.loads(path.read_text())))
    return found


def has_drained(box: Box, place: Place) -> bool:
    """Whether central keeps every object that the box has, by name."""
    with contextlib.closing(sqlite3.connect(place.folder / "catalogue.sqlite", timeout=20)) as database:
        kept = {name for (name,) in database.execute("SELECT name FROM stored WHERE state = 'kept'")}
    return kept == set(custody_judge.on_box(box.home))


def assert_equal(box: Box, places: list[Place]) -> None:
    """Box and centrals have the same objects with the same bytes, each once."""
    mine = custody_judge.on_box(box.home)
    for place in places:
        theirs = custody_judge.at_central(place.folder, site_of(box))
        assert theirs.kept == mine
        assert (theirs.wrong, theirs.stray) == ([], [])


@pytest.mark.skipif(not may_make(), reason="needs root to make a network namespace")
def test_a_recorder_at_work_is_replicated_whatever_is_killed(places: list[Place], tmp_path: Path) -> None:
    box = make_box(tmp_path, [load.CLIENT_NET])
    for place in places:
        place.start()
        enrol(box, place)
    unbridle(box)
    chance = random.Random(5)
    with Network() as network:
        network.cable("switch", "mirror")
        with network.inside():
            recorder = subprocess.Popen(
                [GREFFIER, "record", "--home", str(box.home), "--interface", "mirror", "--json"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        try:
            wait_for(lambda: box.recorder().get("sources"), 30, "the recorder to listen")
            with load.sending(network, "switch", PER_SECOND):
                for _ in range(KILLS):
                    with replicating(box) as process:
                        time.sleep(chance.uniform(0.4, 3.0))
                        process.send_signal(signal.SIGKILL)
                with replicating(box) as process:
                    wait_for(
                        lambda: all(rows(place, "journal/%") for place in places),
                        60,
                        "journal files at both centrals",
                    )
                    recorder.send_signal(signal.SIGTERM)
                    assert recorder.wait(timeout=30) == 0
                    for place in places:
                        wait_for(lambda place=place: has_drained(box, place), 60, "everything to be sent")
                    code, _, took_s = ended(process, signal.SIGTERM)
                    assert (code, took_s < 5) == (0, True)
        finally:
            recorder.kill()
            recorder.wait()
    assert_equal(box, places)
    for place in places:
        late = [(received - begun_ns(name)) / NS for name, _, received in rows(place, "journal/%")]
        print(f"\nlatest journal: {max(late):.1f} s after the second in its name, of {len(late)}")
        assert max(late) < LATEST_S
    safe = box.json("status")["replication"]["segments_safe"]
    assert safe["at_two"] == box.json("status")["segments"] > 0
    assert box.json("verify")["receipts"].keys() == {"north", "south"}


def home_of_a_month(folder: Path) -> Box:
    """Thirty days until now, four sealed hours of a few rows each; the journal of a run that died today."""
    now_ns = time.time_ns()
    clock = made_homes.Clock(now_ns // HOUR_NS * HOUR_NS - 30 * DAY_NS)
    made = made_homes.make_box(folder, clock=clock)
    with made.recording() as (_, writer):
        for hour in range(0, 30 * 24, 6):
            day = day_of(clock.now_ns)
            writer.seal(traffic(4, hour, clock.now_ns // HOUR_NS % 24, day), made_homes.SOURCES, ())
            clock.now_ns += 6 * HOUR_NS
    clock.now_ns = now_ns
    made_homes.run_that_dies(made, traffic(9, 1, now_ns // HOUR_NS % 24, day_of(now_ns)))
    return Box(made.home.path, tuple(made.keys))


def test_thirty_days_without_central_drain_by_themselves_when_it_is_back(tmp_path: Path) -> None:
    box = home_of_a_month(tmp_path / "month")
    place = Place.new(tmp_path / "north", "north")
    try:
        place.start()
        enrol(box, place)
        place.end()
        unbridle(box)
        with replicating(box) as process:
            wait_for(lambda: [one["doing"] for one in told(box)] == ["waiting"], 30, "the box to wait")
            unsent = central_of(box, 0)["unsent"]
            assert unsent["objects"] == len(custody_judge.on_box(box.home)) > 30 * 4 * 3
            assert time.time_ns() - from_iso(unsent["oldest"]) > 29 * DAY_NS
            place.start()
            wait_for(lambda: has_drained(box, place), 90, "the backlog to drain")
            wait_for(lambda: [one["doing"] for one in told(box)] == ["idle"], 20, "the box to say so")
            assert central_of(box, 0)["unsent"]["objects"] == 0
            assert ended(process, signal.SIGINT)[0] == 0
        assert_equal(box, [place])
    finally:
        place.end(signal.SIGKILL)
    order = [(name.partition("/")[0], name.split("/")[2:3]) for name, _, _ in rows(place, "%")]
    rooms = [room for room, _ in order]
    last_envelope = max(at for at, room in enumerate(rooms) if room == "envelopes")
    assert rooms.index("journal") <= last_envelope + 2, "today's journals go ahead"
    assert rooms.index("segments") > rooms.index("chain") > last_envelope - 2
    days = [day for room, day in order if room == "segments"]
    assert days == sorted(days), "oldest first"


def test_what_cannot_be_sent_is_said(places: list[Place], tmp_path: Path) -> None:
    made = made_homes.make_box(tmp_path / "made", clock=made_homes.Clock(time.time_ns() - HOUR_NS))
    made.record(traffic(40))
    box = Box(made.home.path, tuple(made.keys))
    said = subprocess.run(
        [GREFFIER, "replicate", "--home", str(box.home), "--once"], capture_output=True, text=True
    )
    assert (said.returncode, "'greffier enrol'" in said.stderr) == (10, True)
    for place in places:
        place.start()
        enrol(box, place)
    unbridle(box)
    places[0].end()
    told = json.loads(box.run("replicate", "--once", "--json", expect=10))
    north, south = sorted(told["centrals"], key=lambda one: str(one["central"]))
    assert north["left"]["objects"] == len(custody_judge.on_box(box.home))
    assert north["error"]
    assert (south["left"]["objects"], south["error"]) == (0, None)
    assert_equal(box, [places[1]])
    with replicating(box):
        wait_for(lambda: central_of(box, 1)["sending"], 20, "replication to run")
        assert (
            "already"
            in subprocess.run(
                [GREFFIER, "replicate", "--home", str(box.home), "--once"], capture_output=True, text=True
            ).stderr
        )
    places[0].start()
    box.run("replicate", "--once", "--to", places[0].url)
    assert_equal(box, places)
    said = subprocess.run(
        [GREFFIER, "replicate", "--home", str(box.home), "--to", "https://elsewhere.example", "--once"],
        capture_output=True,
        text=True,
    )
    assert (said.returncode, places[1].url in said.stderr) == (10, True)
