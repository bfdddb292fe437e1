"""Files written once and durably: temporary name, fsync, rename, fsync of the folder."""

import contextlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from appliance.model.errors import StorageError


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Create a folder and its missing parents, for the owner only; their names are durable on return."""
    make_folders([folder])


def make_folders(folders: Iterable[Path]) -> None:
    """`make_folder` for several folders, with one sync a parent. Raises OSError."""
    parents: dict[Path, None] = {}
    for folder in folders:
        _make(folder, parents)
    for parent in parents:
        sync_folder(parent)


def _make(folder: Path, parents: dict[Path, None]) -> None:
    if not folder.is_dir():
        _make(folder.parent, parents)
        folder.mkdir(mode=0o700, exist_ok=True)
        parents[folder.parent] = None


def write_all(handle: int, content: bytes | memoryview) -> None:
    """Write everything: one system call may take less than it is given."""
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]


def write_once(path: Path, content: bytes | memoryview, mode: int = 0o600) -> None:
    """Write a whole file so that after a power cut it is there complete or not at all.

    Creates missing folders. Raises StorageError (with the reason of the system) and leaves no temporary
    file behind when the disk refuses.
    """
    write_many(((path, content),), mode)


def write_many(files: Sequence[tuple[Path, bytes | memoryview]], mode: int = 0o600) -> None:
    """`write_once` for several files, with one sync a folder; on StorageError none of them is left."""
    path = files[0][0]
    done: list[Path] = []
    try:
        make_folders(path.parent for path, _ in files)
        for path, content in files:
            _write_renamed(path, content, mode)
            done.append(path)
        for folder in dict.fromkeys(path.parent for path, _ in files):
            sync_folder(folder)
    except OSError as error:
        for written in done:
            with contextlib.suppress(OSError):
                written.unlink(missing_ok=True)
        raise StorageError(f"cannot write {path}: {error.strerror}; free or repair the disk") from error


def _write_renamed(path: Path, content: bytes | memoryview, mode: int) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        try:
            write_all(handle, content)
            os.fsync(handle)
        finally:
            os.close(handle)
        os.rename(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
