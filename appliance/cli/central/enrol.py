"""Give out the code that enrols one box: good for one use, and for a day.

The code proves the box to this central and this central to the box; who else reads it may enrol a box of his
own in the place of yours, so tell it to the installer alone. With --wait the box's fingerprint is shown when
it has come: compare it with what the box itself shows.
"""

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.cli.stderr import complain
from appliance.model.errors import CentralError, UsageError

if TYPE_CHECKING:
    from appliance.central.places import Central
    from appliance.replication.identity import EnrolmentCode

EXAMPLES = """  greffier central enrol --dir /var/lib/greffier-central --site "Hotel du Port"
  greffier central enrol --dir lyon --site "Hotel du Port" --term traffic=2 --hours 2 --wait
  greffier central enrol --dir lyon --site "Hotel du Port" --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--dir", type=Path, required=True, metavar="DIR", help="the folder of the central")
    parser.add_argument("--site", required=True, metavar="NAME", help="the place, as it stands on lists")
    parser.add_argument(
        "--term", action="extend", nargs="+", default=[], metavar="VAULT=YEARS",
        help="keep a vault longer than the law asks, as the contract says",
    )  # fmt: skip
    parser.add_argument("--hours", type=int, default=24, metavar="N", help="how long the code is good (24)")
    parser.add_argument("--wait", action="store_true", help="wait until the box has come, show who it is")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")


def run(args: argparse.Namespace) -> int:
    """Make a code, say what to type on the box, and wait for it if asked to."""
    from appliance.central import enrolment, places
    from appliance.runtime.clock import now_ns

    terms = _terms(args.term)
    central = places.open(args.dir)
    try:
        given = {**central.config.term_years, **terms}
        code = enrolment.new_code(central, args.site.strip(), given, now_ns(), args.hours)
        _tell(args, central, code, given)
        if args.wait:
            _wait(args, central, code, now_ns() + args.hours * 3600 * 10**9)
    finally:
        central.close()
    return 0


def _terms(texts: list[str]) -> dict[str, int]:
    """The years by vault that were given; what may be agreed is for central's rules."""
    parts = [text.partition("=") for text in texts]
    for vault, _, years in parts:
        if not (vault and years.isascii() and years.isdigit() and len(years) < 4):
            raise UsageError("--term takes VAULT=YEARS, like traffic=2")
    return {vault: int(years) for vault, _, years in parts}


def _tell(
    args: argparse.Namespace, central: "Central", code: "EnrolmentCode", terms: Mapping[str, int]
) -> None:
    hosts = central.config.hosts
    urls = [f"https://[{host}]" if ":" in host else f"https://{host}" for host in hosts]
    fingerprint = central.identity.fingerprint
    if args.json:
        shown = {
            "site": args.site.strip(), "code": str(code), "urls": urls, "fingerprint": fingerprint,
            "hours": args.hours, "term_years": dict(terms),
        }  # fmt: skip
        print(json.dumps(shown), flush=True)
        return
    years = ", ".join(f"{vault} {count} years" for vault, count in sorted(terms.items())).replace(
        " 1 years", " 1 year"
    )
    print(
        f"Code for {args.site.strip()}, for one box within {args.hours} hours ({years}):\n\n"
        f"    {code}\n\n"
        f"On the box:\n\n"
        f"    greffier enrol --home /var/lib/greffier --to {urls[0]} --code {code}\n\n"
        f"Give another port as {urls[0]}:8443 if central does not listen at 443.\n"
        f"Fingerprint of this central, which the box must show, too: {fingerprint}",
        flush=True,
    )


def _wait(args: argparse.Namespace, central: "Central", code: "EnrolmentCode", until_ns: int) -> None:
    """Look once a second whether the box has come. Raises CentralError when the code lapses."""
    from appliance.central import enrolment
    from appliance.runtime.clock import now_ns

    if not args.json:
        complain("waiting for the box (Ctrl-C ends the waiting, the code stays good)")
    while (site := enrolment.used_by(central, code)) is None:
        if now_ns() > until_ns:
            raise CentralError("the code has lapsed unused; give out another one")
        time.sleep(1)
    if args.json:
        print(json.dumps({"enrolled": site}), flush=True)
    else:
        print(f"Enrolled: box {site}\nCompare it with the fingerprint that the box shows.", flush=True)
