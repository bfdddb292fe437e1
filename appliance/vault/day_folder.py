"""The folder of a day's statistics: files as they were written, and the archive that others were packed into.

Packing takes nothing away from a reader: what he lists or reads here is the same before, meanwhile and after.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from appliance.model.errors import DecodeError
from appliance.vault import day_archive
from appliance.vault.day_archive import NAME, Packed

SUFFIX = ".jsonl"
SIZE_LIMIT = 1 << 26
"""Bytes of a file that are read: 262,144 cells make 40 MB."""


def contents(folder: Path) -> Iterator[tuple[str, bytes | None]]:
    """(name, content) of each file, packed or not; None: it is not ours. Raises OSError.

    A damaged archive is one that is not ours, by its own name.
    """
    # The archive comes last: what is packed at this moment is found twice, never not at all.
    yield from sorted({**loose(folder), **_packed(folder)}.items())


def loose(folder: Path) -> dict[str, bytes | None]:
    """`contents` of what is not packed, and of what is packed while this reads. Raises OSError."""
    found = {}
    for path in _loose(folder):
        with contextlib.suppress(FileNotFoundError):  # destroyed, or packed: then the archive has it
            found[path.name] = plain(path)
    return found


def listed(folder: Path) -> list[Packed]:
    """What there is, packed or not, in order; what cannot be read is left out. Raises OSError."""
    found = {}
    for path in _loose(folder):
        try:
            known = path.lstat()
        except FileNotFoundError:
            continue
        if stat.S_ISREG(known.st_mode):
            found[path.name] = Packed(path.name, known.st_size, known.st_mtime_ns, 0)
    with contextlib.suppress(DecodeError):  # `contents` tells of it
        found |= {one.name: one for one in day_archive.files_of(archived(folder) or b"")}
    return [found[name] for name in sorted(found)]


def archived(folder: Path) -> bytes | None:
    """The archive's own bytes; None where there is none, or what is there is no file. Raises OSError."""
    try:
        return plain(folder / NAME)
    except FileNotFoundError:
        return None


def unpacked(folder: Path, name: str) -> bytes | None:
    """A packed file's content; None if it is not packed here. Raises DecodeError, OSError."""
    archive = archived(folder)
    return None if archive is None else dict(day_archive.unpacked(archive)).get(name)


def plain(path: Path) -> bytes | None:
    """A file of ours, read without waiting; None for a link, a folder, a pipe, or what is too large.

    Raises OSError.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.ENODEV):  # a link, a socket, no such device
            return None
        raise
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        with open(handle, "rb", closefd=False) as file:
            content = file.read(SIZE_LIMIT + 1)
    finally:
        os.close(handle)
    return content if len(content) <= SIZE_LIMIT else None


def _packed(folder: Path) -> dict[str, bytes | None]:
    archive = archived(folder)
    if archive is None:
        return {NAME: None} if os.path.lexists(folder / NAME) else {}
    try:
        return dict(day_archive.unpacked(archive))
    except DecodeError:
        return {NAME: None}


def _loose(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{SUFFIX}"))
