"""Reads a parcel as it lies on a stick, which may be cut off, damaged, or somebody else's work.

Nothing found here is believed for being found: claims are signed and bytes are hashed where they are taken.
What is found is where whole objects lie, as many as can be made out.
"""

import contextlib
import hashlib
import io
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, cast

from appliance.replication import claims, parcels
from appliance.replication.claims import Claim
from appliance.replication.parcels import Closing, Head
from appliance.vault import canonical

_MARK = b'{"format":"greffier claim 1",'
"""How every claim begins: where to go on behind damage."""
_SEARCH_BYTES = 1 << 16
_READ_FAILURES = 16
"""A worn stick has bad places; one that was pulled out has nothing else."""


class State(StrEnum):
    """How a parcel was found."""

    WHOLE = "whole"
    CUT_OFF = "cut off"
    DAMAGED = "damaged"
    UNREADABLE = "not readable"


@dataclass(frozen=True, slots=True)
class Found:
    """An object in a parcel: its claim, unchecked, and where its bytes begin."""

    claim: Claim
    start: int


@dataclass
class Contents:
    """What a parcel holds. `closing` is unchecked but for agreeing with what was found."""

    head: Head | None = None
    found: list[Found] = field(default_factory=list)
    closing: Closing | None = None
    damages: int = 0
    broken: bool = False
    too_many: bool = False

    @property
    def state(self) -> State:
        if self.broken:
            return State.UNREADABLE
        if self.damages or self.too_many:
            return State.DAMAGED
        return State.WHOLE if self.head and self.closing else State.CUT_OFF


class Parcel:
    """An open parcel. Raises OSError if the stick does not give it, ValueError if it is no plain file."""

    def __init__(self, path: Path) -> None:
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        self.failures = 0
        """Reads of contents that the stick refused."""
        self._handle = os.open(path, flags)
        status = os.fstat(self._handle)
        self.size_bytes = status.st_size
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise ValueError("is not a plain file")

    def close(self) -> None:
        os.close(self._handle)

    def contents(self) -> Contents:
        """Find every object that lies whole in it, in order, at most OBJECT_LIMIT of them."""
        found = Contents()
        listed = hashlib.sha256()
        position = self._read_head(found)
        while position < self.size_bytes and not found.broken:
            position = self._read_entry(position, found, listed)
            if len(found.found) > parcels.OBJECT_LIMIT:
                found.found.pop()
                found.too_many = True
                break
        if found.closing and not self._agrees(found, listed.hexdigest()):
            found.damages += 1
        return found

    def content(self, found: Found) -> BinaryIO:
        """The bytes of an object. Reading raises OSError where the stick does not give them."""
        raw = _Piece(self, found.start, found.claim.size_bytes)
        return cast(BinaryIO, io.BufferedReader(raw, _SEARCH_BYTES))

    def read_at(self, position: int, size_bytes: int) -> bytes:
        """Some bytes of contents. Raises OSError, which is counted."""
        try:
            return os.pread(self._handle, size_bytes, position)
        except OSError:
            self.failures += 1
            raise

    def _read_head(self, found: Contents) -> int:
        line = self._line(0, found)
        with contextlib.suppress(ValueError):
            found.head = parcels.parse_head(line)
            return len(line)
        return 0

    def _read_entry(self, position: int, found: Contents, listed: "hashlib._Hash") -> int:
        """Take what begins at a position; where to go on."""
        line = self._line(position, found)
        with contextlib.suppress(ValueError):
            claim = claims.parse(line.removesuffix(b"\n"))
            start = position + len(line)
            end = start + claim.size_bytes
            if self._ends_at(end):
                found.found.append(Found(claim, start))
                listed.update(line)
                return end + 1
            return self._next(start, found, cut_off=end >= self.size_bytes)
        with contextlib.suppress(ValueError):
            found.closing = parcels.parse_closing(line)
            if position + len(line) == self.size_bytes:
                return self.size_bytes
            found.closing = None
        cut_off = not line.endswith(b"\n") and position + len(line) == self.size_bytes
        return self._next(position + 1, found, cut_off)

    def _next(self, position: int, found: Contents, cut_off: bool) -> int:
        """Where the next claim begins behind what is not whole; that is damage unless none follows."""
        after = self._search(position, found)
        if after < self.size_bytes or not cut_off:
            found.damages += 1
        return after

    def _search(self, position: int, found: Contents) -> int:
        failures = 0
        while position < self.size_bytes:
            try:
                window = os.pread(self._handle, _SEARCH_BYTES, position)
            except OSError:
                failures += 1
                if failures >= _READ_FAILURES:
                    found.broken = True
                    break
                position = (position // 4096 + 1) * 4096
                continue
            at = window.find(_MARK)
            if at >= 0:
                return position + at
            if not window or position + len(window) >= self.size_bytes:
                break
            position += max(1, len(window) - len(_MARK))
        return self.size_bytes

    def _line(self, position: int, found: Contents) -> bytes:
        """The line at a position, with its newline if it has one; empty if it cannot be read."""
        try:
            window = os.pread(self._handle, parcels.LINE_LIMIT_BYTES, position)
        except OSError:
            found.damages += 1
            return b""
        end = window.find(b"\n") + 1
        return window[:end] if end else window

    def _ends_at(self, end: int) -> bool:
        try:
            return end < self.size_bytes and os.pread(self._handle, 1, end) == b"\n"
        except OSError:
            return False

    def _agrees(self, found: Contents, listed: str) -> bool:
        closing, head = found.closing, found.head
        assert closing
        total = sum(one.claim.size_bytes for one in found.found)
        return head is not None and (
            closing.site, closing.head, closing.list, closing.objects, closing.size_bytes
        ) == (head.site, canonical.sha256(head.render()), listed, len(found.found), total)  # fmt: skip


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Parcel]:
    """A parcel, closed in the end. Raises as Parcel does."""
    parcel = Parcel(path)
    try:
        yield parcel
    finally:
        parcel.close()


class _Piece(io.RawIOBase):
    """Some bytes of an open file, as a file."""

    def __init__(self, parcel: Parcel, start: int, size: int) -> None:
        self._parcel = parcel
        self._at = start
        self._end = start + size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        wanted = min(len(buffer), self._end - self._at)
        content = self._parcel.read_at(self._at, wanted) if wanted else b""
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)
