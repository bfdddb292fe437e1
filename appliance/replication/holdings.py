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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from appliance.model.errors import ReplicationError, StorageError
from appliance.model.instants import NS, from_iso
from appliance.replication import names
from appliance.replication.lines import ChainItems
from appliance.replication.missing import Item, Urgency
from appliance.replication.names import Kind, ObjectName
from appliance.runtime.clock import Clock, now_ns
from appliance.vault import canonical, journal, liveness
from appliance.vault.names import Home

_WHOLE_NS = 32 * NS
"""A journal file is never added to later than 30 s after the second in its name (FORMAT.md); and a tick."""

_STILL_NS = 2 * NS
_CHUNK_BYTES = 1 << 20
_HASHES_KEPT = 4096


class Gone(Exception):
    """It is not there any more: a segment replaced it, or its day was destroyed. No error."""


@dataclass
class Content:
    """The bytes of an object, to be read once and closed."""

    sha256: str
    size_bytes: int
    file: BinaryIO


@dataclass(frozen=True)
class _Found:
    """A file in a folder that no line fixes."""

    name: ObjectName
    size_bytes: int
    changed_ns: int


class Holdings:
    """A home as those see it who send it. `refresh`, then take `items`; safe between threads."""

    def __init__(self, home: Home, clock: Clock = now_ns) -> None:
        self._home = home
        self._clock = clock
        self._chain = ChainItems(home)
        self._folders: dict[Path, tuple[int, list[str]]] = {}
        self._statistics: dict[Path, tuple[int, list[Item]]] = {}
        self._hashes: dict[tuple[str, int, int], str] = {}
        self._journals: set[str] = set()
        self._headed: set[str] = set()
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
                loose = [*self._settled_journals(), *self._written_statistics()]
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
                if told.kind is Kind.JOURNAL:
                    return name not in self._journals
                return told.key_id is not None and told.key_id in self._chain.ended
        return False

    def open(self, item: Item) -> Content:
        """The bytes of an item. Raises Gone, and ReplicationError if they are not what the chain fixes."""
        if item.urgency is Urgency.LINE:
            return self._line(item)
        try:
            file = _opened(self._home.path / item.name)
        except FileNotFoundError:
            raise Gone from None
        except OSError as error:
            raise ReplicationError(
                f"cannot read {item.name}: {error.strerror}; see 'greffier verify'"
            ) from error
        try:
            return self._checked(item, file)
        except BaseException:
            file.close()
            raise

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

    def _settled_journals(self) -> Iterator[Item]:
        now, live, present = self._clock(), dict[str, bool](), set[str]()
        for folder in _day_folders(self._home.path / Kind.JOURNAL, 2):
            for text in self._listed(folder):
                name = f"{folder.relative_to(self._home.path)}/{text}"
                present.add(name)
                if name in self._chain.items or text in self._chain.replaced:
                    continue
                found = _found(folder / text, name)
                if found is None or found.name.kind is not Kind.JOURNAL:
                    continue
                run = journal.run_of(text)
                if run not in live:
                    live[run] = liveness.is_live(self._home, run)
                begun = _begun(text)
                whole = now >= begun + _WHOLE_NS and now - found.changed_ns >= _STILL_NS
                if (whole or not live[run]) and self._is_headed(folder / text):
                    yield Item(name, Urgency.JOURNAL, begun, found.size_bytes, None, found.name.day)
        self._journals = present
        self._headed &= present

    def _is_headed(self, path: Path) -> bool:
        """Whether a journal file has its header: one that a power cut left without holds nothing."""
        name = str(path.relative_to(self._home.path))
        if name not in self._headed:
            try:
                with _opened(path) as file:
                    if journal.parse_header(file.readline(4096)).name == path.name:
                        self._headed.add(name)
            except (OSError, ValueError):
                return False
        return name in self._headed

    def _written_statistics(self) -> Iterator[Item]:
        folders = list(_day_folders(self._home.statistics, 1))
        for gone in self._statistics.keys() - set(folders):
            del self._statistics[gone]
        for folder in folders:
            changed_ns = _changed_ns(folder)
            kept = self._statistics.get(folder)
            if kept is None or kept[0] != changed_ns:
                items = [
                    Item(name, Urgency.STATISTICS, found.changed_ns, found.size_bytes, None, found.name.day)
                    for text in sorted(os.listdir(folder))
                    if (found := _found(folder / text, name := f"{Kind.STATISTICS}/{folder.name}/{text}"))
                ]
                # A change within the same tick of the file system's clock would not show.
                fresh = self._clock() - changed_ns < NS
                kept = self._statistics[folder] = (-1 if fresh else changed_ns, items)
            yield from kept[1]

    def _listed(self, folder: Path) -> list[str]:
        changed_ns = _changed_ns(folder)
        known_ns, listed = self._folders.get(folder, (-1, []))
        if known_ns != changed_ns:
            with contextlib.suppress(FileNotFoundError):
                listed = sorted(os.listdir(folder))
            self._folders[folder] = (-1 if self._clock() - changed_ns < NS else changed_ns, listed)
        return listed


def _day_folders(room: Path, depth: int) -> Iterator[Path]:
    """The folders so many levels below a room."""
    try:
        found = [Path(entry.path) for entry in os.scandir(room) if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return
    for folder in sorted(found):
        if depth == 1:
            yield folder
        else:
            yield from _day_folders(folder, depth - 1)


def _changed_ns(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _found(path: Path, name: str) -> _Found | None:
    """A file under a name of ours; None for anything else, or if it is gone."""
    try:
        told = names.parse(name)
        known = path.lstat()
    except (ValueError, FileNotFoundError):
        return None
    return _Found(told, known.st_size, known.st_mtime_ns) if stat.S_ISREG(known.st_mode) else None


def _begun(text: str) -> int:
    """The second in the name of a journal file, `20260314T150000Z-...`."""
    day, _, clock = text.partition("Z")[0].partition("T")
    return from_iso(f"{day[:4]}-{day[4:6]}-{day[6:]}T{clock[:2]}:{clock[2:4]}:{clock[4:]}Z")


def _opened(path: Path) -> BinaryIO:
    """A file itself, never what a link leads to; and without waiting for the other end of a pipe."""
    more = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return open(path, "rb", opener=lambda name, flags: os.open(name, flags | more))
