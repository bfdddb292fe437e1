"""Make the folder of a central: its settings, the key that signs receipts, certificates, catalogue.

Boxes reach it under the names given with --host, which stand in its certificate. Without more it is one
folder and SQLite. Where that is outgrown, objects go to an S3-compatible store and the catalogue to
PostgreSQL: fill in central.toml before the first box is enrolled and call this again with the folder alone,
which makes tables and buckets. A folder that holds something else is never touched.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from appliance.central.places import Central

EXAMPLES = """  greffier central init --dir /var/lib/greffier-central --name Lyon --host central-a.example.net
  greffier central init --dir lyon --name "Lyon" --host 127.0.0.1 localhost --json
  greffier central init --dir lyon                     after central.toml was filled in"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--dir", type=Path, required=True, metavar="DIR", help="the folder to make")
    parser.add_argument("--name", metavar="NAME", help="the place, as boxes and people see it")
    parser.add_argument(
        "--host", action="extend", nargs="+", default=[], metavar="H",
        help="a name or an address that boxes reach it under",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")


def run(args: argparse.Namespace) -> int:
    """Make the folder, or what its settings name, and say what comes next."""
    from appliance.central import places

    central = places.furnish(args.dir) if _is_again(args) else _new(args)
    try:
        identity, hosts = central.identity, central.config.hosts
    finally:
        central.close()
    if args.json:
        shown = {
            "dir": str(args.dir),
            "name": identity.name,
            "hosts": list(hosts),
            "fingerprint": identity.fingerprint,
            "key": identity.key,
        }
        print(json.dumps(shown))
        return 0
    print(
        f"The central {identity.name} is in {args.dir}: settings (central.toml), key (central.key), "
        "certificates (tls), catalogue.\n"
        f"Fingerprint of the central: {identity.fingerprint}\n"
        f"Boxes reach it as {', '.join(hosts)}.\n"
        f"Let it serve:     greffier central serve --dir {args.dir}\n"
        f'Enrol a box:      greffier central enrol --dir {args.dir} --site "Hotel du Port"'
    )
    return 0


def _is_again(args: argparse.Namespace) -> bool:
    """Whether only the folder is given, and it is a central's."""
    from appliance.config import central_toml

    if args.name or args.host:
        return False
    return bool((args.dir / central_toml.NAME).is_file())


def _new(args: argparse.Namespace) -> "Central":
    from appliance.central import places
    from appliance.config.central import CentralConfig
    from appliance.model.errors import UsageError

    if not (args.name and args.host):
        raise UsageError("a new central needs --name and --host; see 'greffier central init --help'")
    try:
        config = CentralConfig(name=args.name.strip(), hosts=tuple(args.host))
    except ValueError as error:
        raise UsageError(f"{error}; see 'greffier central init --help'") from None
    return places.create(args.dir, config, args.host)
