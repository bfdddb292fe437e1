"""Show the audit chain: who did what that not everybody may, when, from where, and how it ended.

Each step is a signed line that names the one before, written before the step was taken; 'greffier verify' and
this verb check them. Exit code 1 if the chain is not whole.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.cli.wording import on_one_line, several
from appliance.model.errors import FaultFound
from appliance.model.instants import to_iso

if TYPE_CHECKING:
    from appliance.audit.check import Checked
    from appliance.audit.lines import Noted
    from appliance.control.steps import Ended

EXAMPLES = """  greffier audit --home /var/lib/greffier
  greffier audit --home /var/lib/greffier --last 20
  greffier audit --home /var/lib/greffier --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--home", type=Path, required=True, metavar="DIR", help="the home of the box")
    parser.add_argument("--last", type=int, metavar="N", help="only the newest so many")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")


def run(args: argparse.Namespace) -> int:
    """Print the steps, the oldest first, and what is wrong with the chain."""
    from appliance.audit import check
    from appliance.audit.lines import results
    from appliance.vault import homes

    checked = check.check(homes.existing(args.home))
    came_to = results(checked.steps)
    steps = checked.steps if args.last is None else checked.steps[-args.last :] if args.last > 0 else []
    print(json.dumps(_as_json(checked, steps, came_to)) if args.json else _as_text(checked, steps, came_to))
    if checked.faults:
        count = several(len(checked.faults), "fault")
        raise FaultFound(f"{count}: the audit chain is not as it was written; see the places named")
    return 0


def _as_json(checked: "Checked", steps: "list[Noted]", came_to: "dict[int, Ended]") -> dict[str, object]:
    return {
        "steps": [_step_as_json(step, came_to[step.seq]) for step in steps],
        "total": checked.total,
        "head": str(checked.head) if checked.hashes else None,
        "anchors": checked.anchors,
        "faults": [{"place": fault.place, "what": fault.what} for fault in checked.faults],
        "notices": [{"place": notice.place, "what": notice.what} for notice in checked.notices],
    }


def _step_as_json(step: "Noted", result: "Ended") -> dict[str, object]:
    return {
        "seq": step.seq,
        "at": to_iso(step.at_ns),
        "name": step.actor.name,
        "role": step.actor.role,
        "origin": step.actor.origin,
        "step": str(step.step),
        "subject": step.subject,
        "details": dict(step.details),
        "ended": str(step.ended),
        "result": str(result),
        "hash": step.hash,
    }


def _as_text(checked: "Checked", steps: "list[Noted]", came_to: "dict[int, Ended]") -> str:
    lines = [_sentence(step, came_to[step.seq]) for step in steps]
    lines += [f"FAULT   {on_one_line(f'{fault.place}: {fault.what}')}" for fault in checked.faults]
    lines += [f"notice  {on_one_line(f'{notice.place}: {notice.what}')}" for notice in checked.notices]
    if checked.hashes:
        count = f"{several(checked.total, 'step')}, {several(checked.anchors, 'anchor')} in the seals"
        lines.append(f"{count}. Head {checked.head}")
    elif not lines:
        lines.append("Nothing was ever noted here.")
    return "\n".join(lines)


def _sentence(step: "Noted", result: "Ended") -> str:
    details = ", ".join(f"{key} {value}" for key, value in sorted(step.details.items()))
    what = " ".join(part for part in (str(step.step), step.subject and f"'{step.subject}'") if part)
    ended = "" if result == "done" else f": {result}"
    who = f"{step.actor.name} ({step.actor.role}, {step.actor.origin})"
    said = f"{to_iso(step.at_ns)[:19]}Z  {who}  {what}{ended}"
    return on_one_line(said + (f"  [{details}]" if details else ""))
