"""Record what access points and gateways told, out of files, into the home of a box.

A FILE is a capture (pcap or pcapng) in which feeds were sent to the box; or a log, line by line (syslog); or
one datagram as it was sent (netflow, sflow, radius); or an IPFIX file; each plain, gzip or zstd. Senders that
are declared ('greffier sources') are recorded under their labels and read with their secret, their time zone
and their grammar; others under the file's name, for whoever gives a file vouches for it. Several files are
one sender's, in the order given; logs that were rotated (messages.2.gz messages.1 messages) the oldest first.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.cli.stderr import complain
from appliance.model.errors import CaptureError, UsageError
from appliance.model.feeds import WITH_SECRET, DeclaredSource, FeedKind

if TYPE_CHECKING:
    from appliance.services.feeds.fed import Order

EXAMPLES = """  greffier feed --home DIR --kind syslog --source gateway messages.2.gz messages.1 messages
  greffier feed --home DIR --kind syslog --time-zone Indian/Reunion --grammar mikrotik router.log
  greffier feed --home DIR --kind netflow exporter.pcap
  greffier feed --home DIR --kind netflow --port 9000 exporter.pcapng.gz
  greffier feed --home DIR --kind netflow --source gateway flows.ipfix
  greffier feed --home DIR --kind radius --source controller accounting.pcap --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--home", type=Path, required=True, metavar="DIR", help="the home of the box")
    parser.add_argument(
        "--kind", choices=[str(kind) for kind in FeedKind], required=True, metavar="KIND",
        help=f"what the files hold: {', '.join(FeedKind)} (netflow is IPFIX too)",
    )  # fmt: skip
    parser.add_argument("--source", metavar="LABEL", help="the declared source that speaks in all the files")
    parser.add_argument("--port", type=int, metavar="N", help="in captures: what was sent to this port only")
    parser.add_argument("--time-zone", metavar="Z", help="of lines that state none, like Europe/Paris")
    parser.add_argument("--grammar", metavar="G", help="of lines that are not recognised by themselves")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="captures, logs or datagrams")


def run(args: argparse.Namespace) -> int:
    """Feed, then say what happened. Exit code 6 when a file held nothing of the kind."""
    from appliance.cli import closing, progress
    from appliance.services.feeds.feeding import Feeding
    from appliance.services.feeds.intake import Intake
    from appliance.services.recording import recording

    for path in args.files:
        if not path.is_file():
            raise CaptureError(f"there is no file {path}; nothing was recorded")
    order, declared = _order(args)
    with recording.recording(args.home, Intake) as at_work, progress.of_files(args.files) as done:
        Feeding(at_work, order, declared, done).run(args.files)
    report = at_work.report
    for note in report.notes:
        complain(note)
    shown = closing.as_json(report, live=False)
    closing.tell(json.dumps(shown) if args.json else closing.of_feeds(shown))
    return CaptureError.exit_code if "not_a_feed" in report.refused else 0


def _order(args: argparse.Namespace) -> "tuple[Order, Sequence[DeclaredSource]]":
    """What is asked for, checked before anything is written. Raises UsageError, HomeError."""
    from appliance.config import sources
    from appliance.config.declarations import is_time_zone
    from appliance.services.feeds.fed import Order
    from appliance.services.feeds.gate import grammar_names
    from appliance.vault import homes

    grammars = grammar_names()
    declared = sources.read(homes.existing(args.home).path / sources.NAME, grammars)
    source = next((one for one in declared if one.label == args.source), None)
    if args.source and source is None:
        known = ", ".join(one.label for one in declared) or "none yet"
        raise UsageError(f"no source is called '{args.source}'; declared are: {known}")
    if args.time_zone and not is_time_zone(args.time_zone):
        raise UsageError(f"'{args.time_zone}' is no IANA time zone; write it like Europe/Paris")
    if args.grammar and args.grammar not in grammars:
        raise UsageError(f"there is no grammar '{args.grammar}'; there are: {', '.join(sorted(grammars))}")
    if args.port is not None and not 1 <= args.port <= 65_535:
        raise UsageError(f"{args.port} is no port")
    kind = FeedKind(args.kind)
    if kind in WITH_SECRET and source is not None and not source.secret:
        raise UsageError(
            f"'{source.label}' has no secret, without which {kind} cannot be verified; "
            "declare it again with --secret-file"
        )
    return Order(kind, source, args.time_zone or "", args.grammar or "", args.port), declared
