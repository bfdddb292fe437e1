"""How the boxes of a central stand: last heard, silence, what is kept of each, receipts, what goes next.

Below them stand the last events of the ledger - sites that fell silent and spoke again, conflicts, forks,
destructions - and what was refused today. Reads no record and needs no custodian.
"""

import argparse
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from appliance.cli.wording import on_one_line, several
from appliance.model.instants import DAY_NS, to_iso

if TYPE_CHECKING:
    from appliance.central.ledger import Entry
    from appliance.central.standing import Standing

EXAMPLES = """  greffier central sites --dir /var/lib/greffier-central
  greffier central sites --dir lyon --days 30 --json"""

MOST_EVENTS = 20

_SIGNS_OF_LIFE = ("running",)
"""What central says of itself every day, and nobody waits for."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--dir", type=Path, required=True, metavar="DIR", help="the folder of the central")
    parser.add_argument(
        "--days", type=int, default=7, metavar="N", help="events of the last N days (default 7)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")


def run(args: argparse.Namespace) -> int:
    """Print how every site stands."""
    from appliance.central import believed, places, standing, tallies
    from appliance.central.ledger import Ledger
    from appliance.model.errors import UsageError
    from appliance.model.instants import day_of
    from appliance.runtime.clock import now_ns

    if args.days < 0:
        raise UsageError("--days takes 0 or more")
    now, central = now_ns(), places.open(args.dir)
    try:
        sites = standing.standings(central, now)
        since = now - args.days * DAY_NS
        heard = (event for event in Ledger(central).newest(since) if event.kind not in _SIGNS_OF_LIFE)
        events = list(itertools.islice(heard, MOST_EVENTS))[::-1]
        refused = tallies.refused_on(central.database, day_of(now))
        doubt = believed.doubt(central, now)
        name, fingerprint = central.identity.name, central.identity.fingerprint
    finally:
        central.close()
    if args.json:
        shown = {
            "name": name,
            "fingerprint": fingerprint,
            "sites": [_as_json(site) for site in sites],
            "events": [_event_as_json(event) for event in events],
            "refused_today": refused,
            "clock_doubt": doubt,
        }
        print(json.dumps(shown))
        return 0
    lines = [f"Central {name}  ({fingerprint})", f"{several(len(sites), 'site')}."]
    lines += [f"ALARM: {doubt}."] * bool(doubt)
    lines += [line for site in sites for line in _as_sentences(site, now)]
    names = {site.fingerprint: site.name for site in sites}
    lines += [f"Events of the last {several(args.days, 'day')}:"] * bool(events)
    lines += [_event(event, names) for event in events]
    if refused:
        told = ", ".join(f"{count:,} {reason}" for reason, count in sorted(refused.items()))
        lines.append(f"Refused today (UTC): {told}.")
    print("\n".join(on_one_line(line) for line in lines))
    return 0


def _as_json(site: "Standing") -> dict[str, object]:
    going = site.next_expiry
    return {
        "site": site.fingerprint,
        "name": site.name,
        "state": site.state,
        "enrolled_at": to_iso(site.enrolled_at_ns),
        "heard_at": None if site.heard_at_ns is None else to_iso(site.heard_at_ns),
        "silent_minutes": site.silent_minutes,
        "receipts": site.receipts,
        "objects": site.objects,
        "bytes": site.size_bytes,
        "first_day": site.days and site.days[0].isoformat(),
        "last_day": site.days and site.days[1].isoformat(),
        "holds": site.holds,
        "alarms": dict(site.alarms),
        "next_expiry": going
        and {"vault": going.vault, "day": going.day.isoformat(), "on": going.on.isoformat()},
    }


def _as_sentences(site: "Standing", now_ns: int) -> list[str]:
    lines = [f"{site.name}  ({site.fingerprint})"]
    if site.state != "enrolled":
        lines.append(f"  {site.state}: its contract has ended, nothing more is taken of it")
    elif site.heard_at_ns is None:
        lines.append(f"  never heard since it was enrolled at {to_iso(site.enrolled_at_ns)[:19]}Z")
    else:
        silent = f": SILENT for {_span(now_ns - site.heard_at_ns)}" if site.silent_minutes else ""
        lines.append(f"  last heard {to_iso(site.heard_at_ns)[:19]}Z{silent}")
    kept = f"  kept: {several(site.objects, 'object')}, {several(site.size_bytes, 'byte')}"
    if site.days:
        kept += f", days from {site.days[0]} to {site.days[1]}"
    lines.append(f"{kept}; {several(site.receipts, 'receipt')} given")
    if site.holds:
        lines.append(f"  {several(site.holds, 'hold')}: the days that are named are kept beyond their term")
    if site.next_expiry:
        going = site.next_expiry
        lines.append(f"  next destruction: {going.vault} {going.day}, from {going.on} on, unless it is held")
    lines += [f"  ALARM: {count:,} {kind}: look at the ledger" for kind, count in sorted(site.alarms.items())]
    return lines


def _event_as_json(event: "Entry") -> dict[str, Any]:
    said = {"seq": event.seq, "at": to_iso(event.at_ns), "kind": event.kind, "site": event.site}
    return {**event.fields, **said}


def _event(event: "Entry", names: dict[str, str]) -> str:
    """One line: when, what, of which site, and what its kind says in short values."""
    who = names.get(event.site, event.site[:16])
    told = ", ".join(
        f"{key} {value}" for key, value in sorted(event.fields.items()) if isinstance(value, str | int)
    )
    return f"  {to_iso(event.at_ns)[:19]}Z  {event.kind}" + (f"  {who}" if who else "") + f"  {told[:160]}"


def _span(span_ns: int) -> str:
    minutes = span_ns // (60 * 10**9)
    if minutes < 120:
        return several(minutes, "minute")
    return several(minutes // 60, "hour") if minutes < 48 * 60 else several(minutes // 1440, "day")
