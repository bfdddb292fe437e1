"""Holds of a site at this central: those its box has signed, and those placed here when its box is gone.

A hold keeps stated vaults and days beyond their term, to its last day, and nothing else. One placed here
counts here only: place it at each central that has the site.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.cli.hold import add_scope
from appliance.model.errors import UsageError

if TYPE_CHECKING:
    from appliance.central.tables import Hold

EXAMPLES = """  greffier central hold --dir DIR --site "Hotel du Port" place --reference "order 12/2027" \\
      --vault traffic --from 2026-11-21 --until-day 2026-11-23 --expires 2028-06-30
  greffier central hold --dir DIR --site "Hotel du Port" end --reference "order 12/2027"
  greffier central hold --dir DIR --site "Hotel du Port" list"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb and of what it does."""
    parser.add_argument("--dir", type=Path, required=True, metavar="DIR", help="the folder of the central")
    parser.add_argument("--site", required=True, metavar="S", help="its name, or how its fingerprint begins")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")
    actions = parser.add_subparsers(dest="action", metavar="place|end|list", required=True)
    place = actions.add_parser("place", help="keep days beyond their term")
    end = actions.add_parser("end", help="lift a hold before its date")
    actions.add_parser("list", help="every hold of the site")
    for each in (place, end):
        each.add_argument("--reference", required=True, metavar="R", help="the order's own reference")
    add_scope(place)


def run(args: argparse.Namespace) -> int:
    """Do what is asked and list the site's holds."""
    from appliance.central import holds, places, sites
    from appliance.model.instants import day_of
    from appliance.runtime.clock import now_ns
    from appliance.vault.names import VaultName
    from appliance.vault.seals import Hold

    central = places.open(args.dir)
    try:
        site = sites.find(central, args.site)
        if args.action == "end":
            holds.end(central, site, args.reference)
        elif args.action == "place":
            vaults = tuple(VaultName(name) for name in dict.fromkeys(args.vault))
            try:
                hold = Hold(args.reference, vaults, args.first_day, args.until_day, args.expires)
            except ValueError as error:
                raise UsageError(str(error)) from None
            holds.place(central, site, hold)
        found, today = holds.of_site(central, site), day_of(now_ns())
    finally:
        central.close()
    shown = [_as_json(hold, hold.ended_at_ns is None and today <= hold.until) for hold in found]
    print(json.dumps({"holds": shown}) if args.json else "\n".join(map(_as_sentence, shown)) or "No hold.")
    return 0


def _as_json(hold: "Hold", holding: bool) -> dict[str, object]:
    lifted = "lifted" if hold.ended_at_ns is not None else "ended"
    return {
        "reference": hold.reference,
        "vaults": hold.vaults.split(),
        "first_day": hold.first_day.isoformat(),
        "last_day": hold.last_day.isoformat(),
        "until": hold.until.isoformat(),
        "placed_by": hold.placed_by,
        "state": "holding" if holding else lifted,
    }


def _as_sentence(hold: dict[str, object]) -> str:
    vaults = hold["vaults"]
    assert isinstance(vaults, list)
    return (
        f"'{hold['reference']}' of the {hold['placed_by']} ({hold['state']}): {' and '.join(vaults)} "
        f"from {hold['first_day']} to {hold['last_day']}, until the end of {hold['until']}."
    )
