"""What a recording did, in its closing words: as sentences and as one JSON object."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from appliance.cli import stderr
from appliance.cli.refusals import explained
from appliance.cli.wording import several
from appliance.model.instants import to_iso

if TYPE_CHECKING:
    from appliance.services.recording.recording import Report

_COUNTS = ("packets", "bytes", "records", "bindings", "lost", "kernel_drops")
_BY_REASON = ("refused", "lost_by_place", "noted")


def as_json(report: "Report", live: bool) -> dict[str, Any]:
    """The report of one recorder."""
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


def summed(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One report out of those of several interfaces, which it holds as `interfaces`.

    It is not `complete` where a recorder gave none, or died before its last run: what that had counted is
    not in it, and what it lost is stated in the coverage alone.
    """
    given = [part for part in parts if part["seconds"] is not None]
    total: dict[str, Any] = {name: sum(part[name] for part in given) for name in _COUNTS}
    for name in _BY_REASON:
        counts: Counter[str] = Counter()
        for part in given:
            counts.update(part[name])
        total[name] = dict(counts)
    total["first"] = min((part["first"] for part in given if part["first"]), default=None)
    total["last"] = max((part["last"] for part in given if part["last"]), default=None)
    total["seconds"] = max((part["seconds"] for part in given), default=0.0)
    total["complete"] = len(given) == len(parts) and not any(part["restarts"] for part in parts)
    return {**total, "interfaces": list(parts)}


def as_sentences(shown: Mapping[str, Any], what: str = "packet") -> str:
    """The same for a person; `what` came."""
    lines = [
        f"{several(shown['packets'], what)} became {several(shown['records'], 'traffic record')} "
        f"and {several(shown['bindings'], 'binding')}, sealed in {shown['seconds']:.1f} s."
    ]
    if shown["first"] and shown["last"]:
        lines.append(
            f"They {'came' if what == 'message' else 'were sent'} between "
            f"{shown['first']} and {shown['last']}."
        )
    if shown["refused"]:
        told = ", ".join(f"{count:,} {reason}" for reason, count in sorted(shown["refused"].items()))
        lines.append(f"Gave no record, counted by reason: {told}.")
    if shown["lost"]:
        places = ", ".join(f"{count:,} at {place}" for place, count in sorted(shown["lost_by_place"].items()))
        lines.append(f"Lost: {places}.")
    elif "capture_damaged" not in shown["refused"] and shown.get("complete", True):
        lines.append("Nothing was lost.")
    if shown["noted"].get("interface_down_s"):
        lines.append(f"Without a link: {several(shown['noted']['interface_down_s'], 'second')}.")
    lines += [_of_interface(part) for part in shown.get("interfaces", ())]
    if not shown.get("complete", True):
        lines.append(
            "A recorder that died counted packets that are not in these sums, and may have lost the last "
            "2 seconds before it died and all that came until it ran again: see 'greffier coverage'."
        )
    return "\n".join(lines)


def of_feeds(shown: Mapping[str, Any]) -> str:
    """The same of messages, with a word for whatever somebody has to do something about."""
    return "\n".join([as_sentences(shown, "message"), *explained(shown["refused"])])


def tell(closing_words: str) -> None:
    """All is over and sealed: that nobody hears it any more changes nothing."""
    try:
        print(closing_words, flush=True)
    except OSError as error:
        stderr.mute(sys.stdout)
        if not isinstance(error, BrokenPipeError):
            stderr.complain(f"cannot say what was recorded: {error.strerror}; see 'greffier coverage'")


def _of_interface(part: Mapping[str, Any]) -> str:
    told = (
        "NO REPORT"
        if part["seconds"] is None
        else f"{several(part['packets'], 'packet')}, {part['lost']:,} lost"
    )
    again = f"; its recorder died {several(part['restarts'], 'time')}" if part["restarts"] else ""
    return f"  {part['interface']}: {told}{again}"
