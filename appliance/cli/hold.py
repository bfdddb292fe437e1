"""Keep stated days beyond their term under a preservation order, and nothing else.

A hold names an order (--reference), vaults, days and the last day on which it counts. Until then what it
covers is not destroyed, here or at any central, whatever its term; afterwards it goes with its term by
itself. It is a signed line of the chain. What was destroyed before a hold was placed does not come back.
"""

import argparse
import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.cli.noting import noted
from appliance.cli.wording import several
from appliance.model.errors import UsageError

if TYPE_CHECKING:
    from appliance.retention.holds import HeldScope
    from appliance.vault.seals import Hold

EXAMPLES = """  greffier hold --home /var/lib/greffier place --reference "order 12/2027" \\
      --vault traffic source --from 2026-11-21 --until-day 2026-11-23 --expires 2028-06-30
  greffier hold --home DIR end --reference "order 12/2027"
  greffier hold --home DIR list --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb and of what it does."""
    _common(parser, None)
    actions = parser.add_subparsers(dest="action", metavar="place|end|list", required=True)
    place = actions.add_parser("place", help="keep days beyond their term")
    end = actions.add_parser("end", help="lift a hold before its date")
    shown = actions.add_parser("list", help="every hold, and how it stands")
    for each in (place, end):
        each.add_argument("--reference", required=True, metavar="R", help="the order's own reference")
    add_scope(place)
    for each in (place, end, shown):
        _common(each, argparse.SUPPRESS)


def add_scope(parser: argparse.ArgumentParser) -> None:
    """What a hold keeps, and until when."""
    parser.add_argument(
        "--vault", required=True, action="extend", nargs="+", choices=["traffic", "source"], metavar="V",
        help="traffic, source, or both",
    )  # fmt: skip
    days = "of what it keeps, a UTC day"
    parser.add_argument(
        "--from", required=True, type=day, dest="first_day", metavar="D", help=f"first {days}"
    )
    parser.add_argument("--until-day", required=True, type=day, metavar="D", help=f"last {days}")
    parser.add_argument(
        "--expires", required=True, type=day, metavar="D", help="the last day on which it counts"
    )


def _common(parser: argparse.ArgumentParser, default: str | None) -> None:
    parser.add_argument("--home", type=Path, default=default, metavar="DIR", help="the home of the box")
    parser.add_argument(
        "--json", action="store_true", default=default or False, help="print one JSON object instead"
    )


def day(text: str) -> dt.date:
    """A UTC day, as an argument's type."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a day; write it like 2026-11-21") from None


def run(args: argparse.Namespace) -> int:
    """Do what is asked and say how the holds stand."""
    from appliance.control.steps import Step
    from appliance.model.instants import day_of
    from appliance.retention import holds
    from appliance.runtime.clock import now_ns
    from appliance.vault import homes
    from appliance.vault.names import VaultName
    from appliance.vault.seals import Hold

    if args.home is None:
        raise UsageError("the home of the box is missing: --home DIR; see 'greffier hold --help'")
    home = homes.existing(args.home)
    if args.action == "list":
        found = holds.standing(home, day_of(now_ns()))
    elif args.action == "end":
        with noted(home, Step.END_HOLD, args.reference):
            found = [holds.end(home, args.reference)]
    else:
        vaults = tuple(VaultName(name) for name in dict.fromkeys(args.vault))
        try:
            hold = Hold(args.reference, vaults, args.first_day, args.until_day, args.expires)
        except ValueError as error:
            raise UsageError(str(error)) from None
        with noted(home, Step.PLACE_HOLD, hold.reference, _as_details(hold)):
            found = [holds.place(home, hold)]
    if args.json:
        print(json.dumps({"holds": [_as_json(one) for one in found]}))
    else:
        print("\n".join(_as_sentence(one) for one in found) or "No hold was ever placed.")
    return 0


def _as_details(hold: "Hold") -> dict[str, str]:
    days = {"first_day": hold.first_day, "last_day": hold.last_day, "until": hold.until}
    return {"vaults": " ".join(hold.vaults)} | {key: day.isoformat() for key, day in days.items()}


def _as_json(scope: "HeldScope") -> dict[str, object]:
    hold = scope.hold
    return {
        "reference": hold.reference,
        "vaults": [str(vault) for vault in hold.vaults],
        "first_day": hold.first_day.isoformat(),
        "last_day": hold.last_day.isoformat(),
        "until": hold.until.isoformat(),
        "state": scope.state,
        "kept": scope.kept,
        "gone": scope.gone,
    }


def _as_sentence(scope: "HeldScope") -> str:
    hold = scope.hold
    what = f"{' and '.join(hold.vaults)} from {hold.first_day} to {hold.last_day}"
    kept = several(scope.kept, "day of a vault", "days of vaults")
    words = {
        "holding": f"keeps {what} until the end of {hold.until}: {kept} there",
        "ended": f"kept {what} until the end of {hold.until}",
        "lifted": f"kept {what} and was lifted; it goes with its term again",
    }
    gone = f"; {scope.gone:,} had been destroyed before or since" if scope.gone else ""
    return f"The hold '{hold.reference}' {words[scope.state]}{gone}."
