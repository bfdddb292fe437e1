"""What lies in folders of a home and no line fixes: journal files that are whole, statistics.

Folders are listed again when they changed: a home of a year has a thousand of them. Statistics of days that
are over may lie packed: they are sent as they were written, under the same names.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from appliance.model.instants import NS, from_iso
from appliance.replication import names
from appliance.replication.lines import ChainItems
from appliance.replication.missing import Item, Urgency
from appliance.replication.names import Kind, ObjectName
from appliance.runtime.clock import Clock
from appliance.vault import day_folder, journal, liveness
from appliance.vault.names import Home

_WHOLE_NS = 32 * NS
"""A journal file is never added to later than 30 s after the second in its name (FORMAT.md); and a tick."""

_STILL_NS = 2 * NS


@dataclass(frozen=True)
class _Found:
    """A file in a folder that no line fixes."""

    name: ObjectName
    size_bytes: int
    changed_ns: int


class Loose:
    """The loose files of a home."""

    def __init__(self, home: Home, chain: ChainItems, clock: Clock) -> None:
        self._home = home
        self._chain = chain
        self._clock = clock
        self._folders: dict[Path, tuple[int, list[str]]] = {}
        self._statistics: dict[Path, tuple[int, list[Item]]] = {}
        self._with_rows: dict[str, tuple[tuple[int, int], bool]] = {}

    def look(self) -> list[Item]:
        """What is there to send now. Raises OSError."""
        return [*self._settled_journals(), *self._written_statistics()]

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
                if (whole or not live[run]) and self._holds_rows(folder / text, found):
                    yield Item(name, Urgency.JOURNAL, begun, found.size_bytes, None, found.name.day)
        for gone in self._with_rows.keys() - present:
            del self._with_rows[gone]

    def _holds_rows(self, path: Path, found: _Found) -> bool:
        """Whether a journal file has its header and one whole frame.

        One that a power cut left without holds nothing, and the next start removes it: it is not sent, for
        what central has signed for must not be gone here.
        """
        name, seen = found.name.text, (found.size_bytes, found.changed_ns)
        known = self._with_rows.get(name)
        if known is None or known[0] != seen:
            try:
                known = self._with_rows[name] = (seen, _has_frame(path))
            except OSError:
                return False
        return known[1]

    def _written_statistics(self) -> Iterator[Item]:
        folders = list(_day_folders(self._home.statistics, 1))
        for gone in self._statistics.keys() - set(folders):
            del self._statistics[gone]
        for folder in folders:
            changed_ns = _changed_ns(folder)
            kept = self._statistics.get(folder)
            if kept is None or kept[0] != changed_ns:
                items = [
                    Item(str(told), Urgency.STATISTICS, one.written_ns, one.size_bytes, None, told.day)
                    for one in day_folder.listed(folder)
                    if (told := _named(f"{Kind.STATISTICS}/{folder.name}/{one.name}"))
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


def _named(name: str) -> ObjectName | None:
    with contextlib.suppress(ValueError):
        return names.parse(name)
    return None


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


def _has_frame(path: Path) -> bool:
    """Whether a journal file begins as one of this name does and has a frame. Raises OSError."""
    with opened(path) as file:
        try:
            if journal.parse_header(file.readline(4096)).name != path.name:
                return False
        except ValueError:
            return False
        first = file.read(journal.FRAME_HEAD.size + journal.FRAME_LIMIT_BYTES)
        return any(journal.frames(memoryview(first), 0))


def opened(path: Path) -> BinaryIO:
    """A file itself, never what a link leads to; and without waiting for the other end of a pipe."""
    more = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return open(path, "rb", opener=lambda name, flags: os.open(name, flags | more))
