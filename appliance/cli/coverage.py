"""What was seen and what was not, per source and period, as the seals state it.

A gap is a time in which a live source gave nothing to the box: it was off, unplugged or not recording.
Capture files have no gaps of their own: only the periods they cover.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.cli.wording import on_one_line, several
from appliance.model.errors import UsageError
from appliance.model.instants import from_iso, to_iso
from appliance.model.source_names import unit

if TYPE_CHECKING:
    from appliance.model.coverage import Coverage
    from appliance.vault.periods import Gap

EXAMPLES = """  greffier coverage --home /var/lib/greffier
  greffier coverage --home /var/lib/greffier --from 2026-11-20 --to 2026-11-21T12:00:00Z --json"""

_FOREVER_NS = 1 << 63


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--home", type=Path, required=True, metavar="DIR", help="the home of the box")
    parser.add_argument(
        "--from", dest="from_", metavar="T", help="only what touches the time from T on (ISO 8601)"
    )
    parser.add_argument("--to", metavar="T", help="only what touches the time before T")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")


def run(args: argparse.Namespace) -> int:
    """Read the chain and what recorders say, print periods and gaps."""
    from appliance.runtime.clock import now_ns
    from appliance.services.coverage import covered
    from appliance.vault import chain, homes
    from appliance.vault.catalogue import Catalogue

    from_ns, until_ns = _instant(args.from_, 0), _instant(args.to, _FOREVER_NS)
    home = homes.existing(args.home)
    found = covered(home, Catalogue.of(chain.read(home)), now_ns()).between(from_ns, until_ns)
    seen, silent = list(found.seen), list(found.silent)
    print(json.dumps(_as_json(seen, silent)) if args.json else _as_sentences(seen, silent))
    return 0


def _instant(text: str | None, default_ns: int) -> int:
    try:
        return default_ns if text is None else from_iso(text)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _as_json(seen: "list[Coverage]", silent: "list[Gap]") -> dict[str, object]:
    sources: dict[str, dict[str, list[dict[str, object]]]] = {}
    for part in seen:
        of_source = sources.setdefault(part.source, {"periods": [], "gaps": []})
        counts = {name: dict(getattr(part, name)) for name in ("refused", "lost", "noted", "measured")}
        of_source["periods"].append(
            {
                "first": to_iso(part.first_ns),
                "last": to_iso(part.last_ns),
                "packets": part.packets,
                "bytes": part.bytes,
                **counts,
            }
        )
    for gap in silent:
        of_source = sources.setdefault(gap.source, {"periods": [], "gaps": []})
        of_source["gaps"].append({"from": to_iso(gap.from_ns), "until": to_iso(gap.until_ns)})
    return {"sources": [{"source": name, **parts} for name, parts in sorted(sources.items())]}


def _as_sentences(seen: "list[Coverage]", silent: "list[Gap]") -> str:
    if not seen and not silent:
        return "Nothing was recorded in that time."
    lines: list[tuple[str, int, str]] = []
    for part in seen:
        period = f"{_short(part.first_ns)} to {_short(part.last_ns)}"
        told = [_amount(part)]
        told += [f"{name} {_counted(counts)}" for name, counts in _named(part) if counts]
        lines.append((part.source, part.first_ns, f"  seen  {period}  {'; '.join(told)}"))
    for gap in silent:
        silence = f"{_short(gap.from_ns)} to {_short(gap.until_ns)}"
        told_gap = f"  GAP   {silence}  box off, not recording, or without a link"
        lines.append((gap.source, gap.from_ns, told_gap))
    text: list[str] = []
    source = ""
    for name, _, line in sorted(lines):
        if name != source:
            text.append(on_one_line(name))
            source = name
        text.append(line)
    return "\n".join(text)


def _amount(part: "Coverage") -> str:
    what = unit(part.source)
    if what == "answer":  # of many datagrams; their octets are not counted
        return several(part.packets, what)
    # Its last second may be in the journal, and in no count.
    least = "at least " if part.noted.get("interrupted") else ""
    octets = several(part.bytes, "byte")
    return f"{least}{several(part.packets, what)}{', ' if what == 'packet' else ' of '}{octets}"


def _named(part: "Coverage") -> "list[tuple[str, dict[str, int]]]":
    return [
        ("no record from", dict(part.refused)),
        ("LOST", dict(part.lost)),
        ("noted", dict(part.noted)),
        ("at worst", dict(part.measured)),
    ]


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {on_one_line(name)}" for name, count in sorted(counts.items()))


def _short(instant_ns: int) -> str:
    return f"{to_iso(instant_ns)[:19]}Z"
