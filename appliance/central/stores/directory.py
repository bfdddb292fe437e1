"""The store of one machine: objects are files of a folder, for their owner only. It knows no locks."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from appliance.central.stores.folder import Folder, told


class DirectoryStore:
    """A `store.Store` in a folder, which is made if need be; some room of its disk is left alone."""

    def __init__(self, root: Path, free_bytes: int = 0) -> None:
        self._folder = Folder(root, _remove, free_bytes)
        self._folder.tidy()

    def put(
        self, path: str, content: BinaryIO, size_bytes: int, sha256: str, locked_until: dt.date | None
    ) -> None:
        """See `store.Store`."""
        self._folder.put(path, content, size_bytes, sha256)

    def open(self, path: str) -> BinaryIO:
        """See `store.Store`."""
        place = self._folder.place(path)
        with told(f"cannot read {place}"):
            try:
                return place.open("rb")
            except (FileNotFoundError, NotADirectoryError):
                raise KeyError(path) from None

    def delete(self, path: str) -> bool:
        """See `store.Store`."""
        place = self._folder.place(path)
        with told(f"cannot delete {place}"):
            _remove(place)
            self._folder.leave(place.parent)
        return True

    def names(self, prefix: str) -> Iterator[tuple[str, int]]:
        """See `store.Store`."""
        return self._folder.names(prefix)

    def close(self) -> None:
        """See `store.Store`."""


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
