"""Which legal bases oblige to keep what, until when, and what this site said of them.

The calendar is as it was found on its date: have it confirmed by your lawyer. A basis whose end is known
lapses unless you confirm the text that renews it. What a lapse does is said per vault: 'alert' records on and
says so, 'stop' records nothing more of that vault. What is kept already stays for its term.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.cli.hold import day
from appliance.cli.noting import actor, noted
from appliance.cli.wording import on_one_line, several
from appliance.model.errors import UsageError

if TYPE_CHECKING:
    from appliance.retention.lawful import Said
    from appliance.retention.legal.calendar import Standing
    from appliance.vault.names import Home

EXAMPLES = """  greffier law --home /var/lib/greffier
  greffier law --home DIR confirm --basis traffic-injunction --text "the decree's number and date" \\
      --from 2026-10-21 --until 2027-10-20
  greffier law --home DIR lapse --vault traffic --to stop
  greffier law --home DIR list --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb and of what it does."""
    _common(parser, None)
    actions = parser.add_subparsers(dest="action", metavar="list|confirm|lapse")
    shown = actions.add_parser("list", help="every basis, and how it stands")
    confirm = actions.add_parser("confirm", help="state that a basis is in force, and by which text")
    confirm.add_argument("--basis", required=True, metavar="KEY", help="as 'list' names it")
    confirm.add_argument("--text", required=True, metavar="T", help="the text that renews it")
    confirm.add_argument("--from", required=True, type=day, dest="first_day", metavar="D", help="first day")
    confirm.add_argument("--until", required=True, type=day, dest="last_day", metavar="D", help="last day")
    lapse = actions.add_parser("lapse", help="say what a lapse does to a vault")
    lapse.add_argument("--vault", required=True, choices=["traffic", "source"])
    lapse.add_argument("--to", required=True, choices=["alert", "stop"], help="what it does")
    for each in (shown, confirm, lapse):
        _common(each, argparse.SUPPRESS)


def _common(parser: argparse.ArgumentParser, default: str | None) -> None:
    parser.add_argument("--home", type=Path, default=default, metavar="DIR", help="the home of the box")
    parser.add_argument(
        "--json", action="store_true", default=default or False, help="print one JSON object instead"
    )


def run(args: argparse.Namespace) -> int:
    """Do what is asked and say how the bases stand."""
    from appliance.control.steps import Step
    from appliance.control.words import Lapse
    from appliance.retention import lawful
    from appliance.runtime.clock import now_ns
    from appliance.vault import homes
    from appliance.vault.names import VaultName

    if args.home is None:
        raise UsageError("the home of the box is missing: --home DIR; see 'greffier law --help'")
    home = homes.existing(args.home)
    if args.action == "confirm":
        _confirm(home, args)
    elif args.action == "lapse":
        with noted(home, Step.SET_LAPSE, args.vault, {"lapse": args.to}):
            lawful.set_lapse(home, VaultName(args.vault), Lapse(args.to))
    said = lawful.read(home)
    standings = lawful.standings(said, now_ns())
    print(json.dumps(_as_json(said, standings)) if args.json else _as_text(said, standings))
    return 0


def _confirm(home: "Home", args: argparse.Namespace) -> None:
    from appliance.control.steps import Step
    from appliance.retention import lawful
    from appliance.retention.legal.calendar import Confirmation
    from appliance.runtime.clock import now_ns

    days = {"first_day": args.first_day.isoformat(), "last_day": args.last_day.isoformat()}
    text, who = args.text.strip(), actor().name
    confirmation = Confirmation(args.basis, text, args.first_day, args.last_day, who, now_ns())
    lawful.check(confirmation)  # what cannot be meant is no step: it has no line
    with noted(home, Step.CONFIRM_BASIS, args.basis, {"text": args.text, **days}):
        lawful.confirm(home, confirmation)


def _as_json(said: "Said", standings: "list[Standing]") -> dict[str, object]:
    from appliance.retention.legal.shipped import france

    return {
        "dated": france().dated.isoformat(),
        "general": {language: dict(parts) for language, parts in france().general.items()},
        "bases": [_basis_as_json(one) for one in standings],
        "lapse": {vault: str(said.lapse(vault)) for vault in ("traffic", "source")},
    }


def _basis_as_json(one: "Standing") -> dict[str, object]:
    confirmed = one.confirmation
    return {
        "key": one.basis.key,
        "vaults": list(one.basis.vaults),
        "term_years": one.basis.term_years,
        "articles": list(one.basis.articles),
        "sources": list(one.basis.sources),
        "texts": dict(one.basis.texts),
        "state": str(one.state),
        "first_day": one.first_day and one.first_day.isoformat(),
        "last_day": one.last_day and one.last_day.isoformat(),
        "days_left": one.days_left,
        "must_confirm": one.must_confirm,
        "confirmed_by": confirmed and confirmed.by,
        "confirmed_text": confirmed and confirmed.text,
    }


def _as_text(said: "Said", standings: "list[Standing]") -> str:
    from appliance.retention.legal.shipped import france

    lines = [line for one in standings for line in _basis_as_lines(one)]
    for vault in ("traffic", "source"):
        what = {"alert": "it is recorded on, and told", "stop": "nothing of it is recorded"}
        lines.append(f"If the basis of {vault} lapses: {what[said.lapse(vault)]}.")
    lines.append(f"As found on {france().dated}; have it confirmed by your lawyer.")
    return "\n".join(lines)


def _basis_as_lines(one: "Standing") -> list[str]:
    years = several(one.basis.term_years, "year")
    what = f"{one.basis.key}: {', '.join(one.basis.vaults)}, {years}, by {', '.join(one.basis.articles)}"
    left = one.days_left or 0
    how = {
        "unlimited": "in force, no end is known",
        "in-force": f"in force until {one.last_day}",
        "lapsing": f"ends on {one.last_day}, in {several(left, 'day')}: confirm the text that renews it",
        "lapsed": f"ended on {one.last_day} for all that is known: confirm the text that renewed it",
    }[one.state]
    confirmed = one.confirmation
    by = f"; confirmed by {confirmed.by}: {confirmed.text}" if confirmed else ""
    return [on_one_line(what), f"  {on_one_line(how + by)}"]
