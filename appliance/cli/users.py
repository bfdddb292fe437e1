"""Who may sign in to the page, and how somebody who has lost everything gets in again.

'reset' gives an account another password, shown once and to be renewed at the first sign-in within a week,
and ends its sessions; with --factor its second factor is set up anew, too.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.cli.noting import noted
from appliance.cli.wording import on_one_line
from appliance.model.errors import HomeError, UsageError
from appliance.model.instants import to_iso

if TYPE_CHECKING:
    from webui.accounts.opened import Accounts
    from webui.accounts.users import Account

EXAMPLES = """  greffier users --home /var/lib/greffier
  greffier users --home /var/lib/greffier --json
  greffier users --home /var/lib/greffier reset "Claire Martin"
  greffier users --home /var/lib/greffier reset "Claire Martin" --factor"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb and of what it does."""
    _common(parser, None)
    actions = parser.add_subparsers(dest="action", metavar="list|reset")
    shown = actions.add_parser("list", help="every account")
    reset = actions.add_parser("reset", help="give an account another password")
    reset.add_argument("name", metavar="NAME", help="as 'list' names it")
    reset.add_argument("--factor", action="store_true", help="set the second factor up anew, too")
    for each in (shown, reset):
        _common(each, argparse.SUPPRESS)


def _common(parser: argparse.ArgumentParser, default: str | None) -> None:
    parser.add_argument("--home", type=Path, default=default, metavar="DIR", help="the home of the box")
    parser.add_argument(
        "--state", type=Path, default=default, metavar="DIR", help="the page's own folder (default: HOME-web)"
    )
    parser.add_argument(
        "--json", action="store_true", default=default or False, help="print one JSON object instead"
    )


def run(args: argparse.Namespace) -> int:
    """List the accounts, or give one another password."""
    from appliance.runtime.clock import now_ns
    from webui.accounts import opened

    if args.home is None:
        raise UsageError("the home of the box is missing: --home DIR; see 'greffier users --help'")
    home = Path(args.home).absolute()
    state = args.state or home.with_name(f"{home.name}-web")
    if not (state / "accounts.sqlite").exists():
        raise HomeError(f"{state} holds no accounts: name the page's own folder with --state")
    accounts = opened.open(state, now_ns)
    try:
        if args.action == "reset":
            _reset(accounts, home, args)
        else:
            _list(accounts.users.all(), args.json)
    finally:
        accounts.close()
    return 0


def _reset(accounts: "Accounts", path: Path, args: argparse.Namespace) -> None:
    from appliance.control.steps import Step
    from appliance.vault import homes
    from webui.accounts.passwords import new_password

    account = accounts.users.named(args.name)
    if account is None:
        raise UsageError(f"there is no account called {on_one_line(args.name)}; see 'greffier users list'")
    password = new_password()
    hashed = accounts.passwords.hashed(password)
    with noted(homes.existing(path), Step.RESET_USER, account.name, {"factor": str(args.factor).lower()}):
        accounts.users.set_password(account.id, hashed, given=True)
        if args.factor:
            accounts.users.set_factor(account.id, None, 0, ())
    if args.json:
        print(json.dumps({"name": account.name, "password": password, "factor": args.factor}))
        return
    print(f"{account.name} may sign in with: {password}")
    print("It is shown only now, and must be renewed at the first sign-in, within a week.")


def _list(found: "tuple[Account, ...]", as_json: bool) -> None:
    rows = [
        {
            "name": account.name,
            "role": account.role.value,
            "extras": sorted(account.extras),
            "factor": account.factor is not None,
            "must_renew": account.must_renew,
            "signed_in": None if account.signed_in_ns is None else to_iso(account.signed_in_ns),
        }
        for account in found
    ]
    if as_json:
        print(json.dumps({"users": rows}))
        return
    for row in rows:
        last = row["signed_in"] or "never signed in"
        print(f"{row['name']}  {row['role']}  {'with' if row['factor'] else 'without'} second factor  {last}")
