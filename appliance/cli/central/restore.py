"""Make a home out of this central alone: the box was stolen, burned or died, and its records are wanted.

OUT/home can then be read like the box's own: 'greffier verify', 'search', 'bindings', 'coverage'. With
--identity the custodians also get everything in open formats, in OUT/data (see 'greffier reversibility').
Each byte is checked against what the box had signed; what is missing is named. A box that was rolled back and
went on has several chains: one home each, OUT/branch-1 the longest, 16 at most; --branch takes others. What
is in several homes is stored once, where the disk can. Interrupted, it is run again and goes on.

The home can be read, not continued: the box's key is on the box only. A new box begins a chain of its own.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.cli import reversibility
from appliance.cli.progress import of_objects
from appliance.cli.wording import several
from appliance.model.errors import FaultFound
from appliance.model.instants import to_iso

if TYPE_CHECKING:
    from appliance.central.branches import Head
    from appliance.central.restoring import Restored

EXAMPLES = """  greffier central restore --dir DIR --site "Hotel du Port" --to /srv/restored
  greffier central restore --dir DIR --site "Hotel du Port" --to OUT --identity owner.key lawyer.key \\
      --format csv"""

_SHOWN = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--dir", type=Path, required=True, metavar="DIR", help="the folder of the central")
    parser.add_argument("--site", required=True, metavar="S", help="its name, or how its fingerprint begins")
    parser.add_argument("--to", type=Path, required=True, metavar="OUT", help="an empty folder, or a new one")
    parser.add_argument(
        "--branch", type=int, action="extend", nargs="+", default=[], metavar="N",
        help="only these branches of its chain, by number (default: the 16 longest)",
    )  # fmt: skip
    parser.add_argument(
        "--identity", type=Path, action="extend", nargs="+", default=[], metavar="KEY",
        help="key files of the custodians: open the records, too",
    )  # fmt: skip
    parser.add_argument(
        "--passphrase-file", type=Path, action="extend", nargs="+", default=[], metavar="F",
        help="a file whose first line opens a key file that is under a passphrase",
    )  # fmt: skip
    reversibility.add_form(parser)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object a home, and one of what was left out"
    )


def run(args: argparse.Namespace) -> int:
    """Make the homes, open them if the custodians have come, say what was restored and what is missing."""
    from appliance.central import places, restoring, sites
    from appliance.vault.unseal.custody import open_identities

    identities = open_identities(args.identity, args.passphrase_file) if args.identity else None
    central = places.open(args.dir)
    try:
        site = sites.find(central, args.site)
        with of_objects() as progress:
            done = restoring.restore(central, site, args.to, progress, args.branch)
    finally:
        central.close()
    code = FaultFound.exit_code if done.left_out and not args.branch else 0
    for restored in done.homes:
        print(json.dumps(_as_json(restored)) if args.json else _as_text(restored), flush=True)
        code = FaultFound.exit_code if restored.missing else code
        if identities:
            from appliance.vault.names import Home
            from appliance.vault.unseal.custody import KeyOpener

            home = Home(restored.home)
            out = restored.home.parent / "data"
            code = reversibility.write(home, KeyOpener(home, identities), out, args) or code
    if done.left_out:
        print(_left_as_json(done.left_out) if args.json else _left_as_text(done.left_out), flush=True)
    return code


def _left_as_json(left: "list[Head]") -> str:
    return json.dumps({"left_out": [{"branch": head.number, "head": str(head)} for head in left]})


def _left_as_text(left: "list[Head]") -> str:
    lines = [f"LEFT OUT: branch {head.number}, its head {head}" for head in left[:_SHOWN]]
    if len(left) > _SHOWN:
        lines.append(f"... and {len(left) - _SHOWN:,} more: --json names them")
    lines.append(f"Any of them:  greffier central restore ... --branch {left[0].number} --to ANOTHER")
    return "\n".join(lines)


def _as_json(restored: "Restored") -> dict[str, object]:
    from appliance.central import restoring

    days = restoring.days(restored)
    return {
        "home": str(restored.home),
        "head": restored.head,
        "objects": restored.objects,
        "bytes": restored.size_bytes,
        "first_day": days and days[0].isoformat(),
        "last_day": days and days[1].isoformat(),
        "last_received": to_iso(restored.last_received_ns),
        "missing": [{"name": name, "why": why} for name, why in restored.missing],
        "destroyed": restored.destroyed,
    }


def _as_text(restored: "Restored") -> str:
    from appliance.central import restoring

    days = restoring.days(restored)
    period = f", days from {days[0]} to {days[1]}" if days else ""
    lines = [
        f"Restored to {restored.home}: {several(restored.objects, 'object')}, "
        f"{several(restored.size_bytes, 'byte')}{period}.",
        f"The last object had come at {to_iso(restored.last_received_ns)[:19]}Z.",
        f"Head of the chain: {restored.head}",
    ]
    if restored.destroyed:
        lines.append(f"{several(len(restored.destroyed), 'file')} had been destroyed here after the term.")
    lines += [f"MISSING: {name} {why}" for name, why in restored.missing[:_SHOWN]]
    if len(restored.missing) > _SHOWN:
        lines.append(f"... and {len(restored.missing) - _SHOWN:,} more: state/restored.json")
    lines.append(f"It can be read, not continued:  greffier verify --home {restored.home}")
    return "\n".join(lines)
