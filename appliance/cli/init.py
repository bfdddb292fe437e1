"""Make the home of a box: its settings, its signing key and the first line of its chain.

Custodians are named by their public keys. The quorum is how many of them must come together to read
records: 2 when two or more are given. A folder that holds something is never touched.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.cli.noting import actor

if TYPE_CHECKING:
    from appliance.config.box import BoxConfig
    from appliance.vault.chain import Head

EXAMPLES = """  greffier init --home /var/lib/greffier --site "Hotel du Port" \\
      --custodian age1... --custodian age1... --client-network 192.168.0.0/16 2001:db8:12::/48 \\
      --interface mirror0
  greffier init --home box --site demo --custodian age1... --custodian age1... --custodian age1... \\
      --quorum 2 --client-network 10.0.0.0/8 --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--home", type=Path, required=True, metavar="DIR", help="the folder to make")
    parser.add_argument("--site", required=True, metavar="NAME", help="the place, as it stands on documents")
    parser.add_argument(
        "--custodian",
        required=True,
        action="extend",
        nargs="+",
        metavar="RECIPIENT",
        help="public key (age1...)",
    )
    parser.add_argument(
        "--quorum", type=int, metavar="N", help="how many custodians open an envelope (default 2)"
    )
    parser.add_argument(
        "--client-network",
        required=True,
        action="extend",
        nargs="+",
        metavar="CIDR",
        help="where clients have addresses",
    )
    parser.add_argument(
        "--interface",
        action="extend",
        nargs="+",
        default=[],
        metavar="IF",
        help="what 'greffier record' listens to when it is told nothing else",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")


def run(args: argparse.Namespace) -> int:
    """Make the home and say what comes next."""
    from appliance.audit import book
    from appliance.control.steps import Step
    from appliance.model.errors import UsageError
    from appliance.services import box_settings

    try:
        made = box_settings.set_up(
            args.home, args.site, args.custodian, args.quorum, args.client_network, args.interface
        )
    except UsageError as error:
        raise UsageError(f"{error}; see 'greffier init --help'") from None
    home, config, quorum = made.home, made.config, made.config.quorum
    # Afterwards: before there was a home there was no book to note it in.
    book.note(home, actor(), Step.SET_UP, config.site, {"fingerprint": made.fingerprint})
    custodians, networks = config.custodians, config.client_networks
    if quorum == 1:
        print(
            "greffier: warning: with a quorum of 1 each custodian can read everything alone", file=sys.stderr
        )
    if quorum == len(custodians):
        print(
            "greffier: warning: if one custodian's key is lost, nobody can ever read what was recorded",
            file=sys.stderr,
        )
    if args.json:
        print(json.dumps(_as_json(home.path, config, made.fingerprint, made.head)))
        return 0
    print(
        f"The box of {config.site} is in {home.path}: settings (box.toml), key (box.key), chain.\n"
        f"Fingerprint of the box: {made.fingerprint}\n"
        f"{quorum} of its {len(custodians)} custodians must come together to read. "
        f"Clients are in {', '.join(networks)}.\n"
        f"Note the fingerprint apart from the box, then record:  greffier record --home {home.path}"
        + ("" if config.capture.interfaces else " FILE")
    )
    return 0


def _as_json(path: Path, config: "BoxConfig", fingerprint: str, head: "Head") -> dict[str, object]:
    return {
        "home": str(path),
        "site": config.site,
        "fingerprint": fingerprint,
        "quorum": config.quorum,
        "custodians": list(config.custodians),
        "client_networks": list(config.client_networks),
        "interfaces": list(config.capture.interfaces),
        "head": str(head),
    }
