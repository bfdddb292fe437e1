"""What the network was used for, and by how many: totals that name nobody. Needs no custodian.

Users are counted as devices, each once in an hour and once in a day. No number told is about fewer than three
of them, though two numbers may differ by less: smaller groups are among the others, or left out. Times are
UTC. An hour appears five minutes after its end, how many users a day had at the day's end.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.model.errors import UsageError
from appliance.model.instants import day_of, from_iso, to_iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rich.table import Table

    from appliance.statistics.summary import Period, Range, Sums

EXAMPLES = """  greffier statistics --home /var/lib/greffier
  greffier statistics --home /var/lib/greffier --from 2026-11-20 --to 2026-11-21 --by hour
  greffier statistics --home /var/lib/greffier --from 2026-11-01 --json"""

_FOREVER_NS = from_iso("9999-12-31")

_USES = {
    "mail": "Mail",
    "social": "Social networks",
    "web": "Web",
    "tls_web": "Web, encrypted",
    "video": "Video",
    "music": "Music",
    "calls": "Voice and video calls",
    "games": "Games",
    "file_transfer": "File transfer",
    "remote_access": "Remote access",
    "update_store": "Updates and app stores",
    "name_service": "Name service",
    "vpn": "Private networks (VPN)",
    "messaging": "Messaging",
    "other": "Other",
}
_SYSTEMS = {
    "windows": "Windows",
    "apple_mobile": "iPhone, iPad",
    "macos": "Mac",
    "android": "Android",
    "chrome_os": "Chromebook",
    "linux": "Linux",
    "console": "Game console",
    "printer": "Printer",
    "other": "Other",
}
_TOO_FEW = "too few to say"
_PLACES = {"none": "no access point named", "all": "anywhere"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--home", type=Path, required=True, metavar="DIR", help="the home of the box")
    parser.add_argument("--from", dest="from_", metavar="T", help="hours and days that begin at T or later")
    parser.add_argument("--to", metavar="T", help="hours and days that begin before T")
    parser.add_argument("--by", choices=["hour", "day"], default="day", help="a line an hour or a day (day)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")


def run(args: argparse.Namespace) -> int:
    """Read the statistics and print them."""
    from appliance.statistics import files, summary
    from appliance.vault import homes

    from_ns, to_ns = _instant(args.from_, 0), _instant(args.to, _FOREVER_NS)
    if to_ns <= from_ns:
        raise UsageError("--to must be later than --from")
    damage = files.Damage()
    found = summary.periods(files.read(homes.existing(args.home), from_ns, to_ns, damage), args.by)
    if damage.lines:
        print(
            f"greffier: {damage.lines} line(s) of statistics are damaged or not ours and were left out",
            file=sys.stderr,
        )
    if args.json:
        print(json.dumps({**_as_json(found, args.by), "damaged_lines": damage.lines}))
    elif found:
        _print_tables(found, args.by)
    else:
        print("There are no statistics of that time; an hour appears five minutes after its end.")
    return 0


def _instant(text: str | None, default_ns: int) -> int:
    try:
        return default_ns if text is None else from_iso(text)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _as_json(found: "Iterable[Period]", by: str) -> dict[str, object]:
    return {
        "by": by,
        "periods": [
            {
                "start": _start(period, by),
                "users": {"least": period.users.least, "most": period.users.most} if period.told else None,
                **(_sums(period.sums) if period.summed else dict.fromkeys(_sums(period.sums))),
                "uses": {name: _sums(sums) for name, sums in sorted(period.by_use.items())},
                "places": {name: _sums(sums) for name, sums in sorted(period.by_place.items())},
                "systems": {
                    name: {"least": users.least, "most": users.most}
                    for name, users in sorted(period.by_system.items())
                },
                "too_few": period.withheld,
                "systems_too_few": period.unnamed,
            }
            for period in found
        ],
    }


def _sums(sums: "Sums") -> dict[str, int]:
    return {"bytes": sums.octets, "connections": sums.connections, "clients_at_least": sums.clients}


def _start(period: "Period", by: str) -> str:
    return day_of(period.start_ns).isoformat() if by == "day" else f"{to_iso(period.start_ns)[:16]}Z"


def _print_tables(found: "list[Period]", by: str) -> None:
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(_by_period(found, by))
    uses = _joined(period.by_use for period in found)
    if uses:
        console.print(_of_sums("What for", uses, _USES))
    places = _joined(period.by_place for period in found)
    if set(places) - {"none", "all"}:
        console.print(_of_sums("Where", places, _PLACES))
    if any(period.by_system for period in found):
        console.print(_by_system(found))
    if any(period.withheld for period in found):
        print("Hours with one or two users are not shown, nor among the sums.")
    if any(period.unnamed for period in found):
        print("Systems with one or two devices are not named.")


def _by_period(found: "list[Period]", by: str) -> "Table":
    table = _table("Day (UTC)" if by == "day" else "Hour (UTC)", "users", "traffic", "connections")
    for period in found:
        start = _start(period, by).replace("T", " ").removesuffix("Z")
        users = _range(period.users) if period.told else _TOO_FEW
        if period.summed:
            more = " or more" if period.withheld else ""
            table.add_row(start, users, *(f"{amount}{more}" for amount in _amounts(period.sums)))
        else:
            unknown = (_TOO_FEW if period.withheld else "unknown") if period.told else ""
            table.add_row(start, users, unknown, unknown)
    return table


def _of_sums(title: str, sums: "Mapping[str, Sums]", words: "Mapping[str, str]") -> "Table":
    table = _table(title, "share", "traffic", "connections", "users at once, at least")
    total = sum(part.octets for part in sums.values()) or 1
    for name, part in sorted(sums.items(), key=lambda item: -item[1].octets):
        share = f"{100 * part.octets / total:.1f} %"
        table.add_row(words.get(name, name), share, *_amounts(part), f"{part.clients:,}")
    return table


def _by_system(found: "list[Period]") -> "Table":
    table = _table("Devices (a day)", *(_start(period, "day")[5:] for period in found[-7:]))
    for name, words in _SYSTEMS.items():
        shown = [period.by_system.get(name) for period in found[-7:]]
        if any(shown):
            table.add_row(words, *("" if users is None else _range(users) for users in shown))
    return table


def _table(*columns: str) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=not number)
    return table


def _joined(parts: "Iterable[Mapping[str, Sums]]") -> "dict[str, Sums]":
    from appliance.statistics.summary import Sums

    joined: dict[str, Sums] = {}
    for part in parts:
        for name, sums in part.items():
            joined.setdefault(name, Sums()).join(sums)
    return joined


def _range(users: "Range") -> str:
    if users.most is None:
        return f"{users.least:,} or more"
    return f"{users.least:,}" if users.least == users.most else f"{users.least:,} to {users.most:,}"


def _amounts(sums: "Sums") -> tuple[str, str]:
    size, unit = float(sums.octets), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            break
        size /= 1000
    return f"{size:,.0f} {unit}" if unit == "B" else f"{size:,.1f} {unit}", f"{sums.connections:,}"
