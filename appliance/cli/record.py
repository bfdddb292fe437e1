"""Record capture files, or live interfaces, into the home of a box.

What was captured is sealed at the end; what could not be understood is counted by reason and stated in the
coverage, never dropped in silence. Capture files may be pcap or pcapng, plain, gzip or zstd. Without files
and interfaces, the interfaces of box.toml are recorded. Several interfaces are recorded at once, each in a
process of its own. One of box.toml that is not there yet is waited for, and the others recorded meanwhile.
Nothing is ever sent on an interface that is there for the mirror alone.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from appliance.cli.stderr import complain
from appliance.model.errors import CaptureError, UsageError

EXAMPLES = """  greffier record --home /var/lib/greffier hotel.pcap
  greffier record --home /var/lib/greffier --json monday.pcapng tuesday.pcap.gz
  greffier record --home /var/lib/greffier                       the interfaces of box.toml
  greffier record --home /var/lib/greffier --interface mirror0
  greffier record --home /var/lib/greffier --interface mirror0 --interface mirror1
  greffier record --home /var/lib/greffier --interface mirror0 --seconds 60 --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--home", type=Path, required=True, metavar="DIR", help="the home of the box")
    parser.add_argument(
        "--interface",
        action="append",
        default=[],
        metavar="IF",
        help="record this interface live; may be given several times; never sends on it",
    )
    parser.add_argument("--seconds", type=float, metavar="N", help="live: stop after N seconds")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")
    parser.add_argument("--parent", type=int, metavar="PID", help=argparse.SUPPRESS)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="capture files")


def run(args: argparse.Namespace) -> int:
    """Record, then say what happened. Exit code 6 when a file was no capture at all."""
    if args.files and args.interface:
        raise UsageError("give capture files or --interface, not both; see 'greffier record --help'")
    for path in args.files:
        if not path.is_file():
            raise CaptureError(f"there is no capture file {path}; nothing was recorded")
    interfaces = [] if args.files else _interfaces(args)
    if args.seconds is not None and (args.files or not args.seconds > 0):
        raise UsageError("--seconds takes a number above 0 and goes with interfaces, not with files")
    for interface in interfaces:
        _check_interface(interface, may_wait=bool(args.parent or not args.interface))
    if len(interfaces) > 1:
        return _record_several(args, interfaces)
    return _record_here(args, interfaces[0] if interfaces else None)


def _interfaces(args: argparse.Namespace) -> Sequence[str]:
    """Those that are named, else those of the settings."""
    from appliance.capture.interface import name_of
    from appliance.config import box
    from appliance.vault import homes

    named = args.interface or box.read(homes.existing(args.home).config).capture.interfaces
    if not named:
        raise UsageError(
            "nothing to record: give capture files or --interface, or name 'interfaces' in box.toml; "
            "see 'greffier record --help'"
        )
    # Alternative names are not for recording: everything about an interface is said under the kernel's name.
    real = [name_of(name) for name in named]
    for number, name in enumerate(real):
        if name in real[:number]:
            also = "" if named[number] == name else f" ('{named[number]}' is another name of it)"
            raise UsageError(f"the interface '{name}' is given twice{also}; name each once")
    return real


def _check_interface(interface: str, may_wait: bool) -> None:
    """Before anything is written: a mistake must leave no trace in the home. Raises CaptureError.

    An interface that is not there is no mistake where it stands in the settings: a driver is late, an
    adapter unplugged. Nor is it for the one of several recorders that is started again.
    """
    from appliance.capture.interface import Link
    from appliance.capture.ring import Ring

    with Ring(interface, ring_bytes=1 << 18, may_wait=may_wait) as ring:
        if ring.link is Link.ABSENT:
            complain(f"'{interface}' is not there; it is recorded as soon as it is")


def _record_here(args: argparse.Namespace, interface: str | None) -> int:
    from appliance.cli import closing, progress
    from appliance.services.mirror.recorder import Recorder
    from appliance.services.recording import recording, signals

    if args.parent:
        signals.end_with(args.parent)
    with recording.recording(args.home, Recorder, complain if interface else None) as at_work:
        if interface:
            from appliance.services.mirror import live  # 25 ms that a file need not wait for

            with progress.of_interface(interface) as told:
                live.record_interface(at_work, interface, args.seconds, told)
        else:
            from appliance.services.mirror import replay

            with progress.of_files(args.files) as done:
                replay.record_files(at_work, args.files, done)
    report = at_work.report
    for note in report.notes:
        complain(note)
    shown = closing.as_json(report, bool(interface))
    closing.tell(json.dumps(shown) if args.json else closing.as_sentences(shown))
    return CaptureError.exit_code if "not_a_capture" in report.refused else 0


def _record_several(args: argparse.Namespace, interfaces: Sequence[str]) -> int:
    from appliance.cli import closing, progress
    from appliance.services.mirror.several import Several

    def command(interface: str, seconds: float | None) -> list[str]:
        ours = [sys.executable, "-m", "appliance.cli", "record", "--home", str(args.home), "--json"]
        limit = [] if seconds is None else ["--seconds", f"{seconds:.3f}"]
        return [*ours, "--interface", interface, "--parent", str(os.getpid()), *limit]

    several = Several(args.home, interfaces, command, complain)
    with progress.of_interfaces(list(interfaces)) as told:
        several.run(args.seconds, told)
    parts = [
        {"interface": one.interface, "restarts": one.restarts, **(one.report or {"seconds": None})}
        for one in several.recorders
    ]
    shown = closing.summed(parts)
    closing.tell(json.dumps(shown) if args.json else closing.as_sentences(shown))
    return max(one.exit_code for one in several.recorders)
