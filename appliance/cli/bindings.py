"""Who held an address, from when until when, on which evidence; read with the custodians.

Statements of one kind that overlap or lie within 15 minutes of each other are one row. With --at, those
that hold at that instant, as far as the days before and after it show. A lease is shown to the end of the
hour in which it was last confirmed or recording ended, not to the end that the server promised.
`randomised` says that a MAC is locally administered: a device may have drawn it at random.
"""

import argparse
import sys
from pathlib import Path

from appliance.cli import asking
from appliance.model.errors import DestroyedError

EXAMPLES = """  greffier bindings --home /var/lib/greffier --identity owner.key lawyer.key \\
      --ip 10.20.0.7 --at 2026-11-21T20:24:26Z
  greffier bindings --home DIR --identity owner.key lawyer.key --mac aa:bb:cc:dd:ee:ff --format jsonl"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    asking.add_custodians(parser)
    parser.add_argument("--ip", type=asking.address, metavar="A", help="who held this address")
    parser.add_argument("--mac", type=asking.mac, metavar="M", help="what this MAC held")
    parser.add_argument("--at", type=asking.instant, metavar="T", help="at this instant only")
    parser.add_argument("--format", choices=["csv", "jsonl"], default="csv")
    parser.add_argument(
        "--json", action="store_const", const="json", dest="format", help='one JSON object, {"rows": [...]}'
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write here and not to standard output")


def run(args: argparse.Namespace) -> int:
    """Write the answer as it is found."""
    from appliance.vault.unseal.holdings import SHOWN_SCHEMA, Holdings
    from appliance.vault.unseal.question import Question

    home, opener = asking.opened(args)
    holdings = Holdings(home, opener, Question(client_ip=args.ip, client_mac=args.mac))
    rows = holdings.everything() if args.at is None else holdings.at(args.at)
    found = asking.write(rows, SHOWN_SCHEMA.empty_table(), args.format, args.out)
    period = (0, None) if args.at is None else (args.at, args.at + 1)
    gone = asking.say_destroyed(home, "source", holdings.destroyed, *period)
    if not found and gone:
        return DestroyedError.exit_code
    if not found:
        print("greffier: no binding answers this question", file=sys.stderr)
    return 0
