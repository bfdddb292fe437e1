"""Destroy what has passed its term, sign a certificate for it, and say what stays until when.

The term is a calendar year from date to date (box.toml). The keys go first: from then on nobody can read
the day, not even from a backup of its files. A clock that jumped is not believed until --now confirms it.
Statistics, which name nobody, are deleted when they are older than box.toml says. What a hold keeps stays.
Lines of the audit chain go when they are twelve months old, and it says so.

At the contract's end --end-of-contract destroys every key whatever its term, and the statistics; what a hold
keeps stays all the same. Without --confirm it only says what would go. Before it, 'greffier reversibility'
gives the client everything; central's copies end with 'greffier central destroy'.
"""

import argparse
import contextlib
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.cli.noting import noted
from appliance.model.errors import UsageError
from appliance.model.instants import from_iso, to_iso

if TYPE_CHECKING:
    import datetime as dt

    from appliance.retention.contract_end import Ending
    from appliance.retention.destruction import Kept, Outcome
    from appliance.vault.names import Home
    from appliance.vault.seals import Destroyed

EXAMPLES = """  greffier retention --home /var/lib/greffier
  greffier retention --home /var/lib/greffier --dry-run --now 2027-11-23
  greffier retention --home /var/lib/greffier --now 2027-11-23T04:00:00Z --json
  greffier retention --home /var/lib/greffier --end-of-contract --confirm FINGERPRINT"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--home", type=Path, required=True, metavar="DIR", help="the home of the box")
    parser.add_argument(
        "--now", metavar="T", help="the present instant as you vouch for it, instead of the clock's"
    )
    parser.add_argument("--end-of-contract", action="store_true", help="destroy every key, whatever its term")
    parser.add_argument(
        "--confirm", metavar="FINGERPRINT", help="of the box, as 'greffier status' prints it: really do it"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done and do nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")


def run(args: argparse.Namespace) -> int:
    """Destroy what is due and print what went and what stays."""
    from appliance.control.steps import Step
    from appliance.services import term
    from appliance.vault import homes

    try:
        stated_ns = None if args.now is None else from_iso(args.now)
    except ValueError as error:
        raise UsageError(str(error)) from None
    home = homes.existing(args.home)
    if args.end_of_contract or args.confirm:
        return _end_contract(home, args)
    stated = {} if stated_ns is None else {"stated": to_iso(stated_ns)}
    with contextlib.nullcontext() if args.dry_run else noted(home, Step.APPLY_TERM, "", stated):
        applied = term.apply(home, stated_ns=stated_ns, dry_run=args.dry_run)
    outcome, old = applied.outcome, list(applied.statistics)
    if args.json:
        shown = _as_json(outcome, args.dry_run) | {"statistics_deleted": [str(day) for day in old]}
        print(json.dumps(shown))
    else:
        print("\n".join([_as_sentences(outcome, args.dry_run), *_statistics(old, args.dry_run)]))
    return 0


def _end_contract(home: "Home", args: argparse.Namespace) -> int:
    """Say what the contract's end destroys; with the fingerprint, do it."""
    from appliance.audit import anchors
    from appliance.control.steps import Step
    from appliance.retention import contract_end
    from appliance.runtime.clock import now_ns

    if not args.end_of_contract:
        raise UsageError("--confirm goes with --end-of-contract; see 'greffier retention --help'")
    if args.now is not None:
        raise UsageError("the contract's end asks for no time: leave --now out")
    really = args.confirm is not None and not args.dry_run
    if really:
        with noted(home, Step.END_CONTRACT, args.confirm):
            ending = contract_end.end(home, args.confirm, now_ns)
        anchors.anchor(home)
    else:
        ending = contract_end.plan(home, now_ns())
    print(json.dumps(_ending_as_json(ending, really)) if args.json else _ending_as_text(ending, really))
    return 0


def _ending_as_json(ending: "Ending", really: bool) -> dict[str, object]:
    planned = [
        {"vault": str(order.vault), "day": order.day.isoformat(), "keys": list(order.key_ids)}
        for order in ending.orders
    ]
    return {
        "fingerprint": ending.fingerprint,
        "done": really,
        "destroyed": [_gone_as_json(gone) for gone in ending.destroyed] if really else planned,
        "kept": [_kept_as_json(kept) for kept in ending.kept],
        "statistics_days": ending.statistics,
    }


def _ending_as_text(ending: "Ending", really: bool) -> str:
    keys = sum(len(order.key_ids) for order in ending.orders)
    what = f"{keys:,} keys of {len(ending.orders):,} days of vaults, {ending.statistics:,} days of statistics"
    if really:
        lines = [f"Destroyed and certified in the chain: {what}."]
    else:
        lines = [
            f"The contract's end would destroy {what}. Nothing was destroyed.",
            "Before it, give the client everything:  greffier reversibility --home DIR --identity K --to OUT",
            f"Then, really:  greffier retention --home DIR --end-of-contract --confirm {ending.fingerprint}",
        ]
    for _, run in itertools.groupby(ending.kept, key=lambda kept: (kept.why, kept.vault)):
        lines.append(_kept(list(run)))
    return "\n".join(lines)


def _statistics(old: "list[dt.date]", dry_run: bool) -> list[str]:
    if not old:
        return []
    verb = "Would be deleted" if dry_run else "Deleted"
    return [f"{verb}: the statistics of {len(old):,} day(s) from {old[0]} to {old[-1]}."]


def _as_json(outcome: "Outcome", dry_run: bool) -> dict[str, object]:
    return {
        "now": to_iso(outcome.now_ns),
        "dry_run": dry_run,
        "doubt": outcome.doubt,
        "destroyed": [_gone_as_json(gone) for gone in outcome.destroyed],
        "kept": [_kept_as_json(kept) for kept in outcome.kept],
    }


def _gone_as_json(gone: "Destroyed") -> dict[str, object]:
    return {
        "vault": str(gone.vault),
        "day": gone.day.isoformat(),
        "keys": list(gone.key_ids),
        "files": gone.file_count,
        "bytes": gone.size_bytes,
    }


def _kept_as_json(kept: "Kept") -> dict[str, object]:
    return {
        "vault": str(kept.vault),
        "day": kept.day.isoformat(),
        "until": kept.until.isoformat(),
        "why": kept.why,
    }


def _as_sentences(outcome: "Outcome", dry_run: bool) -> str:
    lines = []
    if outcome.doubt:
        nothing = "Nothing more was destroyed" if outcome.destroyed else "Nothing was destroyed"
        lines.append(f"{nothing}: {outcome.doubt}. If the clock is right, confirm it with --now.")
    lines += [_gone(certificate, dry_run) for certificate in outcome.destroyed]
    if not outcome.destroyed and not outcome.doubt:
        lines.append(f"Nothing has passed its term at {to_iso(outcome.now_ns)[:19]}Z.")
    for _, run in itertools.groupby(outcome.kept, key=lambda kept: (kept.why, kept.vault)):
        lines.append(_kept(list(run)))
    return "\n".join(lines)


def _gone(certificate: "Destroyed", dry_run: bool) -> str:
    verb = "Would be destroyed" if dry_run else "Destroyed and certified"
    return (
        f"{verb}: {certificate.vault} {certificate.day}, {len(certificate.key_ids)} keys, "
        f"{certificate.file_count} files, {certificate.size_bytes:,} bytes."
    )


def _kept(run: "list[Kept]") -> str:
    first, last = run[0], run[-1]
    if first is last:
        return f"Kept: {first.vault} {first.day}, until {first.until}: {first.why}."
    return (
        f"Kept: {first.vault}, {len(run)} days from {first.day} to {last.day}: {first.why}; "
        f"the first goes on {first.until}, the last on {last.until}."
    )
