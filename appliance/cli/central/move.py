"""Move a central that is outgrown to S3 and PostgreSQL, or to other ones. Receipts go on; no box notices.

Write a central.toml with the new catalogue, [store] and [custody], of which the rest does not count, and stop
the central on every machine. Tables and buckets are made. What is broken off can be done again. Envelopes
are destroyed where they lay; objects and catalogue stay there until you delete them.
"""

import argparse
import dataclasses
import json
from pathlib import Path

EXAMPLES = """  greffier central move --dir /var/lib/greffier-central --settings /root/with-servers.toml
  greffier central move --dir lyon --settings with-servers.toml --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--dir", type=Path, required=True, metavar="DIR", help="the folder of the central")
    parser.add_argument(
        "--settings", type=Path, required=True, metavar="FILE", help="a central.toml with the new places"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")


def run(args: argparse.Namespace) -> int:
    """Move, and say what was."""
    from appliance.central import moving
    from appliance.config import central_toml

    moved = moving.move(args.dir, central_toml.read(args.settings))
    if args.json:
        print(json.dumps(dataclasses.asdict(moved)))
        return 0
    print(
        f"Moved: {moved.files:,} files, {moved.envelopes:,} of them envelopes, {moved.rows:,} rows of the "
        "catalogue.\n"
        f"Check them:       greffier central verify --dir {args.dir}\n"
        "Then delete what lies in the old places; envelopes do no more."
    )
    return 0
