"""Make an operator's key: two different operators have to sign before a site's data are destroyed.

The file stays with one person. The public key that is printed goes into central.toml, under [operators].
"""

import argparse
import json
from pathlib import Path

EXAMPLES = """  greffier central operator new --out first.key --passphrase-file first.passphrase
  greffier central operator new --out second.key --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("what", choices=["new"], help="make a new key")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where to write the key")
    parser.add_argument(
        "--passphrase-file", type=Path, metavar="F", help="encrypt it under the passphrase on F's first line"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")


def run(args: argparse.Namespace) -> int:
    """Write the key, print the public one and where it goes."""
    from appliance.central import operators
    from appliance.vault.custodians import read_passphrase

    passphrase = read_passphrase(args.passphrase_file) if args.passphrase_file else None
    public_key = operators.new(args.out, passphrase)
    if args.json:
        print(json.dumps({"key": public_key, "file": str(args.out)}))
        return 0
    print(
        f"The operator's key is in {args.out}: keep it with its owner, off the central.\n"
        f'Write in central.toml, under [operators]:\n"a name" = "{public_key}"'
    )
    return 0
