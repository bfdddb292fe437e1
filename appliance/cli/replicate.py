"""Send what the box keeps to the centrals it is enrolled at, and keep what they sign for it.

Runs until it is stopped, and can be stopped and started at any moment: what a central has not signed for
goes next. Central gets ciphertext and what proves it; nothing but its signature ever comes back. With --once
it ends when nothing is missing there, whatever hours box.toml sets, or after some tries in vain.
"""

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.cli.wording import several

if TYPE_CHECKING:
    from appliance.replication.state import ReplicationState
    from appliance.services.replicating import Outcome, Told

EXAMPLES = """  greffier replicate --home /var/lib/greffier
  greffier replicate --home /var/lib/greffier --once
  greffier replicate --home /var/lib/greffier --to https://central.example:443 --once --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--home", type=Path, required=True, metavar="DIR", help="the home of the box")
    parser.add_argument("--to", metavar="URL", help="only to the central at this address; left out: to all")
    parser.add_argument("--once", action="store_true", help="end when nothing is missing there")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")


def run(args: argparse.Namespace) -> int:
    """Replicate; exit code 10 if --once leaves something behind."""
    from appliance.model.errors import ReplicationError
    from appliance.services.replicating import replicate

    with _progress() as told:
        outcomes = replicate(args.home, args.to, args.once, told)
    print(json.dumps({"centrals": [_as_json(one) for one in outcomes]}) if args.json else _told(outcomes))
    left = [one for one in outcomes if args.once and (one.error or one.state.objects)]
    if left:
        why = left[0].error or _first_alarm(left[0].state) or "it was stopped"
        raise ReplicationError(
            f"central '{left[0].central}' lacks {_amount(left[0].state)}: {why}; "
            "nothing is lost, run it again"
        )
    return 0


def _told(outcomes: "list[Outcome]") -> str:
    lines = []
    for one in outcomes:
        state = one.state
        has = f"has signed for {several(state.receipts, 'object')}"
        lacks = f"lacks {_amount(state)}" if state.objects else "lacks nothing"
        lines.append(f"{one.central} ({one.url}) {has}, {lacks}.")
        lines += [f"ALARM: {alarm.message}" for alarm in state.alarms]
    return "\n".join(lines)


def _as_json(one: "Outcome") -> dict[str, object]:
    state = one.state
    return {
        "central": one.central,
        "url": one.url,
        "receipts": state.receipts,
        "left": {"objects": state.objects, "bytes": state.size_bytes},
        "error": str(one.error) if one.error else None,
        "alarms": [{"kind": alarm.kind, "message": alarm.message} for alarm in state.alarms],
    }


def _amount(state: "ReplicationState") -> str:
    return f"{several(state.objects, 'object')} ({several(state.size_bytes, 'byte')})"


def _first_alarm(state: "ReplicationState") -> str:
    return state.alarms[0].message if state.alarms else ""


@contextlib.contextmanager
def _progress() -> "Iterator[Told]":
    """A bar for each central on a terminal; elsewhere a line when one begins, waits, or has everything."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
        TextColumn("{task.fields[doing]}"),
    )  # fmt: skip
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        most: dict[str, int] = {}

        def told(name: str, state: "ReplicationState") -> None:
            most[name] = max(most.get(name, 0), state.size_bytes)
            if name not in tasks:
                tasks[name] = bars.add_task(f"to {name}", total=None, doing="")
            doing = f"{state.doing}, {several(state.objects, 'object')} left"
            done = most[name] - state.size_bytes
            bars.update(tasks[name], completed=done, total=most[name], doing=doing)

        yield told


class _Lines:
    """Says a change of what is done, once a change, and every new alarm."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}
        self._alarms: set[tuple[str, str]] = set()

    def __call__(self, name: str, state: "ReplicationState") -> None:
        if self._said.get(name) != state.doing and state.doing != "ended":
            self._said[name] = state.doing
            print(f"to {name}: {state.doing}, {_amount(state)} left", file=sys.stderr, flush=True)
        for alarm in state.alarms:
            if (name, alarm.kind) not in self._alarms:
                self._alarms.add((name, alarm.kind))
                print(f"to {name}: ALARM: {alarm.message}", file=sys.stderr, flush=True)
