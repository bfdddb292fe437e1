"""`kill -9` at any moment loses nothing older than two seconds, and nothing is doubled or invented.

What is expected comes from tcpdump's capture of the same cable, and from the numbers on the datagrams.
"""

import csv
import io
import json
import random
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from appliance.model.instants import MS, from_iso
from tests.system import load
from tests.system.boxes import Box, box_for, custodian
from tests.system.captures import write_capture
from tests.system.networks import Network, may_make
from tests.system.warm import Warm, wait_for

NS = 10**9
BOXES = 8
LIVES = 27
"""Of each box: the last one ends in order, so 208 are killed."""

PER_SECOND = 500
LOSS_NS = 2 * NS

needs_root = pytest.mark.skipif(not may_make(), reason="needs root to make a network namespace")


@dataclass
class Life:
    """One recorder process, all instants by the wall clock; `ready` when it was first seen to listen."""

    pid: int
    started: int
    until: float
    ready: int | None = None
    killed: int = 0
    dead: int = 0
    in_order: bool = False


@dataclass
class Subject:
    box: Box
    output: Path
    lives: list[Life] = field(default_factory=list)

    def start(self, warm: Warm, lifetime_s: float) -> None:
        started = time.time_ns()
        pid = warm.start(
            ["record", "--home", str(self.box.home), "--interface", "mirror", "--json"], self.output
        )
        self.lives.append(Life(pid, started, time.monotonic() + lifetime_s))

    def end(self, warm: Warm, number: int) -> None:
        life = self.lives[-1]
        life.killed = time.time_ns()
        warm.end(life.pid, number)
        life.dead = time.time_ns()
        life.in_order = number == signal.SIGTERM

    def is_ready(self) -> bool:
        """Look whether the recorder says that it listens, and note when it first does."""
        life = self.lives[-1]
        if life.ready is None:
            for path in (self.box.home / "state").glob("recorder-*.json"):
                state = read_state(path)
                if state.get("pid") == life.pid and state["sources"]:
                    life.ready = time.time_ns()
        return life.ready is not None


def read_state(path: Path) -> dict[str, object]:
    try:
        return dict(json.loads(path.read_text()))
    except (FileNotFoundError, ValueError):
        return {}


def lifetime(chance: random.Random) -> float:
    """Often too short to begin, else long enough that something must be kept."""
    return chance.uniform(0.02, 1.0) if chance.random() < 0.4 else chance.uniform(1.0, 5.5)


def kill_and_restart(subjects: list[Subject], warm: Warm, chance: random.Random) -> None:
    for subject in subjects:
        subject.start(warm, lifetime(chance))
    while any(len(subject.lives) < LIVES for subject in subjects):
        time.sleep(0.01)
        for subject in subjects:
            subject.is_ready()
            if len(subject.lives) < LIVES and time.monotonic() >= subject.lives[-1].until:
                subject.end(warm, signal.SIGKILL)
                subject.start(warm, lifetime(chance))
    for subject in subjects:
        wait_for(subject.is_ready, 20, "the last recorder to listen")
    time.sleep(3)
    for subject in subjects:
        subject.end(warm, signal.SIGTERM)


@pytest.fixture
def subjects(tmp_path: Path) -> list[Subject]:
    keys = (tmp_path / "owner.key", tmp_path / "lawyer.key")
    custodians = [word for key in keys for word in ("--custodian", custodian(key))]
    made = []
    for number in range(BOXES):
        box = box_for(tmp_path / f"box{number}", keys, custodians, [load.CLIENT_NET])
        if number % 2:
            box.settings(row_limit=1500)  # these seal every few seconds, so that seals are killed too
        made.append(Subject(box, tmp_path / f"box{number}.out"))
    return made


def masks(lives: list[Life], times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which frames must have been kept, and which may have been."""
    must, may = np.zeros(len(times), bool), np.zeros(len(times), bool)
    for life in lives:
        may |= (times >= life.started) & (times <= life.dead)
        if life.ready is not None:
            safe_until = life.killed - (0 if life.in_order else LOSS_NS)
            must |= (times >= life.ready) & (times <= safe_until)
    return must, may


def connections(box: Box) -> Iterator[dict[str, str]]:
    return csv.DictReader(io.StringIO(box.run("search", *box.identities, "--format", "csv")))


def judge(subject: Subject, numbers: np.ndarray, times: np.ndarray) -> None:
    """Compare what the custodians read with what tcpdump saw while the recorder was up."""
    must, may = masks(subject.lives, times)
    total = int(numbers.max()) + 1
    least, most = np.bincount(numbers[must], minlength=total), np.bincount(numbers[may], minlength=total)
    seen_at = set(zip(numbers.tolist(), times.tolist(), strict=True))
    # A large segment keeps milliseconds, widened so that the true period lies within.
    begun_at = seen_at | {(number, time // MS * MS) for number, time in seen_at}
    ended_at = seen_at | {(number, -(-time // MS) * MS) for number, time in seen_at}
    first_due = np.full(total, 2**62)
    np.minimum.at(first_due, numbers[must], times[must])
    last_due = np.zeros(total, np.int64)
    np.maximum.at(last_due, numbers[must], times[must])
    kept: set[int] = set()
    for row in connections(subject.box):
        number = load.number_of(row["client_ip"], int(row["client_port"]))
        assert number not in kept, f"connection {number} is there twice"
        kept.add(number)
        key = (row["client_ip"], int(row["client_port"]), row["peer_ip"], int(row["peer_port"]))
        assert key == load.key_of(number)
        assert (row["client_mac"], row["protocol"]) == (load.mac_of(row["client_ip"]), "17")
        packets = int(row["packets_out"])
        assert least[number] <= packets <= most[number]
        assert int(row["bytes_out"]) == packets * load.OCTETS
        assert (row["packets_in"], row["bytes_in"]) == ("0", "0")
        first, last = from_iso(row["first_seen"]), from_iso(row["last_seen"])
        assert (number, first) in begun_at
        assert (number, last) in ended_at
        assert first <= first_due[number]
        assert last >= last_due[number]
    missing = set(np.flatnonzero(least).tolist()) - kept
    assert not missing, f"{len(missing)} of {np.count_nonzero(least)} connections are missing"


@needs_root
def test_two_hundred_kills_lose_and_double_nothing(subjects: list[Subject], tmp_path: Path) -> None:
    witness = tmp_path / "witness.pcap"
    chance = random.Random(20261121)
    with ExitStack() as stack:
        network = stack.enter_context(Network())
        network.cable("switch", "mirror")
        with network.inside():
            warm = stack.enter_context(Warm())
        stack.enter_context(load.witnessing(network, "mirror", witness))
        stack.enter_context(load.sending(network, "switch", PER_SECOND))
        kill_and_restart(subjects, warm, chance)
    numbers, times = load.testimony(witness)
    killed = [life for subject in subjects for life in subject.lives if not life.in_order]
    assert len(killed) >= 200
    assert sum(life.ready is not None for life in killed) >= 100, "too few were killed at work"
    for subject in subjects:
        assert "exit 0" in subject.output.read_text()
        judge(subject, numbers, times)
        subject.box.run("verify")
        assert masks(subject.lives, times)[0].sum() > 10_000, "too little was asked for"


@needs_root
def test_a_file_recorded_again_after_kills_is_there_once(tmp_path: Path) -> None:
    capture = tmp_path / "load.pcap"
    numbers = np.tile(np.arange(20_000), 4)
    write_capture(capture, numbers, 1_795_000_000 * NS + np.arange(len(numbers)) * 20_000)
    keys = (tmp_path / "owner.key", tmp_path / "lawyer.key")
    custodians = [word for key in keys for word in ("--custodian", custodian(key))]
    box = box_for(tmp_path / "box", keys, custodians, [load.CLIENT_NET])
    box.settings(row_limit=9000)
    chance = random.Random(7)
    command, output = ["record", "--home", str(box.home), str(capture)], tmp_path / "out"
    with Warm() as warm:
        begun = time.monotonic()
        warm.end(warm.start(command, output), 0)
        whole_s = time.monotonic() - begun
        for _ in range(24):
            pid = warm.start(command, output)
            time.sleep(chance.uniform(0, whole_s))
            warm.end(pid, signal.SIGKILL)
        warm.end(warm.start(command, output), 0)
    assert output.read_text().count("exit 0") >= 2
    rows = list(connections(box))
    assert len(rows) == 20_000
    for row in rows:
        key = (row["client_ip"], int(row["client_port"]), row["peer_ip"], int(row["peer_port"]))
        assert key == load.key_of(load.number_of(row["client_ip"], int(row["client_port"])))
        assert (row["packets_out"], row["bytes_out"]) == ("4", str(4 * load.OCTETS))
    assert len({(row["client_ip"], row["client_port"]) for row in rows}) == 20_000
    box.run("verify")
