"""The demonstration ends by itself, shows both phones, and leaves no process, folder or network behind."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.boxes import ROOT
from tests.system.networks import may_make


def demonstrate(tmp_path: Path, path: str) -> str:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PATH": path}
    done = subprocess.run(
        [sys.executable, "-m", "demo.run"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []
    return done.stdout


def all_is_told(said: str) -> None:
    assert "1,000 packets became" in said
    assert "must come together" in said
    assert "Everything is as it was sealed" in said
    assert "Name service" in said
    assert "Other" in said
    assert "TLS" not in said.partition("10. And")[2].partition("11. ")[0]
    for phone in ("192.168.2.16", "192.168.2.17"):
        assert f"{phone}, as text and in binary: 0 times" in said
        assert f"│ {phone} " in said
    assert "2 messages became 0 traffic records and 2 bindings" in said
    assert said.count("│ 02:ca:fe:00:00:01 │") > 10
    assert said.count("lacks nothing") == 2
    assert "The two are equal" in said
    assert "Nothing is being recorded at the moment" in said
    assert "connections, to the last byte" in said


def left_running(folder: Path) -> list[str]:
    """Processes that were started in a folder, be it there or not."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(folder) in os.readlink(process / "cwd"):
                found.append(process.name)
    return found


@pytest.mark.skipif(not may_make(), reason="needs root to lay a cable")
def test_it_records_off_a_wire(tmp_path: Path) -> None:
    interfaces = set(os.listdir("/sys/class/net"))
    said = demonstrate(tmp_path, os.environ["PATH"])
    all_is_told(said)
    assert "--interface mirror0" in said
    assert set(os.listdir("/sys/class/net")) == interfaces
    assert not left_running(tmp_path)


def test_it_reads_files_where_no_cable_may_be_laid(tmp_path: Path) -> None:
    said = demonstrate(tmp_path, "/nonexistent")
    all_is_told(said)
    assert "--interface" not in said
