"""What replication says of itself, a file a central: written in place every second, never durable on purpose.

It describes a process and counts objects; it holds no address of anybody.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.runtime import state_file
from appliance.runtime.recorder_state import Alarm

STATE = "state.json"


@dataclass(frozen=True)
class ReplicationState:
    """How it stands with one central. Instants in UTC nanoseconds, None where there was none yet.

    `doing` is sending, waiting (after a failure, until `again_ns`), resting (what is left has to wait for its
    hours, or is refused), idle or ended. `contact_ns` is when it
    last answered as itself, `receipt_ns` when it last signed for something new. `receipts` is how many count;
    `objects`, `size_bytes` and `oldest_ns` are what is still to go.
    """

    pid: int
    updated_ns: int
    doing: str = "idle"
    contact_ns: int | None = None
    receipt_ns: int | None = None
    receipts: int = 0
    objects: int = 0
    size_bytes: int = 0
    oldest_ns: int | None = None
    bytes_per_s: int = 0
    again_ns: int | None = None
    absent_receipts: int = 0
    alarms: tuple[Alarm, ...] = ()


class StateFile(state_file.InPlace):
    """The file of one central; it can be written on a full disk."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / STATE)

    def write(self, state: ReplicationState) -> bool:
        """Say how things stand; false where the disk refuses even that."""
        return self.overwrite(json.dumps(dataclasses.asdict(state)).encode())


def read(folder: Path) -> ReplicationState | None:
    """The state of a central; None if there is none, or a power cut tore it."""
    return state_file.read(folder / STATE, _state)


def _state(fields: dict[str, Any]) -> ReplicationState:
    alarms = tuple(
        Alarm(str(alarm["kind"]), int(alarm["since_ns"]), str(alarm["message"])) for alarm in fields["alarms"]
    )
    numbers = {
        name: None if fields[name] is None else int(fields[name])
        for name in (field.name for field in dataclasses.fields(ReplicationState))
        if name not in ("doing", "alarms")
    }
    return ReplicationState(doing=str(fields["doing"]), alarms=alarms, **numbers)  # type: ignore[arg-type]
