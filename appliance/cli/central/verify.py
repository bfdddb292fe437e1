"""Re-read and check everything that a central keeps: receipts, objects, chains, keys, ledger.

Needs no custodian and reads no record. Exit code 1 and the exact place of every fault, if there is one. What
another central still has whole is brought back with 'greffier central compare --mend'.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.cli.wording import on_one_line

if TYPE_CHECKING:
    from appliance.central.verifying import Report

EXAMPLES = """  greffier central verify --dir /var/lib/greffier-central
  greffier central verify --dir lyon --site "Hotel du Port"
  greffier central verify --dir lyon --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--dir", type=Path, required=True, metavar="DIR", help="the folder of the central")
    parser.add_argument(
        "--site", metavar="S", help="only this site: its name, or the beginning of its fingerprint"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")


def run(args: argparse.Namespace) -> int:
    """Check, print, and say by the exit code whether there is a fault."""
    from appliance.central import places, sites, verifying
    from appliance.cli.progress import of_bytes
    from appliance.model.errors import FaultFound

    central = places.open(args.dir)
    try:
        site = sites.find(central, args.site) if args.site else None
        with of_bytes("verifying") as told:
            report = verifying.verify(central, site, told)
    finally:
        central.close()
    print(json.dumps(_as_json(report)) if args.json else _as_sentences(report))
    if report.counts.get("faults"):
        raise FaultFound(
            f"{report.counts['faults']:,} faults: what is kept is not as it was signed; see the places named"
        )
    return 0


def _as_json(report: "Report") -> dict[str, object]:
    return {
        "central": report.central,
        "sites": report.sites,
        "faults": [{"place": fault.place, "what": fault.what} for fault in report.faults],
        "notices": [{"place": notice.place, "what": notice.what} for notice in report.notices],
        "counts": report.counts,
    }


def _as_sentences(report: "Report") -> str:
    counts = report.counts
    lines = [f"FAULT   {fault.place}: {fault.what}" for fault in report.faults]
    lines += [f"notice  {notice.place}: {notice.what}" for notice in report.notices]
    unnamed = counts.get("faults", 0) - len(report.faults)
    if unnamed:
        lines.append(f"FAULT   and {unnamed:,} more, which are not named")
    kinds = (
        ("chain", "lines of chains"),
        ("envelopes", "envelopes"),
        ("journal", "journal files"),
        ("segments", "files of segments"),
        ("statistics", "files of statistics"),
    )
    read = ", ".join(f"{counts.get(kind, 0):,} {words}" for kind, words in kinds)
    lines.append(f"{report.sites:,} sites, {counts.get('receipts', 0):,} receipts: {read}.")
    lines.append(
        f"{counts.get('bytes', 0):,} bytes re-read; {counts.get('replaced', 0):,} journal files replaced, "
        f"{counts.get('destroyed', 0):,} objects destroyed; {counts.get('holds', 0):,} holds."
    )
    lines.append(f"Central {report.central}")
    lines.append("Not as it was signed." if counts.get("faults") else "Everything is as it was signed.")
    return "\n".join(on_one_line(line) for line in lines)
