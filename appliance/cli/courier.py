"""Carry the backlog to central on a stick where there is no line, or a bad one, and bring the receipts home.

'write' puts on the stick what its centrals lack, each object signed, as much as fits; nothing in the home
changes by it. Then 'greffier central courier read' at each central, which writes its receipts on the stick,
and 'read' here: only then something counts as kept. A stick that is lost, torn or forged costs the way,
nothing else; it shows no address to whoever finds it. Nothing is deleted from it unless --clean asks for it.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.cli.wording import several

if TYPE_CHECKING:
    from appliance.replication.enrolled import Enrolled
    from appliance.replication.stick import Stick
    from appliance.vault.names import Home

EXAMPLES = """  greffier courier write --home /var/lib/greffier --to /media/stick
  greffier courier write --home /var/lib/greffier --to /media/stick --central Lyon --limit-mib 2000
  greffier courier read --home /var/lib/greffier --from /media/stick --clean"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb and of what it does."""
    actions = parser.add_subparsers(dest="action", metavar="write|read", required=True)
    write = actions.add_parser("write", help="put on a stick what centrals lack")
    read = actions.add_parser("read", help="enter the receipts that a stick brings home")
    for each in (write, read):
        each.add_argument("--home", type=Path, required=True, metavar="DIR", help="the home of the box")
        each.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")
        each.add_argument(
            "--clean",
            action="store_true",
            help="then delete this box's parcels that every central they are for has signed for",
        )
    write.add_argument("--to", type=Path, required=True, metavar="PATH", help="where the stick is mounted")
    write.add_argument(
        "--central",
        action="append",
        metavar="NAME_OR_URL",
        help="only what this central lacks; may be given again (default: what any of them lacks)",
    )
    write.add_argument("--limit-mib", type=int, metavar="N", help="put no more than so much on the stick")
    read.add_argument(
        "--from", type=Path, required=True, metavar="PATH", dest="source", help="where the stick is mounted"
    )


def run(args: argparse.Namespace) -> int:
    """Write a stick, or take one home."""
    from appliance.replication import stick
    from appliance.vault import homes

    home = homes.existing(args.home)
    if args.action == "write":
        return _write(args, home, stick.at(args.to))
    return _read(args, home, stick.at(args.source))


def _write(args: argparse.Namespace, home: "Home", to: "Stick") -> int:
    from appliance.cli import courier_shown as shown
    from appliance.cli import stderr
    from appliance.cli.progress import of_bytes
    from appliance.model.errors import StorageError, UsageError
    from appliance.replication.courier import Writing

    if args.limit_mib is not None and args.limit_mib < 1:
        raise UsageError("--limit-mib must be at least 1")
    centrals = _chosen(home, args.central)
    if to.path.resolve().is_relative_to(home.path.resolve()):
        raise UsageError(f"{to.path} lies in the home itself; give the folder where the stick is mounted")
    if to.path.stat().st_dev == home.path.stat().st_dev:
        stderr.complain(f"{to.path} lies on the disk of the home: is the stick mounted there?")
    cleaned = _clean(home, to) if args.clean else 0
    limit = args.limit_mib << 20 if args.limit_mib is not None else None
    with of_bytes("writing") as told:
        written = Writing(home, to, centrals, limit_bytes=limit, progress=told).run()
    if args.json:
        print(json.dumps({**shown.written_json(written), "deleted": cleaned}))
    else:
        print(shown.written_words(written, centrals, cleaned))
    if written.full:
        raise StorageError(
            f"the stick is full: {several(written.left, 'object')} ({written.left_bytes:,} bytes) did not "
            "fit; write them on another stick, or on this one when its receipts are home"
        )
    return 0


def _chosen(home: "Home", wanted: list[str] | None) -> "list[Enrolled]":
    from appliance.model.errors import HomeError, UsageError
    from appliance.replication.enrolled import enrolled

    known = enrolled(home)
    if not known:
        raise HomeError(
            "this box is enrolled at no central, so nobody lacks anything; 'greffier enrol' first"
        )
    if not wanted:
        return known
    chosen = [one for one in known if any(_is_meant(one, text) for text in wanted)]
    unknown = [text for text in wanted if not any(_is_meant(one, text) for one in known)]
    if unknown:
        names = ", ".join(f"'{one.identity.name}' ({one.url})" for one in known)
        raise UsageError(f"there is no central '{unknown[0]}'; this box knows {names}")
    return chosen


def _is_meant(central: "Enrolled", text: str) -> bool:
    digits = text.lower()
    return text in (central.identity.name, central.url, central.url.rstrip("/")) or (
        len(digits) >= 6 and central.identity.fingerprint.startswith(digits)
    )


def _clean(home: "Home", found: "Stick") -> int:
    from appliance.replication import courier, homecoming
    from appliance.replication.enrolled import enrolled
    from appliance.vault import signing

    signer = signing.load(home.signing_key)
    mine = found.parcels_found(signer.fingerprint)
    return homecoming.clean(courier.acknowledged(mine, signer.box, enrolled(home)))


def _read(args: argparse.Namespace, home: "Home", found: "Stick") -> int:
    from appliance.cli import courier_shown as shown
    from appliance.model.errors import FaultFound, HomeError
    from appliance.replication.enrolled import enrolled
    from appliance.replication.homecoming import bring_home

    if not enrolled(home):
        raise HomeError(
            "this box is enrolled at no central, so it believes no receipt; 'greffier enrol' first"
        )
    came, foreign = bring_home(home, found)
    cleaned = _clean(home, found) if args.clean else 0
    if args.json:
        print(
            json.dumps(
                {"centrals": [shown.came_json(one) for one in came], "foreign": foreign, "deleted": cleaned}
            )
        )
    else:
        print(shown.came_words(came, foreign, cleaned))
    if any(one.tally.wrong or one.tally.put_back or one.unread for one in came):
        raise FaultFound("some receipts on the stick are not as they should be; see what is said above")
    return 0
