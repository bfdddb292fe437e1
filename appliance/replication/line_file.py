"""A file that grows by whole lines: a torn end is cut off, what the disk refuses leaves nothing behind."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from appliance.model.errors import HomeError, StorageError
from appliance.runtime.files import make_folder, sync_folder, write_all

_SPAN_BYTES = 4096


class LineFile:
    """Open for appending, one process at a time."""

    def __init__(self, path: Path) -> None:
        """Makes it if there is none. Raises StorageError."""
        self._path = path
        try:
            make_folder(path.parent)
            is_new = not path.exists()
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            size = os.fstat(self._handle).st_size
            whole = _whole(self._handle, size)
            if whole < size:
                os.ftruncate(self._handle, whole)
            os.lseek(self._handle, 0, os.SEEK_END)
            if is_new:
                sync_folder(path.parent)
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror}; make the disk writable") from error

    def append(self, content: bytes) -> None:
        """Add whole lines, not durable yet. On OSError the file is as before."""
        size = os.fstat(self._handle).st_size
        try:
            write_all(self._handle, content)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, size)
                os.lseek(self._handle, 0, os.SEEK_END)
            raise

    def sync(self) -> None:
        """Make durable what was added. Raises OSError."""
        os.fdatasync(self._handle)

    def close(self) -> None:
        """Let it go."""
        os.close(self._handle)


def whole_lines(path: Path) -> Iterator[bytes]:
    """The whole lines of such a file, newlines included; none if there is no file. Raises HomeError."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise HomeError(f"cannot read {path}: {error.strerror}; check who owns it") from error
    yield from content[: content.rfind(b"\n") + 1].splitlines(keepends=True)


def append_durably(path: Path, line: bytes) -> None:
    """Add one line to a file, durable on return. Raises StorageError, and then the file is as before."""
    file = LineFile(path)
    try:
        file.append(line)
        file.sync()
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}; free or repair the disk") from error
    finally:
        file.close()


def _whole(handle: int, size: int) -> int:
    """The length without a torn end, reading from the end."""
    end = size
    while end:
        start = max(0, end - _SPAN_BYTES)
        newline = os.pread(handle, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
