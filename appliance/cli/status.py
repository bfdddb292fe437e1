"""How the box stands: sources, last record, what is kept, what goes next, and every fault.

Reads no record and needs no custodian. Faults are listed here; 'greffier verify' looks for more of them.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.cli import replication_shown
from appliance.cli.wording import on_one_line, several
from appliance.model.instants import to_iso
from appliance.model.source_names import unit

if TYPE_CHECKING:
    from appliance.runtime.recorder_state import SourceState
    from appliance.services.feeds.hearing import Hearing
    from appliance.services.status import KnownRun, Status

EXAMPLES = """  greffier status --home /var/lib/greffier
  greffier status --home /var/lib/greffier --json"""

MOST_SOURCES = 12
"""Of a recorder that has ended: a box that was fed a folder of captures has hundreds."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--home", type=Path, required=True, metavar="DIR", help="the home of the box")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")


def run(args: argparse.Namespace) -> int:
    """Print how the box stands."""
    from appliance.runtime.clock import now_ns
    from appliance.services import status
    from appliance.vault import homes

    found = status.status(homes.existing(args.home), now_ns())
    print(json.dumps(_as_json(found)) if args.json else _as_sentences(found))
    return 0


def _as_json(status: "Status") -> dict[str, object]:
    going = status.next_destruction
    return {
        "site": status.config.site,
        "fingerprint": status.fingerprint,
        "head": str(status.head),
        "quorum": status.config.quorum,
        "custodians": list(status.config.custodians),
        "recorders": [_recorder_as_json(recorder) for recorder in status.recorders],
        "last_record": None if status.last_record_ns is None else to_iso(status.last_record_ns),
        "segments": status.kept.segments,
        "records": {str(name): vault.records for name, vault in status.kept.vaults.items()},
        "bytes": status.size_bytes,
        "oldest_day": status.kept.days[0].isoformat() if status.kept.days else None,
        "newest_day": status.kept.days[-1].isoformat() if status.kept.days else None,
        "next_destruction": going
        and {"vault": str(going.vault), "day": going.day.isoformat(), "on": going.on.isoformat()},
        "certificates": [
            {
                "at": to_iso(at_ns),
                "vault": str(gone.vault),
                "day": gone.day.isoformat(),
                "keys": list(gone.key_ids),
            }
            for at_ns, gone in status.certificates
        ],
        "holds": [
            {
                "reference": held.hold.reference,
                "until": held.hold.until.isoformat(),
                "state": held.state,
                "kept": held.kept,
            }
            for held in status.holds
        ],
        "feeds": status.hearing and _hearing_as_json(status.hearing),
        "replication": status.replication and replication_shown.as_json(status.replication),
        "faults": list(status.faults),
    }


def _hearing_as_json(hearing: "Hearing") -> dict[str, object]:
    return {
        "listening": hearing.listening,
        "declared": len(hearing.heard),
        "silent": [heard.declared.label for heard in hearing.heard if heard.pulse.silent],
        "silent_access_points": [
            {"source": heard.declared.label, "name": point.name}
            for heard in hearing.heard
            for point in heard.access_points
            if point.pulse.silent
        ],
        "last": max((heard.pulse.last for heard in hearing.heard if heard.pulse.last), default=None),
        "quarantined_senders": len(hearing.strangers),
        "quarantined_messages": sum(stranger.kept for stranger in hearing.strangers),
    }


def _recorder_as_json(recorder: "KnownRun") -> dict[str, object]:
    from appliance.runtime.recorder_state import source_fields

    state = recorder.state
    sources = [source_fields(source) for source in state.sources]
    instants = {"started": to_iso(state.started_ns), "updated": to_iso(state.updated_ns)}
    return {"run": state.run, "live": recorder.live, "ended": state.ended, **instants, "sources": sources}


def _as_sentences(status: "Status") -> str:
    lines = [f"{on_one_line(status.config.site)}  (box {status.fingerprint})"]
    for recorder in status.recorders:
        lines.append(_recorder(recorder))
        lines += _sources(recorder)
    if status.hearing is not None:
        lines += _hearing(status.hearing)
    last = "none yet" if status.last_record_ns is None else f"{to_iso(status.last_record_ns)[:19]}Z"
    kept = ", ".join(f"{vault.records:,} in {name}" for name, vault in status.kept.vaults.items())
    lines.append(f"Last record: {last}.")
    lines.append(
        f"Kept: {several(status.kept.segments, 'segment')} ({kept}), {several(status.size_bytes, 'byte')}."
    )
    if status.kept.days:
        lines.append(f"Days from {status.kept.days[0]} to {status.kept.days[-1]}.")
    if status.next_destruction:
        going = status.next_destruction
        lines.append(f"Next destruction: {going.vault} {going.day}, from {going.on} on.")
    if status.certificates:
        last_gone = status.certificates[-1][1]
        lines.append(
            f"Certificates of destruction: {len(status.certificates):,}, the last of {last_gone.day}."
        )
    for held in status.holds:
        if held.state == "holding":
            reference = on_one_line(held.hold.reference)
            lines.append(
                f"Hold '{reference}': {several(held.kept, 'day of a vault', 'days of vaults')} "
                f"kept until the end of {held.hold.until}."
            )
    if status.replication:
        lines += replication_shown.as_sentences(status.replication)
    lines.append(f"Head of the chain: {status.head}")
    lines += [f"FAULT: {on_one_line(fault)}" for fault in status.faults] or ["No fault."]
    return "\n".join(lines)


def _hearing(hearing: "Hearing") -> list[str]:
    """Who speaks and who may, where anybody may or does."""
    lines = []
    if hearing.heard:
        spoken = [heard.pulse.last for heard in hearing.heard if heard.pulse.last]
        silent = sum(heard.pulse.silent for heard in hearing.heard)
        last = f", last heard {max(spoken)[:19]}Z" if spoken else ""
        told = f"{silent:,} SILENT" if silent else "none silent"
        lines.append(
            f"Feeds: {several(len(hearing.heard), 'source')} declared, {len(spoken):,} heard{last}; {told}."
        )
    if hearing.strangers:
        kept = sum(stranger.kept for stranger in hearing.strangers)
        senders = several(len(hearing.strangers), "sender")
        lines.append(
            f"Not recorded: {several(kept, 'message')} of {senders} not declared: 'greffier sources'."
        )
    return lines


def _sources(recorder: "KnownRun") -> list[str]:
    """The newest of its sources, and in one line what all the others came to."""
    sources = recorder.state.sources
    older = () if recorder.live else sources[:-MOST_SOURCES]
    lines = [line for source in sources[len(older) :] for line in _source(source, recorder.live)]
    if older:
        losing = [source for source in older if any(source.lost.values())]
        lines += [line for source in losing for line in _source(source, False)]
        if len(older) > len(losing):
            lines.append(f"  and {len(older) - len(losing):,} more, nothing lost: 'greffier status --json'")
    return lines


def _source(source: "SourceState", live: bool) -> list[str]:
    """A source's counts, and how its interface stands while it is recorded."""
    lost = ", ".join(
        f"{count:,} at {on_one_line(place)}" for place, count in sorted(source.lost.items()) if count
    )
    what = unit(source.name)
    name = on_one_line(source.name)
    told = f"  {name}: {several(source.packets, what)}, {several(source.records, 'record')}, "
    lines = [told + (f"LOST {lost}" if lost else "nothing lost")]
    if live and what == "message" and source.last_record_ns is not None:
        lines[0] += f", last heard {to_iso(source.last_record_ns)[:19]}Z"
    stands = source.interface
    if live and stands:
        speed = "of unknown speed" if stands.speed_mbps is None else f"at {stands.speed_mbps:,} Mbit/s"
        told = f"link {stands.link}" + (f" {speed}" if stands.link == "up" else "")
        if stands.link != "absent":
            told += "; never sends" if stands.silent else "; CAN SEND"
        if stands.own_addresses_left_out:
            told += f"; the box's own traffic is left out (addresses: {stands.own_addresses_left_out})"
        lines.append(f"    {told}")
    noted = ", ".join(
        f"{on_one_line(name)} {count:,}" for name, count in sorted(source.noted.items()) if count
    )
    if live and noted:
        lines.append(f"    noted: {noted}")
    return lines


def _recorder(recorder: "KnownRun") -> str:
    state = recorder.state
    if recorder.live:
        return f"Recording since {to_iso(state.started_ns)[:19]}Z:"
    ended = "closed" if state.ended else "ended without closing"
    return f"Not recording; the last recorder {ended} at {to_iso(state.updated_ns)[:19]}Z:"
