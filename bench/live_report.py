"""What is wanted of Greffier live, and the results beside it, as tables and as JSON.

`python -m bench.live_report` prints the last results as the README's tables.
"""

import datetime as dt
import json
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import report

RESULTS = report.RESULTS.with_name("bench-live.json")
OURS = "greffier"
CPU_RATE = 500_000
"""The rate at which Greffier must take less CPU a packet than every meter."""

TOLERATED = 0.001
"""Beyond capacity: how far reported loss may be from true loss, as a share of it."""


@dataclass(frozen=True)
class Lap:
    """One listener at one rate. `rate` is frames a second, 0 as fast as it goes, -1 starved as well.

    `sent` is what the sender says, `on_wire` what the kernel counted at the listener's end. CPU
    nanoseconds of the listener: `cpu_live_ns` while frames came, `cpu_all_ns` from the first frame to its
    end, with what it writes and seals then.
    """

    name: str
    is_meter: bool
    rate: int
    sent: int
    seconds: float
    on_wire: int
    took: int
    reported_lost: int
    accounted: int | None
    cpu_live_ns: int
    cpu_all_ns: int

    @property
    def lost(self) -> int:
        """Frames that truly never reached it."""
        return self.on_wire - self.took

    @property
    def live_ns(self) -> float:
        """CPU nanoseconds a frame while frames came."""
        return self.cpu_live_ns / max(self.took, 1)

    @property
    def all_ns(self) -> float:
        """CPU nanoseconds a frame up to its end."""
        return self.cpu_all_ns / max(self.took, 1)

    @property
    def misreported(self) -> float:
        """How far the loss it reports is from the true one, as a share of the true one."""
        return abs(self.reported_lost - self.lost) / max(self.lost, 1)


def sentence(lap: Lap) -> str:
    """A lap in a line."""
    return (
        f"{lap.name} at {in_words(lap.rate)}: {lap.on_wire:,} frames in {lap.seconds:.2f} s, "
        f"lost {lap.lost:,} (says {lap.reported_lost:,}), "
        f"{lap.live_ns:.0f} ns CPU a packet live, {lap.all_ns:.0f} in all"
    )


def in_words(rate: int) -> str:
    """A rate as a heading."""
    if rate <= 0:
        return "most" if rate == 0 else "starved"
    return f"{rate // 1000} k/s" if rate < 1_000_000 else f"{rate / 1e6:.1f} M/s"


def median(laps: Iterable[Lap], of: Callable[[Lap], float]) -> float:
    return statistics.median(map(of, laps))


@dataclass(frozen=True)
class Verdict:
    wanted: str
    found: str
    holds: bool


def verdicts(laps: Sequence[Lap]) -> list[Verdict]:
    """What is wanted, and whether it holds, of the medians of all rounds."""
    rates = [rate for rate in dict.fromkeys(lap.rate for lap in laps) if rate >= 0]
    meters = {lap.name for lap in laps if lap.is_meter and lap.name != OURS}

    def lost(name: str, rate: int) -> float:
        return median(_of(laps, name, rate), lambda lap: lap.lost)

    clean = [rate for rate in rates if any(lost(name, rate) == 0 for name in meters)]
    dirty = [rate for rate in clean if lost(OURS, rate) > 0]
    said = [
        Verdict(
            "no loss wherever a meter has none",
            f"{len(clean)} rates, no loss" if not dirty else f"lost at {', '.join(map(in_words, dirty))}",
            not dirty,
        )
    ]
    if CPU_RATE in rates:
        ours = median(_of(laps, OURS, CPU_RATE), lambda lap: lap.all_ns)
        theirs = {name: median(_of(laps, name, CPU_RATE), lambda lap: lap.all_ns) for name in meters}
        found = ", ".join(f"{name} {ns:.0f}" for name, ns in [(OURS, ours), *theirs.items()])
        said.append(
            Verdict(
                f"less CPU a packet than any meter at {in_words(CPU_RATE)}",
                f"{found} ns",
                all(ours < ns for ns in theirs.values()),
            )
        )
    over = [lap for lap in laps if lap.name == OURS and lap.lost > lap.on_wire / 100]
    if over:
        worst = max(lap.misreported for lap in over)
        said.append(
            Verdict(
                f"beyond capacity, reported loss within {TOLERATED:.1%} of the true one",
                f"off by {worst:.3%} at most in {len(over)} runs",
                worst <= TOLERATED,
            )
        )
    checked = [lap for lap in laps if lap.accounted is not None]
    if checked:
        off = max(
            abs((lap.accounted or 0) + lap.reported_lost - lap.on_wire) / lap.on_wire for lap in checked
        )
        said.append(
            Verdict(
                f"packets of all records + counted + lost = sent, within {TOLERATED:.1%}",
                f"off by {off:.4%} at most in {len(checked)} runs",
                off <= TOLERATED,
            )
        )
    return said


def _of(laps: Iterable[Lap], name: str, rate: int) -> list[Lap]:
    return [lap for lap in laps if (lap.name, lap.rate) == (name, rate)]


def tables(laps: Sequence[Lap]) -> dict[str, list[list[str]]]:
    """Title -> rows of cells, headings first; medians of the rounds."""
    rates = list(dict.fromkeys(lap.rate for lap in laps))
    names = list(dict.fromkeys(lap.name for lap in laps))
    paced = [rate for rate in rates if rate >= 0]

    def grid(columns: list[int], cell: Callable[[list[Lap]], str]) -> list[list[str]]:
        rows = [[name, *(cell(_of(laps, name, rate)) for rate in columns)] for name in names]
        return [["", *map(in_words, columns)], *rows]

    made = {
        "lost, % of the frames sent": grid(
            paced, lambda some: _percent(median(some, lambda lap: lap.lost / lap.on_wire))
        ),
        "CPU, ns a packet to the end (and while frames came)": grid(
            paced,
            lambda some: (
                f"{median(some, lambda lap: lap.all_ns):.0f} ({median(some, lambda lap: lap.live_ns):.0f})"
            ),
        ),
        "thousand frames a second that were really sent": grid(
            paced, lambda some: f"{median(some, lambda lap: lap.on_wire / lap.seconds / 1000):.0f}"
        ),
    }
    starved = [rate for rate in rates if rate < 0]
    if starved:
        rows = [["beyond capacity", "sent", "truly lost", "reported", "off by"]]
        for name in names:
            lap = max(_of(laps, name, starved[0]), key=lambda lap: lap.misreported)
            off = f"{lap.misreported:.3%}"
            rows.append([name, f"{lap.on_wire:,}", f"{lap.lost:,}", f"{lap.reported_lost:,}", off])
        made["beyond capacity, the round with the worst report"] = rows
    return made


def _percent(share: float) -> str:
    return "0" if share == 0 else f"{share:.2%}".rstrip("%")


def show(laps: Sequence[Lap], console: Console) -> None:
    """All tables, then what was wanted."""
    for title, rows in tables(laps).items():
        table = Table(title=title, title_justify="left")
        for number, heading in enumerate(rows[0]):
            table.add_column(heading, justify="right" if number else "left")
        for row in rows[1:]:
            table.add_row(*row)
        console.print(table)
    table = Table("wanted", "found", "", title="Greffier", title_justify="left")
    for verdict in verdicts(laps):
        table.add_row(verdict.wanted, verdict.found, "yes" if verdict.holds else "NO")
    console.print(table)


def write(laps: Sequence[Lap]) -> None:
    """All laps, with the kind of machine and the date."""
    content = {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": report.machine(),
        "verdicts": [asdict(verdict) for verdict in verdicts(laps)],
        "laps": [asdict(lap) for lap in laps],
    }
    RESULTS.write_text(json.dumps(content, indent=1) + "\n")


def markdown(content: dict[str, Any]) -> str:
    """The tables of the README out of bench-live.json."""
    laps = [Lap(**lap) for lap in content["laps"]]
    machine = content["machine"]
    lines = [f"{content['date']}, {machine['cores']} cores of {machine['processor']}, {machine['system']}"]
    for title, rows in tables(laps).items():
        lines += ["", f"{title}:", ""]
        rules = ["---", *["---:"] * (len(rows[0]) - 1)]
        lines += [f"| {' | '.join(row)} |" for row in (rows[0], rules, *rows[1:])]
    lines += ["", "| wanted | found | |", "|---|---|---|"]
    for verdict in verdicts(laps):
        lines.append(f"| {verdict.wanted} | {verdict.found} | {'yes' if verdict.holds else 'no'} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown(json.loads(Path(RESULTS).read_text())))
