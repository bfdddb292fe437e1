"""Check two centrals against each other, and with --mend bring to each what the other has.

Both folders must be reachable from here; each may keep its objects and its catalogue elsewhere. All bytes are
read and compared with what was signed for; --quick compares what the catalogues say. What --mend brings is
proved as if the box had sent it. What is destroyed on one side is named and never brought back. Exit code 1
if the two are not equal in the end.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.cli.wording import several

if TYPE_CHECKING:
    from appliance.central.comparing import Compared, Counted
    from appliance.central.mending import Mended

EXAMPLES = """  greffier central compare /srv/lyon /mnt/nantes
  greffier central compare /srv/lyon /mnt/nantes --mend
  greffier central compare /srv/lyon /mnt/nantes --quick --json"""

_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("first", type=Path, metavar="DIR_A", help="the folder of one central")
    parser.add_argument("second", type=Path, metavar="DIR_B", help="the folder of the other")
    parser.add_argument("--mend", action="store_true", help="bring to each what it lacks or has lost")
    parser.add_argument("--quick", action="store_true", help="read no bytes: compare the catalogues")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")


def run(args: argparse.Namespace) -> int:
    """Compare, mend, say what is left."""
    from appliance.central import places
    from appliance.central.comparing import compare
    from appliance.central.mending import mend
    from appliance.cli.progress import of_bytes
    from appliance.model.errors import FaultFound, UsageError

    if args.first.resolve() == args.second.resolve():
        raise UsageError("the two folders are one and the same; give those of two centrals")
    first = places.open(args.first)
    try:
        second = places.open(args.second)
        try:
            pair = (first, second)
            mended = None
            if args.mend:
                with of_bytes("mending") as told:
                    mended = mend(pair, not args.quick, told)
            with of_bytes("comparing") as told:
                found = compare(pair, told, reread=not (args.quick or args.mend))
            names = (first.identity.name, second.identity.name)
        finally:
            second.close()
    finally:
        first.close()
    print(json.dumps(_as_json(found, mended)) if args.json else _as_sentences(found, mended, names))
    unequal = sum(1 for site in found if not site.is_equal)
    if unequal or (mended and mended.refused.count):
        raise FaultFound(
            "the two centrals are not equal; see what is said above"
            if mended
            else f"the two centrals are not equal about {several(unequal, 'site')}; --mend brings what it can"
        )
    return 0


def _as_json(found: "list[Compared]", mended: "Mended | None") -> dict[str, object]:
    return {
        "sites": [
            {
                "site": one.site,
                "name": one.name,
                "equal": one.is_equal,
                "same": one.same,
                "differ": one.differ.named,
                "settings": one.settings,
                "unknown_at": one.unknown_at,
                "sides": [
                    {key: getattr(side, key).named for key in ("lacking", "lost", "replaced", "destroyed")}
                    for side in one.sides
                ],
            }
            for one in found
        ],
        "mended": mended
        and {"brought": mended.brought, "healed": mended.healed, "refused": mended.refused.named},
    }


def _as_sentences(found: "list[Compared]", mended: "Mended | None", names: tuple[str, str]) -> str:
    lines: list[str] = []
    if mended:
        lines += [
            f"{several(brought, 'object')} brought to {name}, {several(healed, 'object')} put back there."
            for name, brought, healed in zip(names, mended.brought, mended.healed, strict=True)
        ]
        lines += _named("cannot be mended", mended.refused)
    for one in found:
        lines += _of_site(one, names)
    equal = all(one.is_equal for one in found) and not (mended and mended.refused.count)
    lines.append("The two are equal." if equal else "The two are not equal.")
    return "\n".join(lines)


def _of_site(one: "Compared", names: tuple[str, str]) -> list[str]:
    lines = [f"'{one.name}' ({one.site[:16]}): {several(one.same, 'object')} the same on both."]
    if one.unknown_at is not None:
        lines.append(f"  {names[one.unknown_at]} does not know this site: enrol it there, then mend")
    for name, side in zip(names, one.sides, strict=True):
        lines += _named(f"{name} lacks", side.lacking)
        lines += _named(f"{name} has lost", side.lost)
        lines += _named(f"{name} has replaced, the other has not yet", side.replaced)
        lines += _named(f"{name} has destroyed the key of", side.destroyed)
    lines += _named("CONFLICT, other bytes under one name", one.differ)
    lines += [f"  at {names[0]} against {names[1]}: {what}" for what in one.settings]
    return lines


def _named(what: str, counted: "Counted") -> list[str]:
    if not counted.count:
        return []
    lines = [f"  {what}: {name}" for name in counted.named[:_SHOWN]]
    rest = counted.count - len(lines)
    return [*lines, f"  {what}: {rest:,} more"] if rest else lines
