"""Centrals as their operators run them, and boxes enrolled at them: the command and its processes."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.ports import free_port
from tests.system import custody_judge
from tests.system.boxes import GREFFIER, Box, greffier


@dataclass
class Place:
    """A central in a folder; `start` and `kill` as often as you like, on the same port."""

    folder: Path
    port: int = field(default_factory=free_port)
    workers: int = 2
    launcher: tuple[str, ...] = ()
    """What the command is started under: taskset, strace."""
    _process: subprocess.Popen[bytes] | None = None

    @classmethod
    def new(cls, folder: Path, name: str) -> "Place":
        greffier("central", "init", "--dir", folder, "--name", name, "--host", "127.0.0.1")
        return cls(folder)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def pids(self) -> list[int]:
        """Every process of this central."""
        return [int(entry.name) for entry in Path("/proc").iterdir() if _in_session(entry, self.pid)]

    def start(self) -> None:
        """Serve, and wait until it answers."""
        assert self._process is None
        # Where the test run itself is killed, nothing else would end it.
        mortal = ("setpriv", "--pdeathsig", "TERM")
        command = [*mortal, *self.launcher, GREFFIER, "central", "serve", "--dir", str(self.folder)]
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--listen", f"127.0.0.1:{self.port}", "--workers", str(self.workers)],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until = time.monotonic() + 40
        while not self.answers():
            assert self._process.poll() is None, f"the central ended: {self.said()}"
            assert time.monotonic() < until, f"the central does not answer: {self.said()}"
            time.sleep(0.05)

    def said(self) -> str:
        return (self.folder.parent / f"{self.folder.name}.log").read_text()[-3000:]

    def answers(self) -> bool:
        context = ssl.create_default_context(cafile=str(self.folder / "tls" / "ca.pem"))
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=5, context=context)
        try:
            connection.request("GET", "/v1/identity")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def end(self, number: int = signal.SIGTERM) -> None:
        """Send a signal to all of its processes and wait until they are gone; nothing if it is not up."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
        try:
            self._process.wait(timeout=40)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=20)
            while any(True for _ in self.pids()):
                time.sleep(0.02)
            self._process = None

    def copy(self, to: Path) -> None:
        """A backup of the folder as it lies there."""
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(self.folder, to)

    def restore(self, backup: Path) -> None:
        """Put the folder back to a backup; it must not be up."""
        assert self._process is None
        for path in self.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(backup, self.folder, dirs_exist_ok=True)


def _in_session(entry: Path, leader: int) -> bool:
    if not entry.name.isdigit():
        return False
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = (entry / "stat").read_text().rpartition(")")[2].split()
        return int(fields[3]) == leader and fields[0] != "Z"
    return False


def enrol(box: Box, place: Place, url: str | None = None) -> None:
    """A one-time code of the central, typed in at the box."""
    said = greffier("central", "enrol", "--dir", place.folder, "--site", "Test", "--json")

    greffier("enrol", "--home", box.home, "--to", url or place.url, "--code", json.loads(said)["code"])


def unbridle(box: Box) -> None:
    """Let a box send as fast as it can: what is tested is not the idle line."""
    path = box.home / "box.toml"
    kept = [
        line for line in path.read_text().splitlines() if not line.startswith(("rate_kbit", "floor_kbit"))
    ]
    if "[replication]" not in kept:
        kept.append("[replication]")
    limits = ["[replication]", "rate_kbit = 10000000", "floor_kbit = 10000000"]
    place = kept.index("[replication]")
    path.write_text("\n".join([*kept[:place], *limits, *kept[place + 1 :], ""]))


def site_of(box: Box) -> str:
    """The fingerprint of a box's public key, by hashlib."""
    _, said = next(custody_judge.chain_lines(box.home))
    return custody_judge.sha256_of(bytes.fromhex(said["box"]))
