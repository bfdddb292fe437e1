"""What `greffier replicate` and `status` say: on a terminal a bar, elsewhere lines, in JSON the same."""

import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from appliance.replication.enrolled import keep
from tests.replication.centrals_here import central_for, send_all
from tests.vault.made_homes import Box, make_box
from tests.vault.made_rows import traffic

GREFFIER = str(Path(sys.executable).with_name("greffier"))


@pytest.fixture
def box(tmp_path: Path) -> Box:
    made = make_box(tmp_path / "box")
    made.record(traffic(40))
    here = central_for(made, tmp_path / "central", "north")
    keep(made.home, here.enrolled.identity, "https://127.0.0.1:9")  # the port that discards: nobody is there
    send_all(made, here)
    made.record(traffic(40, 2))
    return made


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([GREFFIER, *arguments], capture_output=True, text=True, timeout=120)


def test_status_says_what_is_left_and_that_nobody_sends(box: Box) -> None:
    told = json.loads(run("status", "--home", str(box.home.path), "--json").stdout)["replication"]
    [central] = told["centrals"]
    assert told["segments_safe"] == {"at_two": 0, "at_one": 1, "at_none": 1}
    assert (central["name"], central["url"], central["sending"]) == ("north", "https://127.0.0.1:9", False)
    assert central["unsent"]["objects"] > 3
    said = run("status", "--home", str(box.home.path)).stdout
    assert "Central north (https://127.0.0.1:9): no contact yet, " in said
    assert "NOT RUNNING" in said
    assert "Segments at central: 1, not there yet: 1." in said
    assert "FAULT: nothing is sent to central 'north'; start 'greffier replicate'" in said


def test_once_gives_up_and_says_what_is_left_and_why(box: Box) -> None:
    done = run("replicate", "--home", str(box.home.path), "--once")
    assert done.returncode == 10
    assert "to north: waiting, " in done.stderr
    assert "nothing is lost, run it again" in done.stderr
    assert "north (https://127.0.0.1:9) has signed for " in done.stdout


def test_a_terminal_sees_a_bar(box: Box) -> None:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [GREFFIER, "replicate", "--home", str(box.home.path)],
        stdout=subprocess.DEVNULL,
        stderr=slave,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "200"},
    )
    os.close(slave)
    seen, until = b"", time.monotonic() + 60
    try:
        while b"objects left" not in seen and time.monotonic() < until:
            if select.select([master], [], [], 1)[0]:
                seen += os.read(master, 65536)
    finally:
        process.terminate()
        code = process.wait(timeout=20)
        os.close(master)
    assert b"to north" in seen
    assert b"objects left" in seen
    assert code == 0
