"""Set a box and its page up from one TOML file, in place of the six screens of the first boot.

Makes the home, the first account of the page, and enrols with centrals. The custodians' public keys stand in
the file; they make their keys with 'greffier custodian new', each on a machine of their own. What cannot be
shown twice is printed once: the second factor and the recovery codes of the account.
"""

import argparse
import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from appliance.model.errors import ControlError, UsageError

if TYPE_CHECKING:
    from appliance.config.set_up import Administrator, SetUpFile
    from appliance.control.client import Client
    from appliance.control.messages import Answer, Ask

EXAMPLES = """  greffier setup --home /var/lib/greffier hotel.toml
  greffier setup --home box --state box-web hotel.toml --json

the file:
  site = "Hotel du Port"
  client_networks = ["192.168.10.0/24"]
  interfaces = ["mirror0"]              # may be left out
  access_points = []                    # MACs that statistics count apart; may be left out

  [custody]
  custodians = ["age1...", "age1..."]   # public keys
  quorum = 2

  [administrator]
  name = "Elodie"
  password_file = "password.txt"        # beside this file; or password = "..."

  [[central]]                           # as many as there are; may be left out
  url = "https://central-a.example.net"
  code = "ABCD-..."
  fingerprint = "6397..."               # compared if it is given"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("file", type=Path, metavar="FILE.toml", help="what the box is to be")
    parser.add_argument("--home", type=Path, required=True, metavar="DIR", help="the home to make")
    parser.add_argument("--state", type=Path, metavar="DIR", help="the page's own folder (default: HOME-web)")
    parser.add_argument(
        "--control",
        type=Path,
        metavar="SOCKET",
        help="where the keeper listens (default: STATE/control.sock)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")


def run(args: argparse.Namespace) -> int:
    """Set up. Nothing is made where the file or the password is not right."""
    from appliance.config import set_up

    home = Path(args.home).absolute()
    state = args.state or home.with_name(f"{home.name}-web")
    told = set_up.read(args.file)
    _check_account(told, state)
    _make(told, home, _keeper(args.control, state / "control.sock"))
    account = _make_account(told, state)
    if args.json:
        print(json.dumps({"home": str(home), "state": str(state), "site": told.site, **account}))
        return 0
    print(
        f"The box of {told.site} is in {home}, its page in {state}.\n"
        f"{account['name']} signs in with the password and a code of an authenticator. Its secret is shown "
        f"now and never again:\n  {account['factor']}\n"
        "Recovery codes, each good once in place of a code; keep them away from the box:\n  "
        + "\n  ".join(account["recovery_codes"])
        + f"\nThen:  greffier web --home {args.home}"
    )
    return 0


def _check_account(told: "SetUpFile", state: Path) -> None:
    from webui.accounts import factors, passwords, users
    from webui.pages.signing.sentences import of_weakness

    administrator = told.administrator
    if not users.is_name(administrator.name):
        raise UsageError(f"'{administrator.name}' cannot be the name of an account; use letters and digits")
    weakness = passwords.weakness(administrator.password, (administrator.name, told.site))
    if weakness is not None:
        raise UsageError(f"administrator: {of_weakness('en', weakness)}")
    if administrator.factor:
        try:
            factors.matching_step(administrator.factor, "000000", 0)
        except ValueError:
            raise UsageError("administrator: the second factor is not base32; leave it away") from None
    with _accounts(state) as accounts:
        if accounts.any():
            raise UsageError(f"{state} has an account already; sign in, or choose another folder")


def _make(told: "SetUpFile", home: Path, keeper: "Client | None") -> None:
    """The home, and the centrals: by the keeper that runs, or by ourselves where there is none."""
    from appliance.control.messages import AskCentral, CentralIdentity, Done, EnrolCentral, SetUp

    custody = told.custody
    asked = SetUp(
        told.site.strip(),
        told.client_networks,
        custody.custodians,
        custody.quorum,
        told.interfaces,
        told.access_points,
    )
    _asked(home, keeper, asked, Done)
    for central in told.central:
        found = _asked(home, keeper, AskCentral(central.url), CentralIdentity)
        agreed = central.fingerprint or found.fingerprint  # the code names the central, too, and is compared
        _asked(home, keeper, EnrolCentral(central.url, central.code, agreed), Done)


def _keeper(named: Path | None, usual: Path) -> "Client | None":
    """The keeper that was named, or the one that runs beside the page. Raises ControlError."""
    from appliance.cli.noting import actor
    from appliance.control.client import Client
    from appliance.control.messages import AskBox

    client = Client(named or usual)
    try:
        client.ask(actor(), AskBox())
    except ControlError:
        if named:
            raise
        return None
    return client


def _asked(home: Path, keeper: "Client | None", ask: "Ask", expected: type[Any]) -> Any:
    from appliance.cli.noting import actor
    from appliance.control.messages import Refused, Request
    from appliance.services.keeping.answering import Answering
    from appliance.services.keeping.at_hand import AtHand

    answer: Answer
    if keeper is not None:
        answer = keeper.ask(actor(), ask)
    else:
        answer = Answering(AtHand(home))(Request(actor(), ask))
    if isinstance(answer, Refused):
        raise UsageError(answer.said)
    if not isinstance(answer, expected):
        raise ControlError("the keeper answered something else; restart it")
    return answer


def _make_account(told: "SetUpFile", state: Path) -> dict[str, Any]:
    from webui.accounts import factors

    administrator: Administrator = told.administrator
    secret = administrator.factor or factors.new_secret()
    codes = factors.new_recovery_codes()
    with _accounts(state) as accounts:
        accounts.make_first(administrator.name, administrator.password, secret, 0, codes)
        accounts.set_client(told.site.strip())
    uri = factors.uri(secret, administrator.name, "Greffier")
    return {"name": administrator.name, "factor": uri, "recovery_codes": list(codes)}


@contextlib.contextmanager
def _accounts(state: Path) -> Iterator[Any]:
    """The page's accounts, as whoever owns its folder: what root would make the page could not write."""
    from appliance.runtime.clock import now_ns
    from appliance.runtime.files import make_folder
    from webui.accounts import opened

    if not state.is_dir():
        make_folder(state)
        state.chmod(0o700)
    owner, mine = state.stat(), os.geteuid()
    if mine == 0 and owner.st_uid != 0:
        os.setegid(owner.st_gid)
        os.seteuid(owner.st_uid)
    accounts = opened.open(state, now_ns)
    try:
        yield accounts
    finally:
        accounts.close()
        if mine == 0:
            os.seteuid(0)
            os.setegid(0)
