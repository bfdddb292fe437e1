"""The chain as it stands, read from where it was left: a year has 18,000 lines, and a page is asked often."""

import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path

from appliance.model.errors import HomeError
from appliance.vault import chain
from appliance.vault.catalogue import Catalogue
from appliance.vault.chain import Entry, Head
from appliance.vault.names import Home


@dataclass(frozen=True)
class ChainNow:
    """What the chain says, for many to read and nobody to change. Each state has another `version`."""

    version: int
    entries: list[Entry]
    catalogue: Catalogue
    head: Head
    size_bytes: int


class ChainReader:
    """Reads a home's chain again and again; safe between threads."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._lock = threading.Lock()
        self._found: ChainNow | None = None
        self._file = (0, 0)
        self._read_bytes = 0
        self._version = 0
        self._error: HomeError | None = None
        self._failed = (0, 0, 0)

    def now(self) -> ChainNow:
        """Checks no signature: that is for `verify`. Raises HomeError."""
        with self._lock:
            status = _status(self._home.chain)
            state = (status.st_ino, status.st_size, status.st_mtime_ns)
            if self._error and self._failed == state:
                raise self._error
            try:
                found = self._look(status)
            except HomeError as error:
                self._error, self._failed, self._found = error, state, None
                raise
            self._error = None
            return found

    def _look(self, status: os.stat_result) -> ChainNow:
        file = (status.st_dev, status.st_ino)
        found = self._found
        if found is None or file != self._file or status.st_size < self._read_bytes:
            return self._anew(file)
        if status.st_size == self._read_bytes:
            return found
        return self._further(found, file)

    def _anew(self, file: tuple[int, int]) -> ChainNow:
        content = chain.content(self._home)
        lines, torn = chain.split_lines(content)
        entries = chain.read_lines(self._home, lines)
        if not entries:
            raise HomeError(f"{self._home.chain} has no line; restore it from a copy of the home")
        self._file = file
        self._read_bytes = len(content) - torn
        return self._keep(entries, Catalogue.of(entries))

    def _further(self, found: ChainNow, file: tuple[int, int]) -> ChainNow:
        """The lines that have come. Where they do not follow upon what was read it is another chain."""
        with self._home.chain.open("rb") as opened:
            opened.seek(self._read_bytes)
            lines, _ = chain.split_lines(opened.read())
        if not lines:
            return found  # a line is being written
        if _previous(lines[0]) != found.head.hash:
            return self._anew(file)
        added = chain.read_lines(self._home, lines, len(found.entries))
        catalogue = found.catalogue.copy()
        for entry in added:
            catalogue.add(entry)
        self._read_bytes += sum(map(len, lines))
        return self._keep([*found.entries, *added], catalogue)

    def _keep(self, entries: list[Entry], catalogue: Catalogue) -> ChainNow:
        self._version += 1
        head = Head(entries[-1].seq, entries[-1].hash)
        self._found = ChainNow(self._version, entries, catalogue, head, self._read_bytes)
        return self._found


def _status(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise HomeError(
            f"cannot read {path}: {error.strerror}; restore it from a copy of the home"
        ) from error


def _previous(line: bytes) -> str:
    try:
        return str(json.loads(line)["prev"])
    except (ValueError, KeyError, TypeError):
        return ""
