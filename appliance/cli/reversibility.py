"""Give the client everything that is kept, in open formats, with the custodians.

Traffic and bindings become plain Parquet and CSV files, one a UTC day, as 'search' and 'bindings' give them;
with them come coverage, seals, certificates of destruction, the chain, receipts, statistics, a text in French
and English that says what each column is, and SHA256SUMS for 'sha256sum -c'. Nothing is written outside --to,
which must be empty. Interrupted, it is run again and begins anew. What is written is in clear: keep it so
that only those entitled to it can read it.
"""

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.cli import asking
from appliance.cli.wording import several
from appliance.control.steps import Step
from appliance.model.errors import FaultFound, UsageError

if TYPE_CHECKING:
    from appliance.vault.names import Home
    from appliance.vault.unseal.custody import KeyOpener
    from appliance.vault.unseal.open_statements import Outcome

EXAMPLES = """  greffier reversibility --home /var/lib/greffier --identity owner.key lawyer.key \\
      --to /media/stick/data
  greffier reversibility --home DIR --identity owner.key lawyer.key --to OUT --format csv \\
      --from 2026-11-01 --until 2026-12-01"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    asking.add_custodians(parser)
    parser.add_argument("--to", type=Path, required=True, metavar="OUT", help="an empty folder, or a new one")
    add_form(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")


def add_form(parser: argparse.ArgumentParser) -> None:
    """What is written, and of which period."""
    parser.add_argument("--format", choices=["parquet", "csv", "both"], default="both")
    since = "from this instant on (ISO 8601, UTC unless it says otherwise)"
    parser.add_argument("--from", type=asking.instant, default=0, dest="from_ns", metavar="T", help=since)
    parser.add_argument("--until", type=asking.instant, dest="to_ns", metavar="T", help="before this instant")
    parser.add_argument("--parts", action="store_true", help="traffic as it was written, not as connections")


def run(args: argparse.Namespace) -> int:
    """Write everything and say what was written, what is gone and what is missing."""
    asked = asking.asked(args.from_ns, args.to_ns) | {"folder": str(args.to)}
    home, opener = asking.opened(args, Step.GIVE_EVERYTHING, asked)
    return write(home, opener, args.to, args)


def write(home: "Home", opener: "KeyOpener", out: Path, args: argparse.Namespace) -> int:
    """What the verb does once a home and its custodians are there; the exit code."""
    from appliance.vault.unseal import reversibility
    from appliance.vault.unseal.open_statements import Wish
    from appliance.vault.unseal.question import FOREVER_NS

    to_ns = FOREVER_NS if args.to_ns is None else args.to_ns
    if to_ns <= args.from_ns:
        raise UsageError("--until must be later than --from")
    formats = ("parquet", "csv") if args.format == "both" else (args.format,)
    with _bar() as progress:
        wish = Wish(args.from_ns, to_ns, formats, args.parts)
        outcome = reversibility.write(home, opener, out, wish, progress)
    print(json.dumps(_as_json(outcome)) if args.json else _as_text(outcome, out))
    return FaultFound.exit_code if outcome.missing else 0


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("days", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _as_json(outcome: "Outcome") -> dict[str, object]:
    return {
        "rows": outcome.rows,
        "files": outcome.files,
        "bytes": outcome.size_bytes,
        "destroyed": [{"vault": str(vault), "day": day.isoformat()} for vault, day in outcome.destroyed],
        "missing": outcome.missing,
    }


def _as_text(outcome: "Outcome", out: Path) -> str:
    rows = " and ".join(f"{count:,} rows of {name}" for name, count in outcome.rows.items())
    lines = [
        f"Written to {out}: {rows}, {several(outcome.files, 'file')}, {several(outcome.size_bytes, 'byte')}.",
        f"Check it anywhere:  cd {out} && sha256sum -c SHA256SUMS",
    ]
    if outcome.destroyed:
        count = len(outcome.destroyed)
        lines.append(
            f"{several(count, 'day of a vault', 'days of vaults')} had been destroyed after the term."
        )
    lines += [
        f"MISSING: {lack['vault']} {lack['day']} {lack['name']}: {lack['why']}"
        for lack in outcome.missing[:10]
    ]
    if len(outcome.missing) > 10:
        lines.append(f"... and {len(outcome.missing) - 10:,} more: missing.jsonl")
    lines.append("These files are in clear: keep them so that only those entitled to them can read them.")
    return "\n".join(lines)
