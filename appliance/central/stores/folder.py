"""A folder of files written once, each durable before it has its name: what stores and custody share.

Temporary files lie together in `.new`, so that those of a process that died are found without a walk.
"""

import contextlib
import errno
import hashlib
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from appliance.central.stores.paths import checked, checked_prefix
from appliance.model.errors import StorageError
from appliance.runtime.clock import now_ns
from appliance.runtime.files import make_folder, sync_folder, write_all

NEW = ".new"
_PIECE_BYTES = 1 << 20
_DAY_S = 86_400
_numbers = itertools.count()


class Folder:
    """Files by path beneath `root`, which is made if need be; `discard` takes away what is not wanted.

    `free_bytes` of its disk are left alone. Raises StorageError.
    """

    def __init__(self, root: Path, discard: Callable[[Path], None], free_bytes: int = 0) -> None:
        self.root = root
        self._discard = discard
        self._free_bytes = free_bytes
        with told(f"cannot use {root}"):
            make_folder(root / NEW)

    def place(self, path: str) -> Path:
        """Where a path lies. Raises ValueError."""
        return self.root / checked(path)

    def put(self, path: str, content: BinaryIO, size_bytes: int, sha256: str) -> None:
        """As `store.Store.put`."""
        final = self.place(path)
        self._keep_room(size_bytes)
        new = self.root / NEW / f"{os.getpid()}-{next(_numbers)}-{final.name}"
        try:
            _write(new, content, size_bytes, sha256)
            with told(f"cannot write {final}"):
                _name(new, final, sha256)
        finally:
            with contextlib.suppress(OSError):
                self._discard(new)

    def names(self, prefix: str) -> Iterator[tuple[str, int]]:
        """As `store.Store.names`."""
        folder = self.root / checked_prefix(prefix).rpartition("/")[0]
        with told(f"cannot read {folder}"):
            yield from ((path, size) for path, size in self._walk(folder) if path.startswith(prefix))

    def leave(self, folder: Path) -> None:
        """Make deletions in a folder durable, and remove it and its parents as far as they are empty."""
        while folder != self.root:
            with contextlib.suppress(FileNotFoundError):
                sync_folder(folder)
            try:
                folder.rmdir()
            except FileNotFoundError:
                pass
            except OSError:
                return
            folder = folder.parent
        sync_folder(folder)

    def tidy(self, age_s: int = _DAY_S) -> int:
        """Take away what processes that died were writing, once it is so old; how many files."""
        count = 0
        with told(f"cannot tidy {self.root / NEW}"):
            for path in sorted((self.root / NEW).iterdir()):
                if _age_s(path) > age_s:
                    self._discard(path)
                    count += 1
        return count

    def _keep_room(self, size_bytes: int) -> None:
        with told(f"cannot use {self.root}"):
            disk = os.statvfs(self.root)
        if self._free_bytes and disk.f_bavail * disk.f_frsize < self._free_bytes + size_bytes:
            raise StorageError(
                f"the disk of {self.root} is as full as its settings allow; give it room"
            ) from OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _walk(self, folder: Path) -> Iterator[tuple[str, int]]:
        try:
            found = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except FileNotFoundError:
            return
        for entry in found:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                with contextlib.suppress(FileNotFoundError):
                    yield str(Path(entry.path).relative_to(self.root)), entry.stat().st_size


@contextlib.contextmanager
def told(what: str) -> Iterator[None]:
    """Errors of the system as StorageError."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{what}: {error.strerror}; free or repair the disk") from error


def _write(new: Path, content: BinaryIO, size_bytes: int, sha256: str) -> None:
    """Write and sync exactly the bytes that were announced; ValueError for others."""
    digest, left = hashlib.sha256(), size_bytes
    with told(f"cannot write {new}"):
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        while left and (piece := content.read(min(left, _PIECE_BYTES))):
            digest.update(piece)
            with told(f"cannot write {new}"):
                write_all(handle, piece)
            left -= len(piece)
        if left:
            raise ValueError(f"is {left} bytes shorter than announced")
        if digest.hexdigest() != sha256:
            raise ValueError("is not what its hash says")
        with told(f"cannot write {new}"):
            os.fsync(handle)
    finally:
        os.close(handle)


def _name(new: Path, final: Path, sha256: str) -> None:
    """Give a written file its name, unless these bytes have it; durable on return."""
    for _ in range(100):
        try:
            make_folder(final.parent)
            if not _linked(new, final) and not _is(final, sha256):
                os.rename(new, final)  # it was damaged
            # Also where the bytes were there: whoever wrote them may have died before this.
            sync_folder(final.parent)
        except FileNotFoundError:
            continue  # the folder was empty, and a deletion beside us took it away
        return
    raise OSError(errno.EAGAIN, "the folder does not stay")


def _linked(new: Path, final: Path) -> bool:
    """Give a file its name; false if the name is taken."""
    try:
        os.link(new, final)
    except FileExistsError:
        return False
    return True


def _is(final: Path, sha256: str) -> bool:
    """Whether a file is there and holds these bytes."""
    try:
        with final.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return False


def _age_s(path: Path) -> float:
    """Seconds since a file was written; 0 if it is gone."""
    try:
        return (now_ns() - path.stat().st_mtime_ns) / 1e9
    except FileNotFoundError:
        return 0.0
