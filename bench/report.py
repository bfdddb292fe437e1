"""What is wanted of Greffier, and the results beside it: ratios first, as a table and as JSON.

`python -m bench.report` prints the last results as the README's table.
"""

import datetime as dt
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.race import Result

RESULTS = Path(__file__).parent.parent / "build" / "bench.json"


@dataclass(frozen=True)
class Wanted:
    """What Greffier must reach on one capture."""

    times_meter: float | None = None  # at least so many times as fast as every meter
    times_loop: float | None = None  # at least this share of the speed of the libpcap loop
    behind_s: float | None = None  # at most so many seconds behind every meter
    peak_mb: float | None = None


WANTED = {
    "hotspot": Wanted(times_meter=1.4, times_loop=1 / 5, peak_mb=400),
    "hostile": Wanted(times_meter=2.0, peak_mb=700),
    "small": Wanted(behind_s=0.4),
    "tiny": Wanted(behind_s=0.4),
    "snaplen": Wanted(),
}


def show(capture: str, results: list[Result], console: Console) -> None:
    """One capture's table; every ratio is the other's time over Greffier's: above 1, Greffier is faster."""
    wanted = WANTED[capture]
    ours = next((result for result in results if result.name == "greffier"), None)
    table = Table(title=capture, title_justify="left")
    for heading in ("", "ratio", "wanted", "ratio CPU", "wall s", "CPU s", "peak MB", "packets"):
        table.add_column(heading, justify="left" if not heading else "right")
    for result in results:
        table.add_row(
            result.name,
            f"{result.wall_s / ours.wall_s:.2f}" if ours else "",
            _wanted(wanted, result, ours),
            f"{result.cpu_s / ours.cpu_s:.2f}" if ours else "",
            f"{result.wall_s:.3f}",
            f"{result.cpu_s:.3f}",
            f"{result.peak_mb:.0f}",
            "" if result.packets is None else f"{result.packets:,}",
        )
    console.print(table)


def _wanted(wanted: Wanted, result: Result, ours: Result | None) -> str:
    if result is ours:
        return f"< {wanted.peak_mb:.0f} MB" if wanted.peak_mb else ""
    if result.name == "libpcap loop" and wanted.times_loop:
        return f">= {wanted.times_loop:.2f}"
    if result.is_meter and wanted.times_meter:
        return f">= {wanted.times_meter:.2f}"
    if result.is_meter and wanted.behind_s and ours:
        return f"{ours.wall_s - result.wall_s:+.2f} s, <= {wanted.behind_s}"
    return ""


def write(races: Mapping[str, list[Result]]) -> None:
    """All results, lap by lap, with the kind of machine and the date."""
    content = {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": machine(),
        "captures": {
            name: {
                "wanted": asdict(WANTED[name]),
                "ratios": _ratios(results, "wall_s"),
                "ratios_cpu": _ratios(results, "cpu_s"),
                "results": [asdict(result) for result in results],
            }
            for name, results in races.items()
        },
    }
    RESULTS.write_text(json.dumps(content, indent=1) + "\n")


def _ratios(results: list[Result], of: str) -> dict[str, float]:
    ours = next((result for result in results if result.name == "greffier"), None)
    others = [result for result in results if result is not ours]
    return {other.name: round(getattr(other, of) / getattr(ours, of), 3) for other in others} if ours else {}


def machine() -> dict[str, Any]:
    """What a figure was measured on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()),
        "python": platform.python_version(),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def markdown(content: dict[str, Any]) -> str:
    """The table of the README out of bench.json: one row a capture, ratios first."""
    races = content["captures"]
    peers = list(dict.fromkeys(peer for race in races.values() for peer in race["ratios"]))
    headings = ["capture", *peers, "wanted", "Greffier: s", "peak MB"]
    rows = [headings, ["---"] * len(headings)]
    for name, race in races.items():
        ours = next(result for result in race["results"] if result["name"] == "greffier")
        ratios = [f"{race['ratios'][peer]:.2f}" if peer in race["ratios"] else "" for peer in peers]
        rows.append(
            [name, *ratios, _in_words(WANTED[name]), f"{ours['wall_s']:.2f}", f"{ours['peak_mb']:.0f}"]
        )
    machine = content["machine"]
    about = f"{content['date']}, one core of {machine['processor']}, {machine['system']}"
    return "\n".join([about, "", *(f"| {' | '.join(row)} |" for row in rows)])


def _in_words(wanted: Wanted) -> str:
    words = []
    if wanted.times_meter:
        words.append(f"meters >= {wanted.times_meter}")
    if wanted.times_loop:
        words.append(f"loop >= {wanted.times_loop}")
    if wanted.behind_s:
        words.append(f"at most {wanted.behind_s} s behind")
    if wanted.peak_mb:
        words.append(f"< {wanted.peak_mb:.0f} MB")
    return ", ".join(words)


if __name__ == "__main__":
    print(markdown(json.loads(RESULTS.read_text())))
