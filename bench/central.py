"""A central under load, and a backlog that drains: `python -m bench.central [--sites N ...] [--only P ...]`.

Thousands of simulated sites each keep a connection to one central process and send the journals of both
vaults every 30 s; the load generator has one core, central the other. With SQLite and with PostgreSQL (which
runs on the load's core): how long a journal takes from when it is due until its receipt, how that grows with
the sites, the highest rate, and what happens when all sites seal on the hour. What came of it stands in
appliance/central/SCALE.md.
"""

import argparse
import asyncio
import dataclasses
import datetime as dt
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from appliance.runtime.clock import now_ns
from appliance.vault.names import VaultName
from bench import central_drain, central_places, central_postgresql
from bench.central_load import Line, Outcome, flat_out, steady
from bench.central_places import Served
from bench.central_sites import Deposit, Site
from bench.report import RESULTS, machine

EVERY_S = 30.0
PARTS = ("drain", "sqlite", "postgresql")
BACKLOG_HOURS = 96
FLAT_OUT_SITES = 32
HOUR_SITES = 200


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="make bench-central", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sites", type=int, nargs="+", default=[10, 100, 1000, 3000], metavar="N")
    parser.add_argument("--turns", type=int, default=2, help="of 30 s, for each number of sites")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    chosen = parser.parse_args()
    os.sched_setaffinity(0, {central_places.LOAD_CORE % (os.cpu_count() or 1)})
    console = Console(width=None if sys.stdout.isatty() else 110)
    results: dict[str, Any] = {"date": dt.datetime.now(dt.UTC).date().isoformat(), "machine": machine()}
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        folder = Path(name)
        if "drain" in chosen.only:
            results["drain"] = _drain(folder / "drain", console)
        for catalogue in ("sqlite", "postgresql"):
            if catalogue in chosen.only:
                results[catalogue] = _load(folder / catalogue, catalogue, chosen, console)
    path = RESULTS.with_name("bench-central.json")
    path.write_text(json.dumps(results, indent=1) + "\n")
    console.print(f"written to {path}")
    return 0


def _drain(folder: Path, console: Console) -> dict[str, Any]:
    folder.mkdir()
    drained = central_drain.measure(folder, BACKLOG_HOURS)
    console.print(
        f"backlog of {drained.size_bytes / 1e6:.0f} MB: {drained.mb_per_s:.1f} MB/s (wanted: 50) "
        f"in {drained.wall_s:.1f} s; CPU of the box {drained.box_cpu_s:.1f} s, of central "
        f"{drained.central_cpu_s:.1f} s"
    )
    return {**dataclasses.asdict(drained), "mb_per_s": drained.mb_per_s}


def _load(folder: Path, catalogue: str, chosen: argparse.Namespace, console: Console) -> dict[str, Any]:
    folder.mkdir()
    rows = []
    with ExitStack() as stack:
        url = stack.enter_context(central_postgresql.server(folder)) if catalogue == "postgresql" else ""
        place = folder / "central"
        central_places.make(place, url)
        sites = [Site(number) for number in range(max(*chosen.sites, HOUR_SITES))]
        central_places.admit(place, sites)
        served = stack.enter_context(central_places.serving(place))
        opening = asyncio.run(_open(served, sites))
        rows.append(_row("first lines and envelopes", len(sites), opening, served, 0.0))
        rows += [_steady(served, sites[:count], chosen.turns) for count in chosen.sites]
        rows.append(_flat_out(served, sites[:FLAT_OUT_SITES]))
        rows.append(_hour(served, sites[:HOUR_SITES]))
        peak_mb = served.peak_mb()
    _show(catalogue, rows, peak_mb, console)
    return {"rows": rows, "peak_mb": peak_mb, "catalogue_bytes": _catalogue_bytes(place)}


async def _open(served: Served, sites: list[Site]) -> Outcome:
    """What every box sends first, 32 sites at a time."""
    work = [[deposit for site in sites[start::32] for deposit in site.opening()] for start in range(32)]
    trust = served.trust()
    lines = [Line(served.port, trust) for _ in work]
    outcome = await flat_out(lines, work)
    await _close(lines)
    return outcome


def _steady(served: Served, sites: list[Site], turns: int) -> dict[str, Any]:
    """Journals of both vaults from each site, every 30 s, over connections that stay."""
    work = [[[site.journal(vault, now_ns()) for vault in VaultName] for _ in range(turns)] for site in sites]
    trust = served.trust()

    async def go() -> tuple[Outcome, float]:
        lines = [Line(served.port, trust) for _ in sites]
        for start in range(0, len(lines), 50):
            await asyncio.gather(*(line.greet() for line in lines[start : start + 50]))
        cpu_s = served.cpu_s()
        outcome = await steady(lines, work, EVERY_S)
        await _close(lines)
        return outcome, served.cpu_s() - cpu_s

    outcome, cpu_s = asyncio.run(go())
    return _row("journals every 30 s", len(sites), outcome, served, cpu_s)


def _flat_out(served: Served, sites: list[Site]) -> dict[str, Any]:
    """As many journals as one central process takes."""
    work = [[site.journal(VaultName.TRAFFIC, now_ns()) for _ in range(150)] for site in sites]
    cpu_s = served.cpu_s()
    outcome = asyncio.run(_all_at_once(served, work))
    return _row("journals as fast as they go", len(sites), outcome, served, served.cpu_s() - cpu_s)


def _hour(served: Served, sites: list[Site]) -> dict[str, Any]:
    """All sites seal in the same moment: two lines, two segments, two indexes each."""
    work = [site.hour() for site in sites]
    cpu_s = served.cpu_s()
    outcome = asyncio.run(_all_at_once(served, work))
    return _row("the hour strikes", len(sites), outcome, served, served.cpu_s() - cpu_s)


async def _all_at_once(served: Served, work: list[list[Deposit]]) -> Outcome:
    trust = served.trust()
    lines = [Line(served.port, trust) for _ in work]
    for line in lines:
        await line.greet()
    outcome = await flat_out(lines, work)
    await _close(lines)
    return outcome


async def _close(lines: list[Line]) -> None:
    await asyncio.gather(*(line.end() for line in lines))


def _row(what: str, sites: int, outcome: Outcome, served: Served, cpu_s: float) -> dict[str, Any]:
    return {
        "what": what,
        "sites": sites,
        "deposits": len(outcome.seconds),
        "not_200": {status: count for status, count in outcome.statuses.items() if status != "200"},
        "per_second": outcome.per_second,
        "p50_ms": outcome.quantile(0.5),
        "p99_ms": outcome.quantile(0.99),
        "max_ms": outcome.quantile(1.0),
        "central_cpu_share": cpu_s / outcome.wall_s if cpu_s else None,
        "central_cpu_ms_each": cpu_s * 1e3 / len(outcome.seconds) if cpu_s and outcome.seconds else None,
    }


def _show(catalogue: str, rows: list[dict[str, Any]], peak_mb: float, console: Console) -> None:
    table = Table(title=f"{catalogue}; central's memory at most {peak_mb:.0f} MB", title_justify="left")
    for heading in (
        "",
        "sites",
        "PUT/s",
        "p50 ms",
        "p99 ms",
        "max ms",
        "central's core",
        "CPU ms each",
        "not 200",
    ):
        table.add_column(heading, justify="left" if not heading else "right")
    for row in rows:
        share, each = row["central_cpu_share"], row["central_cpu_ms_each"]
        table.add_row(
            row["what"], f"{row['sites']:,}", f"{row['per_second']:.1f}", f"{row['p50_ms']:.1f}",
            f"{row['p99_ms']:.1f}", f"{row['max_ms']:.0f}", f"{share:.0%}" if share else "",
            f"{each:.2f}" if each else "", str(row["not_200"] or ""),
        )  # fmt: skip
    console.print(table)


def _catalogue_bytes(place: Path) -> int:
    return sum(path.stat().st_size for path in _files(place))


def _files(place: Path) -> Iterator[Path]:
    return place.glob("catalogue.sqlite*")


if __name__ == "__main__":
    raise SystemExit(main())
