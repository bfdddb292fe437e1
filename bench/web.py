"""Every page of a box with a year of statistics, many requests in flight: `python -m bench.web`.

The page and its keeper have one core, whoever asks has another. Each page is asked for over kept connections,
TLS 1.3 and all, by N browsers at once that never pause: the time from a request's first byte to the answer's
last, and how much of it the page and its keeper were at work. Then all pages in turn, as people do.
Figures go to build/bench-web.json.
"""

import argparse
import asyncio
import contextlib
import datetime as dt
import itertools
import json
import os
import random
import signal
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from appliance.runtime.clock import now_ns
from appliance.vault.names import Home
from bench import year_of_statistics
from bench.report import RESULTS, machine
from webui import protection
from webui.accounts import opened
from webui.routes import ROUTES
from webui.routing import Route

PAGE_CORE, LOAD_CORE = 0, 1
_OURS = (sys.executable, "-m", "appliance.cli")
AGENT = "bench"
REQUESTS = 200
LIMIT_MS = 100.0

WITH_QUERIES = (
    "/activity?by=hour",
    "/activity?by=week",
    "/activity?by=month",
    "/activity?by=month&where=place:02:50:5e:10:00:03",
)
LEFT_OUT = ("/live", "/setup", "/about/source.tar.gz")
"""A stream, what is gone after the first boot, and a file as large as the program."""


@dataclass(frozen=True)
class Took:
    """Milliseconds that answers took, the bytes of the largest, and the processor's time for one of them."""

    path: str
    in_flight: int
    times_ms: tuple[float, ...]
    size_bytes: int
    cpu_ms: float

    @property
    def median_ms(self) -> float:
        return statistics.median(self.times_ms)

    @property
    def p99_ms(self) -> float:
        return sorted(self.times_ms)[max(0, -(-99 * len(self.times_ms) // 100) - 1)]


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        prog="make bench-web", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--in-flight", type=int, nargs="+", default=[1, 8], metavar="N")
    parser.add_argument("--requests", type=int, default=REQUESTS, help="of each page")
    parser.add_argument("--days", type=int, default=365, help="of statistics")
    chosen = parser.parse_args()
    os.sched_setaffinity(0, {LOAD_CORE % (os.cpu_count() or 1)})
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        home, state = Path(name) / "box", Path(name) / "box-web"
        _make(home, chosen.days)
        cookie = _sign_in(state)
        size = sum(path.stat().st_blocks * 512 for path in (home / "statistics").rglob("*"))
        with _served(home, state) as (port, page):
            paths, others = asyncio.run(_shown(port, cookie))
            took = [
                asyncio.run(_ask(port, cookie, page, asked, in_flight, chosen.requests * min(5, len(asked))))
                for in_flight in chosen.in_flight
                for asked in (*([path] for path in paths), paths)
            ]
    _show(took, size)
    print("Not measured: " + ", ".join(f"{path} ({status})" for path, status in others.items()))
    content = {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": machine(),
        "statistics_bytes": size,
        "not_measured": others,
        "pages": [
            {"path": one.path, "in_flight": one.in_flight, "p50_ms": one.median_ms, "p99_ms": one.p99_ms,
             "cpu_ms": one.cpu_ms, "bytes": one.size_bytes}
            for one in took
        ],
    }  # fmt: skip
    path = RESULTS.with_name("bench-web.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")
    return 0 if all(one.p99_ms < LIMIT_MS for one in took) else 1


def _make(home: Path, days: int) -> None:
    made = _greffier("custodian", "new", "--out", str(home.with_name("custodian.key")))
    recipient = next(word for word in made.split() if word.startswith("age1"))
    _greffier("init", "--home", str(home), "--site", "Camping", "--client-network", "10.0.0.0/8",
              "--custodian", recipient, "--quorum", "1")  # fmt: skip
    year_of_statistics.fill(Home(home), dt.datetime.now(dt.UTC).date(), days)


def _greffier(*arguments: str) -> str:
    done = subprocess.run([*_OURS, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def _sign_in(state: Path) -> str:
    """The cookie of an operator who is signed in; his password is nobody's."""
    state.mkdir(mode=0o700)
    with contextlib.closing(opened.open(state, now_ns)) as known:
        known.make_first("bench", os.urandom(16).hex(), "", 0, ())
        return f"{protection.COOKIE}={known.begin('bench', AGENT, '127.0.0.1')}"


@contextlib.contextmanager
def _served(home: Path, state: Path) -> Iterator[tuple[int, psutil.Process]]:
    """The page at a free port, with a keeper of its own, both on one core."""
    command = ["taskset", "-c", str(PAGE_CORE), *_OURS, "web", "--home", str(home)]
    with subprocess.Popen(
        [*command, "--state", str(state), "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True
    ) as serving:
        try:
            assert serving.stdout is not None
            said = serving.stdout.readline()
            yield int(said.partition("127.0.0.1:")[2].split()[0]), psutil.Process(serving.pid)
        finally:
            serving.send_signal(signal.SIGTERM)


def _paths() -> list[str]:
    """Every page that needs nothing but somebody who is signed in."""
    return [*(route.path for route in ROUTES if _is_page(route)), *WITH_QUERIES]


def _is_page(route: Route) -> bool:
    return route.method == "GET" and "<" not in route.path and not route.path.startswith(LEFT_OUT)


async def _shown(port: int, cookie: str) -> tuple[list[str], dict[str, str]]:
    """Pages that are shown just so, and what others answer: they want a subject, or nobody signed in."""
    paths, others = [], {}
    for path in _paths():
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=_trust())
        with contextlib.closing(writer):
            status, _ = await _get(reader, writer, port, path, cookie)
        if status == "200":
            paths.append(path)
        else:
            others[path] = status
    return paths, others


def _trust() -> ssl.SSLContext:
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    return trust


def _cpu_s(page: psutil.Process) -> float:
    """Processor time so far of the page and of its keeper, but for what the kernel does in interrupts."""
    used = [one.cpu_times() for one in (page, *page.children(recursive=True))]
    return float(sum(one.user + one.system for one in used))


async def _ask(
    port: int, cookie: str, page: psutil.Process, paths: Sequence[str], in_flight: int, requests: int
) -> Took:
    """So many requests, so many at a time; the first of each browser is not counted."""
    trust = _trust()
    times: list[float] = []
    sizes: dict[str, int] = {}
    left = itertools.count()

    async def browse(number: int) -> None:
        draw = random.Random(number)
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
        with contextlib.closing(writer):
            while next(left) < requests + in_flight:
                path = draw.choice(paths)
                begun = time.perf_counter()
                status, sizes[path] = await _get(reader, writer, port, path, cookie)
                times.append(1000 * (time.perf_counter() - begun))
                if status != "200":
                    raise SystemExit(f"{path} was answered with {status}")

    before = _cpu_s(page)
    await asyncio.gather(*(browse(number) for number in range(in_flight)))
    cpu_ms = 1000 * (_cpu_s(page) - before) / len(times)
    path = paths[0] if len(paths) == 1 else "all in turn"
    return Took(path, in_flight, tuple(times[in_flight:]), max(sizes.values()), cpu_ms)


async def _get(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, path: str, cookie: str
) -> tuple[str, int]:
    """Status and bytes of an answer."""
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: {AGENT}\r\nCookie: {cookie}\r\n"
        "Accept-Language: fr\r\n\r\n".encode()
    )
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status, *lines = head.split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
    size = int(fields["content-length"])
    await reader.readexactly(size)
    return status.split()[1], size


def _show(took: Sequence[Took], size_bytes: int) -> None:
    table = Table(
        "page",
        "in flight",
        "p50 ms",
        "p99 ms",
        "CPU ms",
        "kB",
        title=f"Statistics: {size_bytes / 1e6:.1f} MB on disk",
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for one in took:
        late = "" if one.p99_ms < LIMIT_MS else " !"
        numbers = (f"{one.median_ms:.1f}", f"{one.p99_ms:.1f}{late}", f"{one.cpu_ms:.1f}")
        table.add_row(one.path, str(one.in_flight), *numbers, f"{one.size_bytes / 1000:.0f}")
    Console(width=None if sys.stdout.isatty() else 110).print(table)


if __name__ == "__main__":
    sys.exit(main())
