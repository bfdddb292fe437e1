"""The store: objects by name, written once. `tests/central/store_suite.py` is what every store must pass."""

import datetime as dt
from collections.abc import Iterator
from typing import BinaryIO, Protocol


class Store(Protocol):
    """Objects of all sites. A path is `SITE/NAME.SHA256`, so that one path never means two contents."""

    def put(
        self, path: str, content: BinaryIO, size_bytes: int, sha256: str, locked_until: dt.date | None
    ) -> None:
        """Keep exactly these bytes; durable on return.

        With `locked_until` nobody can delete them before that day, where the store knows locks; a day that
        has begun locks nothing. The content is hashed while it is written; ValueError if it is not as long or
        not what `sha256` says, and then nothing is left under the path. The same bytes again change nothing,
        or lock them for longer; damaged ones are replaced. Raises StorageError, and lets errors of `content`
        pass.
        """

    def open(self, path: str) -> BinaryIO:
        """The bytes of an object, to be closed. Raises KeyError if there is none, StorageError."""

    def delete(self, path: str) -> bool:
        """Remove an object, durably; false if a lock keeps it. One that is not there is no error."""

    def names(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Path and size of every object whose path begins so, in any order."""

    def close(self) -> None:
        """Let connections go."""
