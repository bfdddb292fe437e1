"""Greffier and its peers over the same captures: `python -m bench [--rounds N] [capture ...]`."""

import argparse
import shutil
import sys
from itertools import cycle, islice
from pathlib import Path

from rich.console import Console

from bench import contestants, generate, report
from bench.race import Result, race

_CASES = Path(__file__).parent.parent / "tests" / "cases"
_SMALL_COUNT = 300


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("captures", nargs="*", metavar="capture", help=" ".join(report.WANTED))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cases", type=Path, default=_CASES, help="folder of real captures for 'small'")
    arguments = parser.parse_args()
    unknown = set(arguments.captures) - set(report.WANTED)
    if unknown:
        parser.error(
            f"there is no capture {', '.join(sorted(unknown))}; choose from {', '.join(report.WANTED)}"
        )
    console = Console(width=None if sys.stdout.isatty() else 100)
    there = [contestant for contestant in contestants.ALL if contestant.is_there()]
    races: dict[str, list[Result]] = {}
    for capture in arguments.captures or report.WANTED:
        files = _small(arguments.cases) if capture == "small" else [generate.draw(capture)]
        if not files:
            console.print(f"small: no capture lies in {arguments.cases}; left out")
            continue
        rounds = arguments.rounds * 3 if capture == "tiny" else arguments.rounds
        races[capture] = race(there, files, rounds, generate.FOLDER)
        report.show(capture, races[capture], console)
        report.write(races)
    return 0


def _small(folder: Path) -> list[Path]:
    """Three hundred small real captures: those of the folder, again and again if they are fewer.

    Each is a file of its own, because Greffier records a file that is given twice only once.
    """
    found = sorted(file for kind in ("*.pcap", "*.pcapng", "*.cap") for file in folder.rglob(kind))
    small = [file for file in found if file.stat().st_size < 100_000]
    copies = generate.FOLDER / "small"
    shutil.rmtree(copies, ignore_errors=True)
    copies.mkdir(parents=True)
    return [
        Path(shutil.copyfile(file, copies / f"{number:03}-{file.name}"))
        for number, file in enumerate(islice(cycle(small), _SMALL_COUNT))
    ]


if __name__ == "__main__":
    sys.exit(main())
