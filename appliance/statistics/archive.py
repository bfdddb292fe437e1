"""Days that are over, packed: a year of files is 300 MB of lines, and 20 MB of archives. See decision 082."""

import contextlib
import datetime as dt
import os
from collections.abc import Collection, ItemsView, Mapping
from pathlib import Path

from appliance.model.errors import DecodeError, StorageError
from appliance.model.instants import HOUR_NS, day_of
from appliance.runtime import locks
from appliance.runtime.files import sync_folder, write_once
from appliance.statistics import files
from appliance.vault import day_archive, day_folder
from appliance.vault.names import Home

REST_NS = 2 * HOUR_NS
"""A day is packed so long after its end: its last hour is closed, and was written."""

_LOCK = "statistics.lock"


def compact(home: Home, now_ns: int) -> int:
    """Pack what lies loose of days that are over; how many days were. Raises StorageError.

    A day with a draft waits until the next start of a recorder has made a file of it. Of two processes that
    would pack at once one does.
    """
    handle = locks.attempt(home.state / _LOCK)
    if handle is None:
        return 0
    try:
        return sum(
            _pack(home.statistics / str(day), day) for day in files.days(home) if day < _first_kept(now_ns)
        )
    except OSError as error:
        raise StorageError(
            f"cannot pack old statistics: {error.strerror}; free or repair the disk"
        ) from error
    finally:
        os.close(handle)


def _first_kept(now_ns: int) -> dt.date:
    return day_of(now_ns - REST_NS)


def _pack(folder: Path, day: dt.date) -> bool:
    if any(folder.glob(f"*{files.DRAFT}")):
        return False
    loose = {
        path.name: (content, path.lstat().st_mtime_ns)
        for path in folder.glob(f"*{day_folder.SUFFIX}")
        if (content := day_folder.plain(path)) is not None
    }
    if not loose:
        return False
    packed = _packed(folder)
    if packed is None:  # damaged: whoever reads is told, and nothing is put on top of it
        return False
    new, left_out = day_archive.pack(str(day), {**loose, **packed})
    if not loose.keys() - set(left_out) or packed.keys() & set(left_out):
        return False
    if dict(day_archive.unpacked(new)).items() != _but(left_out, loose, packed):
        raise StorageError(f"{folder} cannot be packed; this is a defect, please report it")
    write_once(folder / day_archive.NAME, new)
    for name, (content, _) in loose.items():
        if name not in left_out and packed.get(name, (content, 0))[0] == content:
            with contextlib.suppress(FileNotFoundError):
                (folder / name).unlink()
    sync_folder(folder)
    return True


def _but(left_out: Collection[str], *files: Mapping[str, tuple[bytes, int]]) -> ItemsView[str, bytes]:
    whole = {name: content for each in files for name, (content, _) in each.items()}
    return {name: content for name, content in whole.items() if name not in left_out}.items()


def _packed(folder: Path) -> dict[str, tuple[bytes, int]] | None:
    """What the archive of a day holds already, with when it was written; None if it cannot be read."""
    archive = day_folder.archived(folder)
    if archive is None:
        return None if os.path.lexists(folder / day_archive.NAME) else {}
    try:
        written = {file.name: file.written_ns for file in day_archive.files_of(archive)}
        return {name: (content, written[name]) for name, content in day_archive.unpacked(archive)}
    except DecodeError:
        return None
