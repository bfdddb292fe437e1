"""Record capture files, or a live interface, into the home of a box.

What was captured is sealed at the end; what could not be understood is counted by reason and stated in the
coverage, never dropped in silence. Capture files may be pcap or pcapng, plain, gzip or zstd.
"""

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.model.errors import CaptureError, UsageError
from appliance.model.instants import to_iso

if TYPE_CHECKING:
    from appliance.services.recording import Report
    from appliance.services.sources import SourceCounts

EXAMPLES = """  greffier record --home /var/lib/greffier hotel.pcap
  greffier record --home /var/lib/greffier --json monday.pcapng tuesday.pcap.gz
  greffier record --home /var/lib/greffier --interface mirror0
  greffier record --home /var/lib/greffier --interface mirror0 --seconds 60 --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--home", type=Path, required=True, metavar="DIR", help="the home of the box")
    parser.add_argument("--interface", metavar="IF", help="record this interface live; never sends on it")
    parser.add_argument("--seconds", type=float, metavar="N", help="with --interface: stop after N seconds")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="capture files")


def run(args: argparse.Namespace) -> int:
    """Record, then say what happened. Exit code 6 when a file was no capture at all."""
    _check(args)
    from appliance.services import live, recording, replay

    with recording.recording(args.home, _complain if args.interface else None) as at_work:
        if args.interface:
            with _interface_progress(args.interface) as told:
                live.record_interface(at_work, args.interface, args.seconds, told)
        else:
            with _files_progress(args.files) as done:
                replay.record_files(at_work, args.files, done)
    report = at_work.report
    for note in report.notes:
        _complain(note)
    if args.json:
        print(json.dumps(_as_json(report, bool(args.interface))))
    else:
        print(_as_sentences(report))
    return CaptureError.exit_code if "not_a_capture" in report.refused else 0


def _complain(sentence: str) -> None:
    print(f"greffier: {sentence}", file=sys.stderr)


def _check(args: argparse.Namespace) -> None:
    if bool(args.interface) == bool(args.files):
        raise UsageError("give capture files or --interface, one of the two; see 'greffier record --help'")
    if args.seconds is not None and (not args.interface or not args.seconds > 0):
        raise UsageError("--seconds takes a number above 0 and goes with --interface")
    if args.interface:
        _check_interface(args.interface)
    for path in args.files:
        if not path.is_file():
            raise CaptureError(f"there is no capture file {path}; nothing was recorded")


def _check_interface(interface: str) -> None:
    """Before anything is written: a mistyped name must leave no trace in the home."""
    from appliance.capture.interface import Link, link_of

    if link_of(interface) is Link.ABSENT:
        raise CaptureError(f"there is no interface '{interface}'; see 'ip link' for those there are")


def _as_json(report: "Report", live: bool) -> dict[str, object]:
    shown = {
        "packets": report.packets,
        "bytes": report.bytes,
        "records": report.records,
        "bindings": report.bindings,
        "refused": report.refused,
        "lost": sum(report.lost.values()),
        "lost_by_place": report.lost,
        "noted": report.noted,
        "first": None if report.first_ns is None else to_iso(report.first_ns),
        "last": None if report.last_ns is None else to_iso(report.last_ns),
        "seconds": round(report.seconds, 3),
    }
    if live:
        shown["kernel_drops"] = report.lost.get("kernel", 0)
    return shown


def _as_sentences(report: "Report") -> str:
    lines = [
        f"{report.packets:,} packets became {report.records:,} traffic records "
        f"and {report.bindings:,} bindings, sealed in {report.seconds:.1f} s."
    ]
    if report.first_ns is not None and report.last_ns is not None:
        lines.append(f"They were sent between {to_iso(report.first_ns)} and {to_iso(report.last_ns)}.")
    if report.refused:
        told = ", ".join(f"{count:,} {reason}" for reason, count in sorted(report.refused.items()))
        lines.append(f"Gave no record, counted by reason: {told}.")
    lost = sum(report.lost.values())
    places = ", ".join(f"{count:,} at {place}" for place, count in sorted(report.lost.items()))
    if lost:
        lines.append(f"Lost: {places}.")
    elif "capture_damaged" not in report.refused:
        lines.append("Nothing was lost.")
    return "\n".join(lines)


@contextlib.contextmanager
def _files_progress(files: list[Path]) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("recording"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("recording", total=sum(path.stat().st_size for path in files))
        yield lambda done: bar.update(task, completed=done)


@contextlib.contextmanager
def _interface_progress(interface: str) -> "Iterator[Callable[[SourceCounts], None]]":
    """A line that counts on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda source: None
        return
    from rich.console import Console

    with Console(stderr=True).status(f"listening on {interface}") as line:
        yield lambda source: line.update(
            f"listening on {interface}: {source.packets:,} packets, {source.records:,} records closed, "
            f"{source.lost['kernel']:,} lost (Ctrl-C ends and seals)"
        )
