"""A file in which a process says how it stands, over and over: written in place, never durable on purpose."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

_STEP_BYTES = 4096

T = TypeVar("T")


class InPlace:
    """Such a file, with its room taken from the disk beforehand, so that it can be written on a full one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = -1
        self._room = 0

    def overwrite(self, content: bytes) -> bool:
        """Say something else; false where the disk refuses even that."""
        try:
            if self._handle < 0:
                self._handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
                self._room = max(self._room, os.fstat(self._handle).st_size)  # of an earlier process
            if len(content) > self._room:  # twice what is needed: alarms come when no more can be had
                self._room = (2 * len(content) // _STEP_BYTES + 2) * _STEP_BYTES
            return os.pwrite(self._handle, content.ljust(self._room), 0) >= len(content)
        except OSError:
            return False

    def close(self) -> None:
        """Let the file go; it stays as last written."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def read(path: Path, parse: Callable[[Any], T]) -> T | None:
    """What such a file says in JSON; None if it is missing, torn by a power cut, or of another form."""
    try:
        return parse(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
