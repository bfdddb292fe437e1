"""Make a central known to this box and this box to it, by a code that the central's operator gave out.

The code is good once. It proves both sides: the box says nothing to a central whose identity is not the one
in the code, and from then on talks to it over TLS 1.3 that only this central can answer. Enrol with two
centrals at two places. Compare both fingerprints that are printed with those that the operator sees.
"""

import argparse
import getpass
import json
from pathlib import Path

from appliance.cli.noting import noted
from appliance.model.errors import UsageError

EXAMPLES = """  greffier enrol --home /var/lib/greffier --to https://central-a.example.net --code ABCD-...
  greffier enrol --home box --to https://127.0.0.1:8443
  greffier enrol --home box --to https://central-a.example.net --proxy http://proxy.example.net:3128"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--home", type=Path, required=True, metavar="DIR", help="the home of the box")
    parser.add_argument(
        "--to", required=True, metavar="URL", help="where the central is: https://HOST[:PORT]"
    )
    parser.add_argument("--code", metavar="CODE", help="the code; asked for when it is left out")
    parser.add_argument(
        "--proxy", metavar="URL", help="an HTTP proxy to go through, instead of the one in box.toml"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")


def run(args: argparse.Namespace) -> int:
    """Enrol, print both fingerprints. Exit code 10 where central is not reached, not believed or refuses."""
    from appliance.control.steps import Step
    from appliance.replication import enrolling, identity
    from appliance.vault import homes, signing

    home = homes.existing(args.home)
    try:
        code = identity.parse_code(getpass.getpass("Code: ") if args.code is None else args.code)
    except ValueError as error:
        raise UsageError(f"--code {error}") from None
    with noted(home, Step.ENROL_CENTRAL, args.to):
        central = enrolling.enrol(home, args.to, code, args.proxy)
    box = signing.load(home.signing_key).fingerprint
    if args.json:
        shown = {"central": central.name, "fingerprint": central.fingerprint, "url": args.to, "box": box}
        print(json.dumps(shown))
        return 0
    print(
        f"This box is enrolled with the central {central.name} at {args.to}.\n"
        f"Fingerprint of the central: {central.fingerprint}\n"
        f"Fingerprint of the box:     {box}\n"
        "Compare both with those that the operator of the central sees. "
        f"Then send:  greffier replicate --home {args.home} --once"
    )
    return 0
