"""End a site's contract here: destroy its envelopes, data and statistics. Two operators have to sign.

The first call states the order, which names the site and what it has here; a second one by another operator,
within 24 hours, carries it out. It cannot be undone. What a hold keeps stays until the hold ends, what a lock
of the store keeps until its day; both are said. The certificate is a line of the ledger, signed by central,
with both operators' signatures in it, and a file under DIR/ended.

Before it, give the client everything: 'greffier reversibility' on the box, or 'greffier central restore'.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from appliance.central.contract_end import Answer

EXAMPLES = """  greffier central destroy --dir DIR --site "Hotel du Port" --operator first.key
  greffier central destroy --dir DIR --site "Hotel du Port" --operator second.key --passphrase-file F"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--dir", type=Path, required=True, metavar="DIR", help="the folder of the central")
    parser.add_argument("--site", required=True, metavar="S", help="its name, or how its fingerprint begins")
    parser.add_argument("--operator", type=Path, required=True, metavar="KEY", help="the operator's key file")
    parser.add_argument(
        "--passphrase-file", type=Path, metavar="F", help="a file whose first line opens the key"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")


def run(args: argparse.Namespace) -> int:
    """Sign; with the second signature, destroy."""
    from appliance.central import contract_end, operators, places, sites
    from appliance.runtime.clock import now_ns

    central = places.open(args.dir)
    try:
        files = [args.passphrase_file] if args.passphrase_file else []
        operator = operators.come(central, args.operator, files)
        answer = contract_end.sign(central, sites.find(central, args.site), operator, now_ns())
    finally:
        central.close()
    print(json.dumps(_as_json(answer)) if args.json else _as_text(answer, args.dir))
    return 0


def _as_json(answer: "Answer") -> dict[str, object]:
    return {
        "order": json.loads(answer.order),
        "signed_by": list(answer.signed_by),
        "destroyed": answer.certificate is not None,
        "certificate": answer.certificate and json.loads(answer.certificate),
        "held_until": [hold.until.isoformat() for hold in answer.held],
    }


def _as_text(answer: "Answer", folder: Path) -> str:
    order = json.loads(answer.order)
    what = f"'{order['name']}' ({order['site']})"
    kept = f"{order['objects']:,} objects ({order['envelopes']:,} envelopes), {order['size_bytes']:,} bytes"
    if len(answer.signed_by) < 2:
        return (
            f"The order to destroy {what}: {kept}.\n"
            f"'{answer.signed_by[0]}' has signed. Nothing was destroyed: another operator has to do "
            "the same with an own key, within 24 hours."
        )
    who = " and ".join(f"'{name}'" for name in answer.signed_by)
    if answer.certificate is None:
        until = max(hold.until for hold in answer.held)
        orders = ", ".join(f"'{hold.reference}'" for hold in answer.held)
        return (
            f"{who} have signed, and {what} is being ended: all of it was destroyed but what {orders} "
            f"keeps until the end of {until}. That goes then, and the certificate is made then."
        )
    done = json.loads(answer.certificate)
    lines = [
        f"Destroyed: {what}, {done['envelope_count']:,} envelopes and {done['file_count']:,} other objects, "
        f"{done['size_bytes']:,} bytes, by order of {who}."
    ]
    if done["later_count"]:
        lines.append(
            f"A lock of the store keeps {done['later_count']:,} files until {done['later_until']}: without "
            "their envelopes nobody can read them, and they are deleted then."
        )
    lines.append(f"Certificate: line {done['seq']} of the ledger, and a file under {folder / 'ended'}.")
    return "\n".join(lines)
