"""The chain as it stands, read from where it was left: a year has 18,000 lines, and a page is asked often."""

import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from appliance.model.errors import HomeError
from appliance.services.keeping.digest import Digest
from appliance.vault import chain
from appliance.vault.chain import Entry, Head
from appliance.vault.names import Home

PIECE_BYTES = 1 << 20


@dataclass(frozen=True)
class ChainNow:
    """What the chain says, for many to read and nobody to change. Each state has another `version`.

    Seals stand in it without their coverage and without what they replaced: the digest has joined that.
    """

    version: int
    entries: list[Entry]
    catalogue: Digest
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
        self._read_bytes = 0
        entries, digest = self._read([], Digest())
        if not entries:
            raise HomeError(f"{self._home.chain} has no line; restore it from a copy of the home")
        self._file = file
        return self._keep(entries, digest)

    def _further(self, found: ChainNow, file: tuple[int, int]) -> ChainNow:
        """The lines that have come. Where they do not follow upon what was read it is another chain."""
        with self._home.chain.open("rb") as opened:
            opened.seek(self._read_bytes)
            line = opened.readline()
        if not line.endswith(b"\n"):
            return found  # it is being written
        if _previous(line) != found.head.hash:
            return self._anew(file)
        return self._keep(*self._read(list(found.entries), found.catalogue.copy()))

    def _read(self, entries: list[Entry], digest: Digest) -> tuple[list[Entry], Digest]:
        """Add the whole lines from where reading was left, by pieces: a year is not held twice."""
        rest = b""
        with _opened(self._home.chain) as opened:
            opened.seek(self._read_bytes)
            while piece := opened.read(PIECE_BYTES):
                lines, torn = chain.split_lines(rest + piece)
                rest = (rest + piece)[-torn:] if torn else b""
                for entry in chain.read_lines(self._home, lines, len(entries)):
                    entries.append(digest.take(entry))  # noqa: PERF401 - counts lines for the error
                self._read_bytes += sum(map(len, lines))
        digest.settle()
        return entries, digest

    def _keep(self, entries: list[Entry], digest: Digest) -> ChainNow:
        self._version += 1
        head = Head(entries[-1].seq, entries[-1].hash)
        self._found = ChainNow(self._version, entries, digest, head, self._read_bytes)
        return self._found


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise _unreadable(path, error) from error


def _status(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> HomeError:
    return HomeError(f"cannot read {path}: {error.strerror}; restore it from a copy of the home")


def _previous(line: bytes) -> str:
    try:
        return str(json.loads(line)["prev"])
    except (ValueError, KeyError, TypeError):
        return ""
