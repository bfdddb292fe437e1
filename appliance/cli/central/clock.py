"""Whether central believes its machine's clock, and a person's word for it after a jump.

A clock that stands before the ledger's newest line, or more than 40 days after, is not believed: nothing is
destroyed until --confirm states the true time and the clock shows it.
"""

import argparse
import json
from pathlib import Path

from appliance.model.errors import UsageError
from appliance.model.instants import from_iso, to_iso

EXAMPLES = """  greffier central clock --dir DIR
  greffier central clock --dir DIR --confirm 2027-11-23T04:00Z"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--dir", type=Path, required=True, metavar="DIR", help="the folder of the central")
    parser.add_argument("--confirm", metavar="T", help="the present instant as you vouch for it")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a sentence")


def run(args: argparse.Namespace) -> int:
    """Say whether the clock is believed; with --confirm, have it believed."""
    from appliance.central import believed, places
    from appliance.runtime.clock import now_ns

    try:
        stated_ns = None if args.confirm is None else from_iso(args.confirm)
    except ValueError as error:
        raise UsageError(str(error)) from None
    central = places.open(args.dir)
    try:
        now = now_ns()
        if stated_ns is not None:
            believed.confirm(central, stated_ns, now)
        why = believed.doubt(central, now)
    finally:
        central.close()
    if args.json:
        print(json.dumps({"now": to_iso(now), "doubt": why}))
    elif why:
        print(f"The clock is not believed: {why}.")
    else:
        print(f"The clock is believed: {to_iso(now)[:19]}Z.")
    return 0
