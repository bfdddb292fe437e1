"""A stick as the courier carries it: which folders and files are Greffier's on it. Any file system will do.

    greffier/parcels/SITE-TIME-WRITING-NUMBER.parcel       from boxes, for centrals
    greffier/receipts/SITE-CENTRAL-TIME-READING.receipts   from centrals, for boxes

SITE and CENTRAL are the first 16 digits of fingerprints, TIME is UTC as `YYYYmmddTHHMMSSZ`, WRITING and
READING are 8 random hexadecimal digits. All names are in lower case but for TIME; there are no links, no
permissions and no file of 4 GiB, for FAT32 and exFAT know none. No file is ever written a second time.
"""

import contextlib
import errno
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from appliance.model.errors import StorageError, UsageError
from appliance.model.instants import to_iso
from appliance.replication.parcels import Head
from appliance.replication.receipts import LIMIT_BYTES
from appliance.runtime.files import sync_folder

PARCEL = re.compile(r"([0-9a-f]{16})-[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}-[0-9]{4}\.parcel", re.ASCII)
RECEIPTS = re.compile(r"([0-9a-f]{16})-([0-9a-f]{16})-[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}\.receipts", re.ASCII)
_NAMES_LIMIT = 100_000
"""More files than any stick of ours has: the rest is not looked at."""
_LINES_LIMIT = 1_000_000
"""More receipts than any one reading of a central writes for one site: the rest is not read."""
_SHORT = 16


@dataclass(frozen=True)
class Stick:
    """The folder where a stick is mounted. Once it is gone nothing is written there, into what is beneath."""

    path: Path
    _device: int = field(default=-1, init=False)

    def __post_init__(self) -> None:
        """Raises OSError."""
        object.__setattr__(self, "_device", os.stat(self.path).st_dev)

    @property
    def parcels(self) -> Path:
        return self.path / "greffier" / "parcels"

    @property
    def receipts(self) -> Path:
        return self.path / "greffier" / "receipts"

    def parcel_path(self, head: Head) -> Path:
        """Where the parcel of this head lies."""
        return (
            self.parcels
            / f"{head.site[:_SHORT]}-{_moment(head.at_ns)}-{head.writing}-{head.number:04d}.parcel"
        )

    def new_receipts_path(self, site: str, central: str, now_ns: int) -> Path:
        """Where one reading of one central puts its receipts to one site."""
        name = f"{site[:_SHORT]}-{central[:_SHORT]}-{_moment(now_ns)}-{secrets.token_hex(4)}.receipts"
        return self.receipts / name

    def parcels_found(self, site: str | None = None) -> list[Path]:
        """The parcels, oldest first; of one site where it is given. Raises StorageError."""
        return _named(self.parcels, PARCEL, site)

    def receipts_found(self, site: str) -> list[Path]:
        """The files of receipts to one site. Raises StorageError."""
        return _named(self.receipts, RECEIPTS, site)

    def make_folder(self, folder: Path) -> None:
        """Create one of the folders. Raises OSError."""
        self._check_plugged()
        for each in (self.path / "greffier", folder):
            if not each.is_dir() or each.is_symlink():
                each.mkdir()
                sync_folder(each.parent)

    def sync(self, folder: Path) -> None:
        """Make the names in a folder durable, where the stick's file system can. Raises OSError."""
        sync_folder(folder)

    def free_bytes(self) -> int:
        """What can still be written. Raises OSError."""
        self._check_plugged()
        room = os.statvfs(self.path)
        return room.f_bavail * room.f_frsize

    def _check_plugged(self) -> None:
        if os.stat(self.path).st_dev != self._device:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))


def at(path: Path) -> Stick:
    """The stick that is mounted somewhere. Raises UsageError if there is no folder."""
    with contextlib.suppress(OSError):
        if path.is_dir():
            return Stick(path)
    raise UsageError(f"{path} is not a folder that can be read; give the folder where the stick is mounted")


def lines(path: Path) -> Iterator[bytes]:
    """The whole lines of a file of receipts, newlines included; what is longer than a receipt is left out.

    Raises OSError as the stick does.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        skipping = False
        for _ in range(_LINES_LIMIT):
            if not (line := file.readline(LIMIT_BYTES + 1)):
                return
            whole = line.endswith(b"\n")
            if whole and not skipping and len(line) <= LIMIT_BYTES:
                yield line
            skipping = not whole


def _named(folder: Path, pattern: re.Pattern[str], site: str | None) -> list[Path]:
    """Files whose names are of a pattern. Names that differ in case only are one file on FAT."""
    found = []
    try:
        if folder.is_symlink() or folder.parent.is_symlink() or not folder.is_dir():
            return []
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                match = pattern.fullmatch(entry.name)
                if match and (site is None or match[1] == site[:_SHORT]):
                    found.append(Path(entry.path))
                if number >= _NAMES_LIMIT:
                    break
    except OSError as error:
        raise StorageError(
            f"cannot read the stick at {folder}: {error.strerror}; is it still there?"
        ) from error
    # By time and number: lines of the chain then come before what rests on them.
    return sorted(found, key=lambda path: path.name[_SHORT:])


def _moment(now_ns: int) -> str:
    return to_iso(now_ns)[:19].replace("-", "").replace(":", "") + "Z"
