"""The rollups of a home's statistics, kept in memory: a day is read again when its folder has changed."""

import dataclasses
import datetime as dt
import threading
import time
from pathlib import Path

import numpy as np

from appliance.model.errors import DecodeError, StorageError
from appliance.model.instants import NS
from appliance.runtime.clock import Clock, now_ns
from appliance.statistics import files
from appliance.statistics.day_rollup import DayRollup, rolled_up
from appliance.statistics.rollup import Rollup
from appliance.statistics.statements import line
from appliance.vault import day_archive, day_columns, day_folder
from appliance.vault.day_columns import Columns
from appliance.vault.names import Home

_LOOK_EVERY_S = 1.0
"""An hour is written once. To look into a year's folders takes some milliseconds."""

_JUST_S = 2.0
"""A change within the same tick of the file system's clock would not show."""


class Rollups:
    """One for the life of a process; safe between threads. The first call reads all there is."""

    def __init__(self, home: Home, clock: Clock = now_ns) -> None:
        self._home = home
        self._clock = clock
        self._lock = threading.Lock()
        self._days: dict[dt.date, tuple[int, DayRollup | None]] = {}
        self._joined = Rollup({})
        self._looked = float("-inf")

    def now(self) -> Rollup:
        """The days as they lie on the disk now. Raises StorageError."""
        with self._lock:
            if time.monotonic() - self._looked > _LOOK_EVERY_S:
                if self._refresh():
                    self._joined = Rollup(
                        {day: rollup for day, (_, rollup) in self._days.items() if rollup and rollup.lines}
                    )
                self._looked = time.monotonic()
            return self._joined

    @property
    def damaged_lines(self) -> int:
        """Lines that are not ours and were left out."""
        return sum(rollup.damaged for _, rollup in self._days.values() if rollup)

    def _refresh(self) -> bool:
        present = files.days(self._home)
        gone = self._days.keys() - set(present)
        for day in gone:
            del self._days[day]
        changed = bool(gone)
        for day in present:
            folder = self._home.statistics / str(day)
            changed_ns = _changed_ns(folder)
            known = self._days.get(day)
            if known is None or known[0] != changed_ns:
                fresh = self._clock() - changed_ns < _JUST_S * NS
                rollup = _rollup(folder, day)
                self._days[day] = -1 if fresh else changed_ns, rollup
                changed = True
        return changed


def _changed_ns(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _rollup(folder: Path, day: dt.date) -> DayRollup | None:
    """What a day comes to; None where nothing is told of it. Raises StorageError."""
    try:
        loose = day_folder.loose(folder)
        archive = day_folder.archived(folder)
    except OSError as error:
        raise StorageError(f"cannot read {folder}: {error.strerror}; check who owns it") from error
    damage = files.Damage()
    parts = _packed(archive, loose, day, damage)
    parts += _unpacked(loose, day, parts, damage)
    if not parts and not damage.lines:
        return None
    words = parts[-1][1].words if parts else ()
    lines = np.concatenate([np.zeros(0, day_columns.LINE), *(part.lines for _, part in parts)])
    cells = np.concatenate([np.zeros(0, day_columns.CELL), *(part.cells for _, part in parts)])
    runs = [run for of_part, _ in parts for run in of_part]
    rollup = rolled_up(Columns(str(day), lines, cells, words), runs)
    return dataclasses.replace(rollup, damaged=rollup.damaged + damage.lines)


_Part = tuple[list[str], Columns]
"""The run of each line, and the lines."""


def _packed(
    archive: bytes | None, loose: dict[str, bytes | None], day: dt.date, damage: files.Damage
) -> list[_Part]:
    try:
        if archive is not None:
            columns, packed = day_archive.opened(archive)
            for file in packed:
                loose.pop(file.name, None)
            if columns.day == str(day):
                return [([_run(file.name) for file in packed for _ in range(file.lines)], columns)]
    except DecodeError:
        pass
    damage.lines += archive is not None
    return []


def _unpacked(
    loose: dict[str, bytes | None], day: dt.date, packed: list[_Part], damage: files.Damage
) -> list[_Part]:
    """What is loose, line by line as `files.read` believes it."""
    words = {word: number for number, word in enumerate(packed[0][1].words)} if packed else {}
    parts: list[_Part] = []
    for name, content in loose.items():
        text = "".join(f"{line(one)}\n" for one in files.statements(content, day, damage)).encode()
        columns = day_columns.parsed(str(day), text, words)
        if columns is not None:
            parts.append(([_run(name)] * len(columns.lines), columns))
    return parts


def _run(name: str) -> str:
    return name.partition("-")[0]
