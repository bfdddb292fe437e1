"""What a recorder says of itself every second, in `state/recorder-RUN.json`; a torn file says nothing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.model.instants import from_iso

PATTERN = "recorder-*.json"


@dataclass(frozen=True)
class SourceState:
    """One capture or interface, counted since the run began; instants in UTC nanoseconds."""

    name: str
    packets: int
    bytes: int
    records: int
    last_record_ns: int | None
    kernel_drops: int


@dataclass(frozen=True)
class Alarm:
    """Something a person must look at, since when."""

    kind: str
    since_ns: int
    message: str


@dataclass(frozen=True)
class RecorderState:
    """The last sign of life of one run; `ended` if it closed in good order."""

    run: str
    started_ns: int
    updated_ns: int
    ended: bool
    sources: tuple[SourceState, ...]
    alarms: tuple[Alarm, ...]


def read(path: Path) -> RecorderState | None:
    """The state in a file; None if it is missing or torn by a power cut."""
    try:
        return _state(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def read_all(folder: Path) -> list[RecorderState]:
    """Every run's state in a folder, the one updated last at the end."""
    states = [state for path in folder.glob(PATTERN) if (state := read(path))]
    return sorted(states, key=lambda state: state.updated_ns)


def _state(fields: Mapping[str, Any]) -> RecorderState:
    return RecorderState(
        str(fields["run"]),
        from_iso(fields["started"]),
        from_iso(fields["updated"]),
        bool(fields["ended"]),
        tuple(_source(source) for source in fields["sources"]),
        tuple(Alarm(alarm["kind"], from_iso(alarm["since"]), alarm["message"]) for alarm in fields["alarms"]),
    )


def _source(fields: Mapping[str, Any]) -> SourceState:
    last = fields["last_record"]
    return SourceState(
        fields["name"],
        int(fields["packets"]),
        int(fields["bytes"]),
        int(fields["records"]),
        None if last is None else from_iso(last),
        int(fields["kernel_drops"] or 0),
    )
