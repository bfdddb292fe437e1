"""What a recorder says of itself every second, in `state/recorder-RUN.json`; a torn file says nothing.

It describes a process, not records, and holds no address.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.model.instants import from_iso, to_iso
from appliance.runtime import state_file

PATTERN = "recorder-*.json"


@dataclass(frozen=True)
class InterfaceState:
    """How an interface stands: `link` is up, down or absent; `speed_mbps` None where it does not say."""

    link: str
    speed_mbps: int | None
    mtu: int
    silent: bool
    own_addresses_left_out: int


@dataclass(frozen=True)
class Durable:
    """What of a source was on disk when the disk last accepted everything, at `until_ns`.

    `given_up` counts the packets among them that were lost before, for want of room. `asked_ns` is when the
    disk was last asked, whatever it said: a later frame of the journal holds all that this state counts.
    """

    until_ns: int
    asked_ns: int
    packets: int = 0
    bytes: int = 0
    last_record_ns: int | None = None
    given_up: int = 0


@dataclass(frozen=True)
class SourceState:
    """One capture or interface, counted since the run began; instants in UTC nanoseconds.

    `spells` are the periods, [first, last] each, in which a live source listened since its last seal. What
    was counted beyond `durable` is in memory only. `kept_apart` messages of undeclared senders are in memory
    only, and lost if the run dies.
    """

    name: str
    packets: int
    bytes: int
    records: int
    last_record_ns: int | None
    lost: Mapping[str, int]
    noted: Mapping[str, int]
    measured: Mapping[str, int]
    durable: Durable
    spells: tuple[tuple[int, int], ...] = ()
    interface: InterfaceState | None = None
    kept_apart: int = 0


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
    pid: int
    started_ns: int
    updated_ns: int
    ended: bool
    sources: tuple[SourceState, ...]
    alarms: tuple[Alarm, ...]


class StateFile(state_file.InPlace):
    """The file of one run; it can still tell of a full disk when the disk is full."""

    def __init__(self, folder: Path, run: str) -> None:
        super().__init__(folder / f"recorder-{run}.json")

    def write(self, state: RecorderState) -> bool:
        """Say how things stand; false where the disk refuses even that."""
        return self.overwrite(json.dumps(_fields(state)).encode())


def read(path: Path) -> RecorderState | None:
    """The state in a file; None if it is missing or torn by a power cut."""
    return state_file.read(path, _state)


def read_all(folder: Path) -> list[RecorderState]:
    """Every run's state in a folder, the one updated last at the end."""
    states = [state for path in folder.glob(PATTERN) if (state := read(path))]
    return sorted(states, key=lambda state: state.updated_ns)


def _state(fields: Mapping[str, Any]) -> RecorderState:
    return RecorderState(
        str(fields["run"]),
        int(fields["pid"]),
        from_iso(fields["started"]),
        from_iso(fields["updated"]),
        bool(fields["ended"]),
        tuple(_source(source) for source in fields["sources"]),
        tuple(Alarm(alarm["kind"], from_iso(alarm["since"]), alarm["message"]) for alarm in fields["alarms"]),
    )


def _fields(state: RecorderState) -> dict[str, Any]:
    return {
        "run": state.run,
        "pid": state.pid,
        "started": to_iso(state.started_ns),
        "updated": to_iso(state.updated_ns),
        "ended": state.ended,
        "sources": [source_fields(source) for source in state.sources],
        "alarms": [
            {"kind": alarm.kind, "since": to_iso(alarm.since_ns), "message": alarm.message}
            for alarm in state.alarms
        ],
    }


def source_fields(source: SourceState) -> dict[str, Any]:
    """A source's state as JSON says it, here and in `greffier status --json`."""
    return {
        "name": source.name,
        "packets": source.packets,
        "bytes": source.bytes,
        "records": source.records,
        "last_record": None if source.last_record_ns is None else to_iso(source.last_record_ns),
        "lost": dict(source.lost),
        "noted": dict(source.noted),
        "measured": dict(source.measured),
        "durable": _durable_fields(source.durable),
        "spells": [[to_iso(first), to_iso(last)] for first, last in source.spells],
        "interface": source.interface and dataclasses.asdict(source.interface),
        "kept_apart": source.kept_apart,
    }


def _durable_fields(durable: Durable) -> dict[str, Any]:
    last_ns = durable.last_record_ns
    return {
        "until": to_iso(durable.until_ns),
        "asked": to_iso(durable.asked_ns),
        "packets": durable.packets,
        "bytes": durable.bytes,
        "last_record": None if last_ns is None else to_iso(last_ns),
        "given_up": durable.given_up,
    }


def _durable(fields: Mapping[str, Any]) -> Durable:
    last = fields["last_record"]
    return Durable(
        from_iso(fields["until"]),
        from_iso(fields["asked"]),
        int(fields["packets"]),
        int(fields["bytes"]),
        None if last is None else from_iso(last),
        int(fields["given_up"]),
    )


def _source(fields: Mapping[str, Any]) -> SourceState:
    last, interface = fields["last_record"], fields["interface"]
    return SourceState(
        fields["name"],
        int(fields["packets"]),
        int(fields["bytes"]),
        int(fields["records"]),
        None if last is None else from_iso(last),
        dict(fields["lost"]),
        dict(fields["noted"]),
        dict(fields["measured"]),
        _durable(fields["durable"]),
        tuple((from_iso(first), from_iso(until)) for first, until in fields["spells"]),
        None if interface is None else InterfaceState(**interface),
        int(fields.get("kept_apart", 0)),  # of an earlier version: none
    )
