"""Make a custodian's key: an age identity (X25519) that stays with one person and opens envelopes.

The file is the private key: keep it off the box, on a stick in a safe. The public key that is printed goes
to 'greffier init --custodian'. The file is never written over another one.
"""

import argparse
import datetime as dt
import json
from pathlib import Path

EXAMPLES = """  greffier custodian new --out alice.key
  greffier custodian new --out bob.key --passphrase-file bob.passphrase
  greffier custodian new --out carol.key --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("what", choices=["new"], help="make a new key")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="where to write the private key"
    )
    parser.add_argument(
        "--passphrase-file",
        type=Path,
        metavar="F",
        help="encrypt the file under the passphrase on F's first line",
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object instead of the public key alone"
    )


def run(args: argparse.Namespace) -> int:
    """Write the key, print the public one."""
    from appliance.runtime.clock import now_ns
    from appliance.vault.custodians import new_key_file, read_passphrase

    passphrase = read_passphrase(args.passphrase_file) if args.passphrase_file else None
    now = dt.datetime.fromtimestamp(now_ns() // 1_000_000_000, dt.UTC)
    recipient = new_key_file(args.out, passphrase, now)
    print(json.dumps({"recipient": recipient, "file": str(args.out)}) if args.json else recipient)
    return 0
