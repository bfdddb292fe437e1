"""A box is stolen while it records: what it had on its disk 45 s before is given back by central alone.

What it had is a copy of its home, taken then; what is given back is judged by pyarrow and sha256sum.
"""

import contextlib
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.system import load
from tests.system.boxes import GREFFIER, Box, greffier, make_box
from tests.system.central_boxes import Place, enrol, unbridle
from tests.system.networks import Network, may_make
from tests.system.warm import wait_for

PER_SECOND = 300
BEFORE_S = 45
"""What is promised is a minute: 30 s until a journal file is left for another, then it is sent at once."""


def numbers_in(box: Box) -> set[int]:
    """The connections that its custodians find in a home."""
    return {load.number_of(row["client_ip"], row["client_port"]) for row in box.search()}


@pytest.mark.skipif(not may_make(), reason="needs root to make a network namespace")
def test_a_stolen_box_has_lost_at_most_a_minute(tmp_path: Path) -> None:
    box = make_box(tmp_path, [load.CLIENT_NET])
    place = Place.new(tmp_path / "lyon", "lyon")
    at_work: list[subprocess.Popen[bytes]] = []
    try:
        place.start()
        enrol(box, place)
        unbridle(box)
        with Network() as network:
            network.cable("switch", "mirror")
            for verb in (["record", "--interface", "mirror"], ["replicate"]):
                with network.inside() if verb[0] == "record" else contextlib.nullcontext():
                    command = [GREFFIER, verb[0], "--home", str(box.home), *verb[1:]]
                    at_work.append(
                        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                    )
            wait_for(lambda: box.recorder().get("sources"), 30, "the recorder to listen")
            with load.sending(network, "switch", PER_SECOND):
                time.sleep(6)
                ignored = shutil.ignore_patterns(".*.new", "run")  # half written; sockets
                shutil.copytree(box.home, tmp_path / "before", ignore=ignored)
                time.sleep(BEFORE_S)
                for process in at_work:
                    process.send_signal(signal.SIGKILL)
                shutil.rmtree(box.home)
    finally:
        for process in at_work:
            process.kill()
            process.wait()
        place.end(signal.SIGKILL)
    out = tmp_path / "out"
    identities = [word for key in box.keys for word in ("--identity", str(key))]
    greffier("central", "restore", "--dir", place.folder, "--site", "Test", "--to", out, *identities)
    check = ["sha256sum", "--strict", "-c", "SHA256SUMS"]
    assert subprocess.run(check, cwd=out / "data", capture_output=True, timeout=60).returncode == 0
    given: set[int] = set()
    for file in (out / "data" / "traffic").glob("*.parquet"):
        rows = pq.read_table(file, columns=["client_ip", "client_port", "peer_ip"]).to_pylist()
        for row in rows:
            number = load.number_of(row["client_ip"], row["client_port"])
            assert number not in given
            assert row["peer_ip"] == load.key_of(number)[2]
            given.add(number)
    had = numbers_in(Box(tmp_path / "before", box.keys))
    assert len(had) > 3 * PER_SECOND
    assert had <= given
    restored = Box(out / "home", box.keys)
    assert "FAULT" not in restored.run("verify")
    assert numbers_in(restored) == given
