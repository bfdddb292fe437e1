"""Make the folder of a central: its settings, the key that signs receipts, its certificates, its catalogue.

Boxes reach it under the names given with --host, which stand in its certificate. Without more it is one folder
and SQLite. Where that is outgrown, objects go to an S3-compatible store and the catalogue to PostgreSQL: fill
in central.toml before the first box is enrolled. A folder that holds something is never touched.
"""

import argparse
import json
from pathlib import Path

EXAMPLES = """  greffier central init --dir /var/lib/greffier-central --name "Lyon" --host central-a.example.net
  greffier central init --dir lyon --name "Lyon" --host 127.0.0.1 localhost --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--dir", type=Path, required=True, metavar="DIR", help="the folder to make")
    parser.add_argument("--name", required=True, metavar="NAME", help="the place, as boxes and people see it")
    parser.add_argument(
        "--host",
        required=True,
        action="extend",
        nargs="+",
        metavar="H",
        help="a name or an address that boxes reach it under",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")


def run(args: argparse.Namespace) -> int:
    """Make the folder and say what comes next."""
    from appliance.central import places
    from appliance.config.central import CentralConfig
    from appliance.model.errors import UsageError

    try:
        config = CentralConfig(name=args.name.strip())
    except ValueError as error:
        raise UsageError(f"{error}; see 'greffier central init --help'") from None
    central = places.create(args.dir, config, args.host)
    try:
        identity = central.identity
    finally:
        central.close()
    if args.json:
        shown = {
            "dir": str(args.dir),
            "name": identity.name,
            "hosts": args.host,
            "fingerprint": identity.fingerprint,
            "key": identity.key,
        }
        print(json.dumps(shown))
        return 0
    print(
        f"The central {identity.name} is in {args.dir}: settings (central.toml), key (central.key), "
        "certificates (tls), catalogue.\n"
        f"Fingerprint of the central: {identity.fingerprint}\n"
        f"Boxes reach it as {', '.join(args.host)}.\n"
        f"Let it serve:     greffier central serve --dir {args.dir}\n"
        f'Enrol a box:      greffier central enrol --dir {args.dir} --site "Hotel du Port"'
    )
    return 0
