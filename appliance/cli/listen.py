"""Receive what access points and gateways tell, into the home of a box.

Listens on the ports of the section [listen] of box.toml: NetFlow v5 and v9, IPFIX, sFlow, syslog (UDP, TCP,
TLS), RADIUS accounting, presence reports over HTTPS. Only declared sources are recorded ('greffier sources');
what others send is kept apart, in memory, until somebody declares them. A sender that waits for an answer
gets it when what it said is on the disk. Runs until it is interrupted, then seals.
"""

import argparse
import json
from pathlib import Path

from appliance.cli.stderr import complain
from appliance.model.errors import UsageError

EXAMPLES = """  greffier listen --home /var/lib/greffier
  greffier listen --home /var/lib/greffier --seconds 60 --json
  greffier sources --home /var/lib/greffier            who has spoken, and who may"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--home", type=Path, required=True, metavar="DIR", help="the home of the box")
    parser.add_argument("--seconds", type=float, metavar="N", help="stop after N seconds")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")


def run(args: argparse.Namespace) -> int:
    """Listen, then say what happened. Exit code 9 when a port cannot be listened to."""
    from appliance.cli import closing, progress
    from appliance.services.feeds import listening

    if args.seconds is not None and not args.seconds > 0:
        raise UsageError("--seconds takes a number above 0")
    with progress.of_feeds() as told:
        report = listening.listen(args.home, args.seconds, told, complain)
    for note in report.notes:
        complain(note)
    shown = closing.as_json(report, live=False)
    closing.tell(json.dumps(shown) if args.json else closing.of_feeds(shown))
    return 0
