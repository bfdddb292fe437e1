"""What a home has to send: everything the chain fixes and that lives, whole journal files, statistics.

Read again and again while a recorder writes: the chain from where it was left, folders when they changed.
"""

import contextlib
import hashlib
import io
import os
import stat
import threading
import time
from dataclasses import dataclass
from typing import BinaryIO, Self, cast

from appliance.model.errors import DecodeError, ReplicationError, StorageError
from appliance.replication import names
from appliance.replication.lines import ChainItems
from appliance.replication.loose import Loose, opened
from appliance.replication.missing import Item, Urgency
from appliance.replication.names import Kind
from appliance.runtime.clock import Clock, now_ns
from appliance.vault import canonical, day_folder
from appliance.vault.names import Home

_CHUNK_BYTES = 1 << 20
_HASHES_KEPT = 4096


class Gone(Exception):
    """It is not there any more: a segment replaced it, or its day was destroyed. No error."""


@dataclass
class Content:
    """The bytes of an object, to be read once and closed.

    Where the box's own disk does not give them, `file.read` raises ReplicationError: then the object is at
    fault, and not the line or the stick that they were to go on.
    """

    sha256: str
    size_bytes: int
    file: BinaryIO


class Holdings:
    """A home as those see it who send it. `refresh`, then take `items`; safe between threads."""

    def __init__(self, home: Home, clock: Clock = now_ns) -> None:
        self._home = home
        self._chain = ChainItems(home)
        self._files = Loose(home, self._chain, clock)
        self._hashes: dict[tuple[str, int, int], str] = {}
        self._loose: list[Item] = []
        self._lock = threading.Lock()
        self._refreshed_at = -1e9
        self.items: tuple[Item, ...] = ()
        self.version = 0

    @property
    def fault(self) -> str | None:
        """Why the chain cannot be read to its end, in words; None if it can."""
        return self._chain.fault

    def refresh(self, older_than_s: float = 0.0) -> None:
        """Look what is there now, unless somebody just did; `version` grows if it is something else.

        Raises HomeError, StorageError.
        """
        with self._lock:
            now = time.monotonic()
            if now - self._refreshed_at < older_than_s:
                return
            changed = self._chain.refresh()
            try:
                loose = self._files.look()
            except OSError as error:
                raise StorageError(
                    f"cannot look into {self._home.path}: {error.strerror}; repair the disk"
                ) from error
            if changed or loose != self._loose:
                self._loose = loose
                self.items = (*self._chain.items.values(), *loose)
                self.version += 1
            self._refreshed_at = now

    def lines(self) -> list[Item]:
        """The lines of the chain, in order."""
        with self._lock:
            return list(self._chain.lines)

    def is_gone(self, name: str) -> bool:
        """Whether a receipt for it proves nothing any more: a journal file replaced, a day destroyed."""
        with contextlib.suppress(ValueError):
            told = names.parse(name)
            with self._lock:
                # One that is gone and not replaced was taken away: only its receipt shows that it was here.
                if told.kind is Kind.JOURNAL and name.rpartition("/")[2] in self._chain.replaced:
                    return True
                return told.key_id is not None and told.key_id in self._chain.ended
        return False

    def open(self, item: Item) -> Content:
        """The bytes of an item. Raises Gone, and ReplicationError if they are not what the chain fixes."""
        if item.urgency is Urgency.LINE:
            return self._line(item)
        try:
            file = opened(self._home.path / item.name)
        except FileNotFoundError:
            return self._packed(item)
        except OSError as error:
            raise _unreadable(item.name, error) from error
        try:
            content = self._checked(item, file)
        except OSError as error:
            file.close()
            raise _unreadable(item.name, error) from error
        except BaseException:
            file.close()
            raise
        content.file = cast(BinaryIO, _Own(item.name, file))
        return content

    def _packed(self, item: Item) -> Content:
        """Statistics that were packed since they were listed, or before."""
        path = self._home.path / item.name
        try:
            found = (
                day_folder.unpacked(path.parent, path.name) if item.urgency is Urgency.STATISTICS else None
            )
        except OSError as error:
            raise _unreadable(item.name, error) from error
        except DecodeError as error:
            raise ReplicationError(f"{item.name} cannot be unpacked: {error}") from error
        if found is None:
            raise Gone
        return Content(canonical.sha256(found), len(found), io.BytesIO(found))

    def _checked(self, item: Item, file: BinaryIO) -> Content:
        known = os.fstat(file.fileno())
        if not stat.S_ISREG(known.st_mode):
            raise ReplicationError(f"{item.name} is no file; see 'greffier verify'")
        if item.sha256 is not None:
            if known.st_size != item.size_bytes:
                raise ReplicationError(f"{item.name} is not as the chain fixes it; see 'greffier verify'")
            return Content(item.sha256, item.size_bytes, file)
        if item.urgency is Urgency.JOURNAL:
            with contextlib.suppress(OSError):  # what central has must not be lost here by a power cut
                os.fdatasync(file.fileno())
        return Content(self._hash(item.name, file, known), known.st_size, file)

    def _hash(self, name: str, file: BinaryIO, known: os.stat_result) -> str:
        key = (name, known.st_size, known.st_mtime_ns)
        found = self._hashes.get(key)
        if found is None:
            digest, left = hashlib.sha256(), known.st_size
            file.seek(0)
            while left and (chunk := file.read(min(left, _CHUNK_BYTES))):
                digest.update(chunk)
                left -= len(chunk)
            found = digest.hexdigest()
            if len(self._hashes) >= _HASHES_KEPT:
                self._hashes.clear()
            self._hashes[key] = found
        file.seek(0)
        return found

    def _line(self, item: Item) -> Content:
        with contextlib.suppress(OSError), self._home.chain.open("rb") as chain:
            chain.seek(item.offset)
            content = chain.read(item.size_bytes)
            if canonical.sha256(content) == item.sha256:
                return Content(item.sha256, item.size_bytes, io.BytesIO(content))
        raise ReplicationError("a line of the chain has changed since it was read; see 'greffier verify'")


class _Own:
    """A file of the home, on its way: see `Content`."""

    def __init__(self, name: str, file: BinaryIO) -> None:
        self._name = name
        self._file = file

    def read(self, size: int = -1) -> bytes:
        try:
            return self._file.read(size)
        except OSError as error:
            raise _unreadable(self._name, error) from error

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int) -> int:
        return self._file.seek(offset)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _unreadable(name: str, error: OSError) -> ReplicationError:
    return ReplicationError(f"cannot read {name}: {error.strerror}; see 'greffier verify'")
