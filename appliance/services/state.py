"""What a running recorder says of itself: `state/recorder-RUN.json`, for `greffier status`. No address."""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from appliance.model.instants import to_iso
from appliance.services.alarms import Alarms
from appliance.services.sources import SourceCounts


class StateFile:
    """Rewritten about once a second; never durable on purpose: it describes a process, not records."""

    def __init__(self, folder: Path, run_id: str) -> None:
        self._path = folder / f"recorder-{run_id}.json"
        self._run = run_id
        self._started = to_iso(time.time_ns())

    def write(self, sources: Sequence[SourceCounts], alarms: Alarms, ended: bool = False) -> bool:
        """Say how things stand; false where the disk refuses (the recorder's alarms say that already)."""
        content = {
            "run": self._run,
            "pid": os.getpid(),
            "started": self._started,
            "updated": to_iso(time.time_ns()),
            "ended": ended,
            "sources": [_source(source) for source in sources],
            "alarms": [
                {"kind": alarm.kind, "since": to_iso(alarm.since_ns), "message": alarm.message}
                for alarm in alarms
            ],
        }
        temporary = self._path.with_name(f".{self._path.name}.new")
        try:
            temporary.write_text(json.dumps(content))
            temporary.rename(self._path)
        except OSError:
            return False
        return True


def _source(source: SourceCounts) -> dict[str, object]:
    return {
        "name": source.name,
        "packets": source.packets,
        "bytes": source.bytes,
        "records": source.records,
        "last_record": None if source.last_ns is None else to_iso(source.last_ns),
        "kernel_drops": source.lost["kernel"],
    }
