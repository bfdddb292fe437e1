"""The memory of living processes, and a search for many short patterns in a lot of bytes."""

import contextlib
import re
from collections.abc import Iterable, Iterator
from io import FileIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_MAPPING = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (r.)\S+ \S+ \S+ *\d+ *(.*)$")
_UNREADABLE = ("[vvar]", "[vsyscall]", "[vvar_vclock]")
_CHUNK_BYTES = 1 << 20
_OVERLAP_BYTES = 256
"""Longer than any pattern."""


def pieces(pid: int) -> Iterator[bytes]:
    """What a process has in its memory now: every mapping that it may read, but for files it cannot write to.

    Those are programs and libraries as they lie on the disk. What was never touched is left out, too.
    """
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        maps = Path(f"/proc/{pid}/maps").read_text()
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            for line in maps.splitlines():
                found = _MAPPING.match(line)
                if found and (found[3] == "rw" or not found[4].startswith("/")):
                    yield from _mapping(memory, int(found[1], 16), int(found[2], 16), found[4])


def _mapping(memory: FileIO, start: int, end: int, name: str) -> Iterator[bytes]:
    if name in _UNREADABLE:
        return
    for place in range(start, end, _CHUNK_BYTES):
        with contextlib.suppress(OSError, OverflowError):
            memory.seek(place)
            content = memory.read(min(end, place + _CHUNK_BYTES + _OVERLAP_BYTES) - place)
            if content.count(0) < len(content):
                yield content


class Finder:
    """Finds which of many patterns, of four bytes or more, occur; a hundred megabytes take seconds."""

    def __init__(self, patterns: Iterable[bytes]) -> None:
        self.patterns = sorted(set(patterns))
        self._at: dict[bytes, list[tuple[int, bytes]]] = {}
        for pattern in self.patterns:
            assert 4 <= len(pattern) < _OVERLAP_BYTES
            start = _rarest(pattern)
            self._at.setdefault(pattern[start : start + 4], []).append((start, pattern))
        windows = np.array([int.from_bytes(window, "little") for window in self._at], np.uint32)
        self._windows = np.zeros(1 << 20, bool)
        self._windows[_mixed(windows)] = True
        self._low = np.zeros(1 << 16, bool)
        self._low[windows & 0xFFFF] = True

    def found(self, content: bytes) -> set[bytes]:
        """The patterns that are in it."""
        raw = np.frombuffer(content, np.uint8)
        if len(raw) < 4:
            return set()
        low = raw[:-3].astype(np.uint16) | raw[1:-2].astype(np.uint16) << 8
        places = np.flatnonzero(self._low[low])
        windows = low[places].astype(np.uint32) | raw[places + 2].astype(np.uint32) << 16
        windows |= raw[places + 3].astype(np.uint32) << 24
        places = places[self._windows[_mixed(windows)]]
        found: set[bytes] = set()
        for place in places.tolist():
            for start, pattern in self._at.get(content[place : place + 4], ()):
                if start <= place and content.startswith(pattern, place - start):
                    found.add(pattern)
        return found


def _mixed(windows: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """20 bits of each, so that a table says which to look at."""
    return windows * np.uint32(2654435761) >> np.uint32(12)


def _rarest(pattern: bytes) -> int:
    """Where those four bytes of a pattern begin that occur least elsewhere: as different as can be."""
    return max(
        range(len(pattern) - 3),
        key=lambda start: (len(set(pattern[start : start + 4]) - {0, 255}), -start),
    )
