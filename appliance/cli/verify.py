"""Re-read and check everything that is kept: files, hashes, chain, signatures, an envelope for every day.

The audit chain is checked against its signatures, its last known head and its anchors in the chain of seals.
What centrals have signed for must be here as they have it, journals that no seal fixes yet too: a box that
was rolled back cannot take that away.
Needs no custodian. Exit code 1 and the exact place of every fault, if there is one. Note the head that is
printed apart from the box: given back later with --known-head it proves that nothing before it was undone.
"""

import argparse
import contextlib
import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.cli.wording import on_one_line, several

if TYPE_CHECKING:
    from appliance.vault.verify import Progress, Report

EXAMPLES = """  greffier verify --home /var/lib/greffier
  greffier verify --home /var/lib/greffier --json
  greffier verify --home /var/lib/greffier --known-head 41:9f2c..."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--home", type=Path, required=True, metavar="DIR", help="the home of the box")
    parser.add_argument(
        "--known-head", metavar="SEQ:HASH", help="a head of the chain noted elsewhere, earlier"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")


def run(args: argparse.Namespace) -> int:
    """Check, print, and say by the exit code whether there is a fault."""
    from appliance.audit import check as audit_check
    from appliance.model.errors import FaultFound, UsageError
    from appliance.replication import account_check
    from appliance.vault import chain, homes, verify

    try:
        known = chain.parse_head(args.known_head) if args.known_head else None
    except ValueError as error:
        raise UsageError(str(error)) from None
    home = homes.existing(args.home)
    with _progress() as told:
        report = verify.verify(home, known, told)
    signed = account_check.check(home)
    audit = audit_check.check(home)
    faults = (*report.faults, *signed.faults, *audit.faults)
    notices = (*report.notices, *signed.notices, *audit.notices)
    report = dataclasses.replace(report, faults=faults, notices=notices)
    report.counts.update({"steps": len(audit.hashes), "anchors": audit.anchors})
    receipts = dict(signed.counts)
    print(json.dumps(_as_json(report, receipts)) if args.json else _as_sentences(report, receipts))
    if report.faults:
        raise FaultFound(
            f"{len(report.faults)} faults: what is kept is not as it was sealed; see the places named"
        )
    return 0


@contextlib.contextmanager
def _progress() -> Iterator["Progress"]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("verifying"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("verifying", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _as_json(report: "Report", receipts: dict[str, int]) -> dict[str, object]:
    return {
        "fingerprint": report.box,
        "head": str(report.head),
        "faults": [{"place": fault.place, "what": fault.what} for fault in report.faults],
        "notices": [{"place": notice.place, "what": notice.what} for notice in report.notices],
        **{key: report.counts[key] for key in ("lines", "rows", "segments", "envelopes", "journal", "open")},
        "certificates": report.counts["certificates"],
        "audit": {"steps": report.counts["steps"], "anchors": report.counts["anchors"]},
        "bytes": report.counts["bytes"],
        "receipts": receipts,
    }


def _as_sentences(report: "Report", receipts: dict[str, int]) -> str:
    counts = report.counts
    lines = [f"FAULT   {on_one_line(f'{fault.place}: {fault.what}')}" for fault in report.faults]
    lines += [f"notice  {on_one_line(f'{notice.place}: {notice.what}')}" for notice in report.notices]
    lines.append(
        f"{counts['lines']:,} lines of the chain, {counts['segments']:,} files of segments with "
        f"{counts['rows']:,} rows, {counts['journal']:,} of the journal, {counts['envelopes']:,} envelopes: "
        f"{counts['bytes']:,} bytes re-read."
    )
    if counts["certificates"]:
        lines.append(f"{counts['certificates']:,} certificates of destruction.")
    if counts["steps"]:
        anchored = f", {several(counts['anchors'], 'anchor')} in the chain" if counts["anchors"] else ""
        lines.append(f"{several(counts['steps'], 'step')} of the audit chain{anchored}.")
    if counts["open"]:
        lines.append(f"{counts['open']:,} files are being written by a recorder at work.")
    lines += [f"{count:,} receipts of central '{on_one_line(name)}'." for name, count in receipts.items()]
    lines.append(f"Box {report.box}\nHead {report.head}")
    lines.append("Not as it was sealed." if report.faults else "Everything is as it was sealed.")
    return "\n".join(lines)
