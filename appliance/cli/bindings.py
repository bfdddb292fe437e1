"""Who held an address, from when until when, on which evidence; read with the custodians.

Statements of one kind that overlap or lie within 15 minutes of each other are one row. The best evidence
comes first (RADIUS, DHCP, association, presence, SNMP, ND, ARP, flow), and all who claimed an address are
shown. A row without an address says which access point a device was with. A lease or session is shown to the
end of the hour in which it was last known to stand, not to the end that was promised; with --at, --from and
--to as far as the day before and the day after tell. `randomised` says that a MAC is locally administered:
a device may have drawn it at random. --nat-ip and --nat-port ask who was behind a public address and port:
these rows have evidence `nat`, and MAC, user and access point of whoever held the inside address then, as
`mac_evidence` says. Files that do not open are left out and named on standard error, and the exit code is 1.
"""

import argparse
import sys
from pathlib import Path

from appliance.cli import asking
from appliance.control.steps import Step
from appliance.model.errors import DestroyedError, FaultFound, UsageError

EXAMPLES = """  greffier bindings --home /var/lib/greffier --identity owner.key lawyer.key \\
      --ip 10.20.0.7 --at 2026-11-21T20:24:26Z
  greffier bindings --home DIR --identity owner.key lawyer.key --mac aa:bb:cc:dd:ee:ff --format jsonl
  greffier bindings --home DIR --identity owner.key lawyer.key --nat-ip 192.0.2.1 --nat-port 40001 \\
      --at 2026-11-21T20:24:26Z"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    asking.add_custodians(parser)
    parser.add_argument("--ip", type=asking.address, metavar="A", help="who held this address")
    parser.add_argument("--mac", type=asking.mac, metavar="M", help="what this MAC held")
    parser.add_argument("--nat-ip", type=asking.address, metavar="A", help="who was behind this address")
    parser.add_argument("--nat-port", type=asking.port, metavar="P", help="who was behind this port")
    parser.add_argument("--at", type=asking.instant, metavar="T", help="at this instant only")
    since = "from this instant on (ISO 8601, UTC unless it says otherwise)"
    parser.add_argument("--from", type=asking.instant, dest="from_ns", metavar="T", help=since)
    parser.add_argument("--to", type=asking.instant, dest="to_ns", metavar="T", help="before this instant")
    parser.add_argument("--format", choices=["csv", "jsonl"], default="csv")
    parser.add_argument(
        "--json", action="store_const", const="json", dest="format", help='one JSON object, {"rows": [...]}'
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write here and not to standard output")


def run(args: argparse.Namespace) -> int:
    """Write the answer as it is found."""
    from appliance.vault.unseal.holdings import SHOWN_SCHEMA, Holdings
    from appliance.vault.unseal.question import FOREVER_NS, Question

    from_ns, to_ns = _period(args, FOREVER_NS)
    asked = asking.asked(
        from_ns, None if to_ns == FOREVER_NS else to_ns, ip=args.ip, mac=args.mac,
        nat_ip=args.nat_ip, nat_port=args.nat_port,
    )  # fmt: skip
    home, opener = asking.opened(args, Step.SEARCH_BINDINGS, asked)
    question = Question(client_ip=args.ip, client_mac=args.mac, nat_ip=args.nat_ip, nat_port=args.nat_port)
    damaged: dict[Path, str] = {}
    holdings = Holdings(home, opener, question, damaged)
    everything = question == Question() and (from_ns, to_ns) == (0, FOREVER_NS)
    rows = holdings.everything() if everything else iter([holdings.during(from_ns, to_ns)])
    found = asking.write(rows, SHOWN_SCHEMA.empty_table(), args.format, args.out)
    gone = asking.say_destroyed(
        home, "source", holdings.destroyed, from_ns, None if to_ns == FOREVER_NS else to_ns
    )
    if asking.say_damaged(damaged):
        return FaultFound.exit_code
    if not found and gone:
        return DestroyedError.exit_code
    if not found:
        print("greffier: no binding answers this question", file=sys.stderr)
    return 0


def _period(args: argparse.Namespace, forever_ns: int) -> tuple[int, int]:
    if args.at is not None:
        if args.from_ns is not None or args.to_ns is not None:
            raise UsageError("--at is one instant; give it, or --from and --to")
        return args.at, args.at + 1
    from_ns = 0 if args.from_ns is None else args.from_ns
    to_ns = forever_ns if args.to_ns is None else args.to_ns
    if to_ns <= from_ns:
        raise UsageError("--to must be later than --from")
    return from_ns, to_ns
