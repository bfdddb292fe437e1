"""Within a second of a connection's first packet the journal holds it, and the disk was told to keep it.

The witness is strace: which file was written, and when fdatasync on it returned.
"""

import random
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.system import load
from tests.system.boxes import GREFFIER, make_box
from tests.system.networks import Network, may_make
from tests.system.warm import wait_for

WITHIN_S = 1.0
_CALL = re.compile(r"^\d+ +(\d+\.\d+) (write|fdatasync)\(\d+<([^>]*)>.*= (-?\d+)")

needs_root = pytest.mark.skipif(not may_make(), reason="needs root to make a network namespace")


def calls(trace: Path) -> list[tuple[float, str, str]]:
    """(when, which call, on which file) of all calls that succeeded."""
    found = (_CALL.match(line) for line in trace.read_text().splitlines())
    return [(float(call[1]), call[2], call[3]) for call in found if call and int(call[4]) >= 0]


def written_and_synced(seen: list[tuple[float, str, str]], after: float) -> float:
    """Seconds from `after` until some traffic journal was written, and then synced."""
    written = None
    for when, call, path in seen:
        if when > after and "/journal/traffic/" in path:
            if call == "write":
                written = path
            elif path == written:
                return when - after
    return float("inf")


@needs_root
def test_a_new_connection_is_on_disk_within_a_second(tmp_path: Path) -> None:
    box = make_box(tmp_path, [load.CLIENT_NET])
    trace = tmp_path / "trace"
    chance = random.Random(3)
    sent: list[float] = []
    with Network() as network:
        network.cable("switch", "mirror")
        tracing = ["strace", "-f", "-qq", "-y", "-ttt", "-o", str(trace), "-e", "trace=write,fdatasync"]
        with network.inside():
            recorder = subprocess.Popen(
                [
                    *tracing,
                    GREFFIER,
                    "record",
                    "--home",
                    box.home,
                    "--interface",
                    "mirror",
                    "--seconds",
                    "60",
                ],
                stdout=subprocess.DEVNULL,
            )
            wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        try:
            wait_for(lambda: box.recorder().get("sources"), 30, "the recorder to listen")
            with wire:
                wire.bind(("switch", 0))
                for number in range(8):
                    sent.append(time.time())
                    wire.send(load.frame_of(number))
                    time.sleep(chance.uniform(1.1, 1.6))
            recorder.send_signal(signal.SIGTERM)
            subprocess.run(["kill", str(box.recorder()["pid"])], check=False)
            recorder.wait(timeout=30)
        finally:
            recorder.kill()
            recorder.wait()
    seen = calls(trace)
    delays = [written_and_synced(seen, after) for after in sent]
    assert max(delays) <= WITHIN_S, delays
    assert len(box.search()) == len(sent)
