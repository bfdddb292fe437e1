"""`kill -9` under load loses nothing that was acknowledged, and invents nothing.

What must be there is what the senders themselves hold an answer for; what may be there is what they sent.
"""

import json
import random
import signal
import threading
import time
from pathlib import Path

from tests.system.boxes import Box
from tests.system.listening import feed_box
from tests.system.senders import (
    ACCESS_POINT,
    SECRET,
    PresenceSender,
    Radclient,
    RadiusSender,
    Sender,
    ip_of,
    mac_of,
)
from tests.system.warm import Warm, wait_for

SOURCES = f'[[source]]\nlabel = "hall"\naddresses = ["127.0.0.1"]\nsecret = "{SECRET}"\n'
KILLS = 22
MANY_ROWS, FEW_ROWS = 1_000_000, 1_000


def promises(senders: list[Sender]) -> int:
    return sum(len(sender.promised) for sender in senders)


def kill_and_restart(box: Box, warm: Warm, output: Path, senders: list[Sender]) -> int:
    """KILLS lives that end by kill -9; how many had answered something. Another one is left at work.

    Every other one seals after few rows, so that seals are killed too; every fifth may not even listen yet.
    """
    chance = random.Random(20261122)
    at_work = 0
    for number in range(KILLS):
        box.settings(row_limit=MANY_ROWS if number % 2 else FEW_ROWS)
        before = promises(senders)
        pid = warm.start(["listen", "--home", str(box.home)], output)
        if number % 5:
            wait_for(lambda before=before: promises(senders) > before, 30, "an answer")
        time.sleep(chance.uniform(0, 0.8))
        warm.end(pid, signal.SIGKILL)
        at_work += promises(senders) > before
    before = promises(senders)
    pid = warm.start(["listen", "--home", str(box.home)], output)
    wait_for(lambda: promises(senders) > before, 30, "an answer after the last kill")
    return at_work


def read(box: Box) -> dict[str, list[dict[str, object]]]:
    """What the custodians read, by MAC."""
    found: dict[str, list[dict[str, object]]] = {}
    for line in box.run("bindings", *box.identities, "--format", "jsonl").splitlines():
        row = json.loads(line)
        found.setdefault(row["mac"], []).append(row)
    return found


def judge(sender: Sender, found: dict[str, list[dict[str, object]]]) -> None:
    """Whatever was promised is there, as it was said; whatever is there was said.

    A row without an address says where the station was; with RADIUS there is one with the address as well.
    """
    presence = isinstance(sender, PresenceSender)
    for station in range(sender.said):
        rows = found.pop(mac_of(sender.number, station), [])
        held = {row["ip"] for row in rows}
        address = None if presence else ip_of(sender.number, station)
        assert held <= {None, address}
        assert address in held or station not in sender.promised, f"{sender.name} was promised {station}"
        for row in rows:
            assert (row["evidence"], row["ap_mac"]) == ("presence" if presence else "radius", ACCESS_POINT)
            said = (row["ssid"], row["user"], row["session"])
            named = ("Quai", f"guest{station}@{sender.number}", f"{sender.number}-{station}")
            assert said == ((None, None, None) if presence else named)


def test_twenty_kills_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    made, ports = feed_box(tmp_path, ["10.0.0.0/8"], SOURCES)
    radius, cloudtrax = ports["radius"], ports["cloudtrax"]
    stopping, output = threading.Event(), tmp_path / "said"
    senders: list[Sender] = [
        RadiusSender(1, radius, stopping),
        RadiusSender(2, radius, stopping),
        Radclient(3, radius, stopping),
        PresenceSender(4, cloudtrax, stopping),
        PresenceSender(5, cloudtrax, stopping),
    ]
    with Warm() as warm:
        for sender in senders:
            sender.start()
        try:
            at_work = kill_and_restart(made, warm, output, senders)
        finally:
            stopping.set()
            for sender in senders:
                sender.join(timeout=20)
        assert not any(sender.is_alive() for sender in senders)
        warm.end(made.recorder()["pid"], signal.SIGTERM)
    assert "exit 0" in output.read_text()
    assert "Traceback" not in output.read_text()
    assert at_work >= KILLS // 2, "too few were killed at work"
    for sender in senders:
        assert len(sender.promised) >= 10, f"{sender.name} was promised too little"
        assert not sender.refused
    found = read(made)
    for sender in senders:
        judge(sender, found)
    assert not found, "what nobody said"
    made.run("verify")
