"""One race: every contestant over the same files, pinned to one core, several rounds in turn."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.contestants import Contestant

_STOPWATCH = Path(__file__).with_name("stopwatch.py")


@dataclass(frozen=True)
class Lap:
    """One run of one contestant; `peak_mb` (10^6 octets) is the resident set of its largest process."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    packets: int | None


@dataclass(frozen=True)
class Result:
    """The medians of a contestant's laps; the peak is the highest seen."""

    name: str
    is_meter: bool
    wall_s: float
    cpu_s: float
    peak_mb: float
    packets: int | None
    laps: tuple[Lap, ...]


def race(contestants: Sequence[Contestant], files: list[Path], rounds: int, folder: Path) -> list[Result]:
    """Run all of them `rounds` times in turn, so that a noisy minute falls on everybody."""
    subprocess.run(["cat", *files], stdout=subprocess.DEVNULL, check=True)  # into the page cache
    laps: dict[str, list[Lap]] = {contestant.name: [] for contestant in contestants}
    for _ in range(rounds):
        for contestant in contestants:
            laps[contestant.name].append(_lap(contestant, files, folder))
    return [_result(contestant, laps[contestant.name]) for contestant in contestants]


def _lap(contestant: Contestant, files: list[Path], folder: Path) -> Lap:
    scratch = Path(tempfile.mkdtemp(dir=folder))
    try:
        contestant.prepare(scratch)
        core = max(os.sched_getaffinity(0))
        watch = [sys.executable, "-I", "-S", str(_STOPWATCH), str(scratch / "took")]
        command = ["taskset", "-c", str(core), *watch, *contestant.command(files, scratch)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
        wall_s, cpu_s, peak_kib, code = map(float, (scratch / "took").read_text().split())
        if code:
            raise SystemExit(f"{contestant.name} failed ({code:.0f}): {done.stderr[-500:]}")
        return Lap(wall_s, cpu_s, peak_kib * 1024 / 1e6, contestant.packets(done.stdout or done.stderr))
    finally:
        shutil.rmtree(scratch)


def _result(contestant: Contestant, laps: list[Lap]) -> Result:
    return Result(
        name=contestant.name,
        is_meter=contestant.is_meter,
        wall_s=statistics.median(lap.wall_s for lap in laps),
        cpu_s=statistics.median(lap.cpu_s for lap in laps),
        peak_mb=max(lap.peak_mb for lap in laps),
        packets=laps[-1].packets,
        laps=tuple(laps),
    )
