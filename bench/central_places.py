"""Centrals of the benchmark: made, filled with sites, served on one core, and watched."""

import contextlib
import http.client
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from appliance.central import places, tables
from appliance.config.box import LEGAL_TERM_YEARS
from appliance.config.central import CentralConfig
from appliance.runtime.clock import now_ns
from appliance.vault import canonical
from bench.central_sites import Site
from bench.contestants import program

CENTRAL_CORE, LOAD_CORE = 0, 1


@dataclass(frozen=True)
class Served:
    """A central that answers at `port`; `pid` leads all of its processes."""

    folder: Path
    port: int
    pid: int

    def trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.folder / "tls" / "ca.pem"))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context

    def cpu_s(self) -> float:
        """Processor time of all of its processes so far."""
        return sum(_ticks(entry) for entry in _session(self.pid)) / os.sysconf("SC_CLK_TCK")

    def peak_mb(self) -> float:
        """The largest resident set that one of its processes had."""
        sizes = [_field(entry / "status", "VmHWM:") for entry in _session(self.pid)]
        return max(sizes, default=0) * 1024 / 1e6


def make(folder: Path, catalogue: str) -> None:
    """An empty central; `catalogue` is empty for SQLite, or a PostgreSQL URL."""
    places.create(folder, CentralConfig("Bench", catalogue=catalogue), ["127.0.0.1"]).close()


def admit(folder: Path, sites: Iterable[Site]) -> None:
    """Enter sites as enrolment would: a thousand codes typed in are not what is measured."""
    terms = canonical.encode(dict(LEGAL_TERM_YEARS)).decode()
    rows = [
        {
            "fingerprint": site.signer.fingerprint,
            "public_key": site.signer.box,
            "name": f"Site {site.number}",
            "terms": terms,
            "enrolled_at_ns": now_ns(),
        }
        for site in sites
    ]
    central = places.open(folder)
    try:
        with central.database.atomic():
            for start in range(0, len(rows), 100):
                tables.Site.insert_many(rows[start : start + 100]).execute(central.database)
    finally:
        central.close()


@contextlib.contextmanager
def serving(folder: Path, core: int = CENTRAL_CORE, workers: int = 1) -> Iterator[Served]:
    """Serve a central on one core until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
    pinned = ["setpriv", "--pdeathsig", "TERM", "taskset", "-c", str(core)]
    command = [*pinned, str(program()), "central", "serve", "--dir", str(folder)]
    with (folder.parent / "serve.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "--listen", f"127.0.0.1:{port}", "--workers", str(workers)],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    served = Served(folder, port, process.pid)
    try:
        _await(served, process)
        yield served
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=40)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _await(served: Served, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 40
    while True:
        connection = http.client.HTTPSConnection("127.0.0.1", served.port, timeout=5, context=served.trust())
        try:
            connection.request("GET", "/v1/identity")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        if process.poll() is not None or time.monotonic() > until:
            raise SystemExit((served.folder.parent / "serve.log").read_text()[-2000:])
        time.sleep(0.1)


def _session(leader: int) -> list[Path]:
    """The processes of a session that live."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                if int(_stat(entry)[3]) == leader:
                    found.append(entry)
    return found


def _stat(entry: Path) -> list[str]:
    return (entry / "stat").read_text().rpartition(")")[2].split()


def _ticks(entry: Path) -> int:
    with contextlib.suppress(OSError):
        fields = _stat(entry)
        return int(fields[11]) + int(fields[12])
    return 0


def _field(path: Path, name: str) -> int:
    with contextlib.suppress(OSError):
        for line in path.read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1])
    return 0
