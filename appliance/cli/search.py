"""Read traffic records, with the custodians: one row a connection, with who held the client's address.

A connection answers if its period overlaps [--from, --to) and is shown whole, also where it began before
or went on after (looked for up to 24 hours beyond). --mac and --ip are the client's, --peer the other
side's address; --port is the port of either side or the recorded one after NAT, since a requisition does not
always say which it names. What was seen at two places under two MACs is one connection of the MAC that
sent (--parts shows both); --mac gives only what was seen with this MAC or, where a feed names none, came
from an address that this MAC held by the best evidence (`mac_evidence`). Address and port after NAT are those
of the record itself, else those that gateways told apart from it; --nat-ip and --nat-port ask for both, and
read everything from --from to --to. Without --from and --to the whole home is read. Rows come in order of the
hour in which a connection was over, and within it by their start. In busy hours instants are kept to the
millisecond, widened so that the true period lies within; in others to the nanosecond. Files that do not open
are left out and named on standard error, and the exit code is 1.
"""

import argparse
import sys
from pathlib import Path

from appliance.cli import asking
from appliance.control.steps import Step
from appliance.model.errors import DestroyedError, FaultFound, UsageError

EXAMPLES = """  greffier search --home /var/lib/greffier --identity owner.key lawyer.key \\
      --from 2026-11-21T20:00Z --to 2026-11-21T20:10Z --ip 10.20.0.7
  greffier search --home DIR --identity owner.key --identity lawyer.key --peer 192.0.2.9 --port 443
  greffier search --home DIR --identity owner.key lawyer.key --mac aa:bb:cc:dd:ee:ff --format jsonl
  greffier search --home DIR --identity owner.key lawyer.key --format parquet --out answer.parquet"""

_PROTOCOLS = {"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "icmpv6": 58, "sctp": 132}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    asking.add_custodians(parser)
    since = "from this instant on (ISO 8601, UTC unless it says otherwise)"
    parser.add_argument("--from", type=asking.instant, default=0, dest="from_ns", metavar="T", help=since)
    parser.add_argument("--to", type=asking.instant, dest="to_ns", metavar="T", help="before this instant")
    parser.add_argument("--mac", type=asking.mac, metavar="M", help="the client's MAC")
    parser.add_argument("--ip", type=asking.address, metavar="A", help="the client's address")
    parser.add_argument("--peer", type=asking.address, metavar="A", help="the address at the other side")
    parser.add_argument("--port", type=asking.port, metavar="P", help="port of either side, or after NAT")
    parser.add_argument("--nat-ip", type=asking.address, metavar="A", help="the client's address after NAT")
    parser.add_argument("--nat-port", type=asking.port, metavar="P", help="the client's port after NAT")
    parser.add_argument("--protocol", metavar="X", help="tcp, udp, icmp, ... or its number")
    parser.add_argument("--format", choices=["csv", "jsonl", "parquet"], default="csv")
    parser.add_argument(
        "--json", action="store_const", const="json", dest="format", help='one JSON object, {"rows": [...]}'
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write here and not to standard output")
    parser.add_argument("--parts", action="store_true", help="records as written, not merged")


def run(args: argparse.Namespace) -> int:
    """Write the answer as it is found."""
    from appliance.vault.unseal.holders import JOINED_SCHEMA
    from appliance.vault.unseal.question import FOREVER_NS, Question
    from appliance.vault.unseal.search import Search

    to_ns = FOREVER_NS if args.to_ns is None else args.to_ns
    if to_ns <= args.from_ns:
        raise UsageError("--to must be later than --from")
    question = Question(
        args.from_ns,
        to_ns,
        args.ip,
        args.mac,
        args.peer,
        args.port,
        _protocol(args.protocol),
        args.nat_ip,
        args.nat_port,
    )
    asked = asking.asked(
        args.from_ns, args.to_ns, mac=args.mac, ip=args.ip, peer=args.peer, port=args.port,
        nat_ip=args.nat_ip, nat_port=args.nat_port, protocol=args.protocol,
    )  # fmt: skip
    home, opener = asking.opened(args, Step.SEARCH_RECORDS, asked)
    damaged: dict[Path, str] = {}
    search = Search(home, opener, question, damaged)
    rows = search.parts() if args.parts else search.connections()
    found = asking.write(rows, JOINED_SCHEMA.empty_table(), args.format, args.out)
    gone = asking.say_destroyed(home, "traffic", search.destroyed, args.from_ns, args.to_ns)
    if asking.say_damaged(damaged):
        return FaultFound.exit_code
    if not found and gone:
        return DestroyedError.exit_code
    if not found:
        print("greffier: no record answers this question", file=sys.stderr)
    return 0


def _protocol(text: str | None) -> int | None:
    if text is None:
        return None
    number = _PROTOCOLS.get(text.lower(), int(text) if text.isascii() and text.isdigit() else -1)
    if not 0 <= number < 256:
        raise UsageError(f"--protocol: '{text}' is none of {', '.join(_PROTOCOLS)} nor a number below 256")
    return number
