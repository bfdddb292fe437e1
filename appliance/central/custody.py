"""Custody: envelopes, apart from everything else, because they must be able to vanish on their day.

No lock, no versions, no backup that is kept. Whoever holds one can read nothing without the custodians, and
without it nobody ever reads the day again.
"""

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from appliance.central.stores.folder import Folder, told
from appliance.runtime.files import write_all
from appliance.vault import canonical

_OLD_S = 3600


class Custody(Protocol):
    """Envelopes of all sites. A path is `SITE/NAME.SHA256`, as in a store."""

    def put(self, path: str, content: bytes) -> None:
        """Keep exactly these bytes; durable on return. Raises StorageError.

        As with a store the same bytes change nothing, and damaged ones are replaced.
        """

    def get(self, path: str) -> bytes:
        """The bytes of an envelope. Raises KeyError if there is none, StorageError."""

    def destroy(self, path: str) -> None:
        """Overwrite and delete, durably; one that is not there is no error. Raises StorageError."""

    def names(self, prefix: str) -> Iterator[str]:
        """The path of every envelope whose path begins so, in any order. Raises StorageError."""

    def close(self) -> None:
        """Let connections go."""


class FolderCustody:
    """A `Custody` in a folder, which is made if need be. Whether a disk keeps old blocks: see THREATS.md.

    `free_bytes` of its disk are left to the catalogue, which destroys nothing if it can write nothing.
    """

    def __init__(self, root: Path, free_bytes: int = 0) -> None:
        self._folder = Folder(root, _shred_copy, free_bytes)
        self._folder.tidy(_OLD_S)

    def put(self, path: str, content: bytes) -> None:
        """See `Custody`."""
        self._folder.put(path, io.BytesIO(content), len(content), canonical.sha256(content))

    def get(self, path: str) -> bytes:
        """See `Custody`."""
        place = self._folder.place(path)
        with told(f"cannot read {place}"):
            try:
                return place.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                raise KeyError(path) from None

    def destroy(self, path: str) -> None:
        """See `Custody`."""
        place = self._folder.place(path)
        with told(f"cannot destroy {place}"):
            _shred(place)
            self._folder.leave(place.parent)

    def names(self, prefix: str) -> Iterator[str]:
        """See `Custody`."""
        return (path for path, _ in self._folder.names(prefix))

    def close(self) -> None:
        """See `Custody`."""


def _shred(path: Path) -> None:
    """Overwrite, so that the blocks hold nothing, and delete."""
    with contextlib.suppress(FileNotFoundError):
        handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            write_all(handle, bytes(os.fstat(handle).st_size))
            os.fsync(handle)
        finally:
            os.close(handle)
        path.unlink()


def _shred_copy(path: Path) -> None:
    """Take a temporary file away: overwritten, unless it is the envelope itself under a second name."""
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_nlink > 1:
            path.unlink()
        else:
            _shred(path)
