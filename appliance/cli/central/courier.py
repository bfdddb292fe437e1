"""Take in what a stick brings from boxes that have no line, and write the receipts for it on the stick.

Every object is proved as over the line. The stick may be cut off, worn, old, of several boxes, or read
before: what is taken is right, what is not is named, and reading it again does no harm. Bring the stick back
to its boxes then: 'greffier courier read' there. Exit code 1 if something on it could not be taken.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from appliance.central.courier import Delivery, Report

EXAMPLES = """  greffier central courier read --dir /var/lib/greffier-central /media/stick
  greffier central courier read --dir lyon /media/stick --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("action", choices=["read"], help="take in what is on a stick")
    parser.add_argument("--dir", type=Path, required=True, metavar="DIR", help="the folder of the central")
    parser.add_argument("path", type=Path, metavar="PATH", help="where the stick is mounted")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")


def run(args: argparse.Namespace) -> int:
    """Take in, write the receipts, say what came of it."""
    from appliance.central import places, sites
    from appliance.central.courier import Reading
    from appliance.central.receiver import Receiver
    from appliance.cli.progress import of_bytes
    from appliance.model.errors import FaultFound
    from appliance.replication import stick

    found = stick.at(args.path)
    central = places.open(args.dir)
    try:
        names = {site.fingerprint: site.name for site in sites.every(central)}
        with of_bytes("taking in") as told:
            report = Reading(central, Receiver(central, is_live=False), found, progress=told).run()
    finally:
        central.close()
    print(json.dumps(_as_json(report)) if args.json else _as_sentences(report, names))
    if report.lost:
        raise FaultFound(
            f"{report.lost:,} receipts could not be written on the stick ({report.refusal}): what they are "
            "for is kept; make room on the stick, or unlock it, and read it again"
        )
    if any(not delivery.is_taken for delivery in report.deliveries):
        raise FaultFound("not everything on the stick could be taken in; see what is said of each parcel")
    return 0


def _as_json(report: "Report") -> dict[str, object]:
    return {
        "parcels": [
            {
                "parcel": one.parcel, "site": one.site, "state": one.state, "new": one.new,
                "known": one.known, "early": one.early, "needless": one.needless,
                "unreadable": one.unreadable,
                "refused": dict(one.refused), "named": [list(pair) for pair in one.named],
            }
            for one in report.deliveries
        ],
        "receipts": report.receipts,
        "lost": report.lost,
    }  # fmt: skip


def _as_sentences(report: "Report", names: dict[str, str]) -> str:
    if not report.deliveries:
        return "There is no parcel on this stick: 'greffier courier write' at a box puts some there."
    lines: list[str] = []
    for one in report.deliveries:
        site = f"'{names[one.site]}'" if one.site in names else "a site that is not enrolled here"
        lines.append(f"{one.parcel} of {site}, {one.state}: {_came_of(one)}")
        lines += [f"  not taken: {name} - {why}" for name, why in one.named]
    lines.append(
        f"{report.receipts:,} receipts are on the stick. Bring it back to where it comes from: "
        "'greffier courier read' there enters them; after that it may be wiped."
    )
    return "\n".join(lines)


def _came_of(one: "Delivery") -> str:
    parts = [f"{one.new:,} objects are new here"]
    for count, words in (
        (one.known, "were here before"),
        (one.needless, "are needed no more"),
        (one.early, "rest on what has not come: bring the stick that was written before this one"),
        (sum(one.refused.values()), "were refused"),
        (one.unreadable, "cannot be read from the stick"),
    ):
        if count:
            parts.append(f"{count:,} {words}")
    if one.state == "cut off":
        parts.append("the rest never came on the stick: the box writes it again")
    return ", ".join(parts)
