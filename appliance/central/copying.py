"""Copies of what a central keeps of one site, each byte checked against what the site had signed for it."""

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from appliance.central import proofs
from appliance.central.objects import claim_of, path_of
from appliance.central.places import Central
from appliance.central.refusals import Unproven
from appliance.central.tables import Site, Stored
from appliance.model.errors import StorageError
from appliance.replication import names
from appliance.replication.names import Kind, ObjectName
from appliance.runtime.files import make_folder

_PIECE_BYTES = 1 << 20
_ROWS = 1000

HALVES = ".*.new"
"""What a copy is called until it is whole; a process that was killed leaves one."""


class Wrong(Exception):
    """Why an object cannot be taken, in words."""


class Copying:
    """Gives the objects of a site out of a central. What is not as it was signed raises Wrong."""

    def __init__(self, central: Central, site: Site) -> None:
        self.central = central
        self.site = site

    def rows(self) -> Iterator[Stored]:
        """Every object that is kept, lines apart, in the order in which they came."""
        last = 0
        while True:
            query = Stored.select().where(
                Stored.site == self.site,
                Stored.sequence > last,
                Stored.state == "kept",
                Stored.kind != Kind.CHAIN.value,
            )
            rows = list(query.order_by(Stored.sequence).limit(_ROWS).execute(self.central.database))
            if not rows:
                return
            yield from rows
            last = rows[-1].sequence

    def state(self, name: str) -> str | None:
        """Whether central has, or had, an object: kept, replaced, destroyed, or None."""
        query = Stored.select(Stored.state).where(Stored.site == self.site, Stored.name == name)
        found: str | None = query.scalar(self.central.database)
        return found

    def whole(self, name: str) -> bytes:
        """The bytes of a small object. Raises Wrong, StorageError."""
        query = Stored.select().where(Stored.site == self.site, Stored.name == name)
        row = query.get_or_none(self.central.database)
        if row is None or row.state != "kept":
            raise Wrong("is not here")
        return b"".join(self._pieces(row))

    def copy(self, row: Stored, home: Path, like: Path | None = None) -> None:
        """Write an object where it lay in its home, if it is not there already.

        `like` is a copy of it that was taken already: where the file system can, both are then one file.
        Durable once its file system is synced. Raises Wrong; StorageError if the store does not answer.
        """
        path = home / row.name
        if like and _joined(like, path):
            return
        if path.exists() and _digest(path) == bytes(row.sha256):
            return
        make_folder(path.parent)
        new = path.with_name(f".{path.name}.new")
        try:
            with open(new, "wb", opener=_private) as file:
                file.writelines(self._pieces(row))
            self._prove(names.parse(row.name), new)
            new.rename(path)
        finally:
            new.unlink(missing_ok=True)

    def _pieces(self, row: Stored) -> Iterator[bytes]:
        """The bytes; Wrong at their end if they are not those that the site had signed."""
        if not claim_of(self.site, row).holds(self.site.public_key):
            raise Wrong("is not what the box had signed: its row was changed")
        digest, size = hashlib.sha256(), 0
        try:
            for piece in self._read(row):
                digest.update(piece)
                size += len(piece)
                yield piece
        except KeyError:
            raise Wrong("is missing, though central has signed that it is here") from None
        except ConnectionError as error:
            raise StorageError("the store broke off; see that it can be reached") from error
        except (StorageError, OSError) as error:
            if not _is_one_file(error):
                raise  # the store is away: it says nothing of the object
            raise Wrong("cannot be read: the disk under it is damaged") from None
        if (digest.digest(), size) != (bytes(row.sha256), row.size_bytes):
            raise Wrong("was changed: its bytes are not those that central has signed for")

    def _read(self, row: Stored) -> Iterator[bytes]:
        path = path_of(self.site.fingerprint, row.name, bytes(row.sha256).hex())
        if row.kind == Kind.ENVELOPE:
            yield self.central.custody.get(path)
            return
        with self.central.store.open(path) as file:
            yield from _all(file)

    def _prove(self, name: ObjectName, path: Path) -> None:
        try:
            match name.kind:
                case Kind.ENVELOPE:
                    proofs.envelope(path.read_bytes(), name, self.site.public_key)
                case Kind.JOURNAL:
                    with path.open("rb") as file:
                        proofs.journal_head(file.read(proofs.HEADER_LIMIT_BYTES), name)
                case Kind.STATISTICS:
                    proofs.statistics(path.read_bytes(), name)
                case _:
                    pass  # a segment is what its line says: asked before
        except Unproven as error:
            raise Wrong(str(error)) from None


def _joined(like: Path, path: Path) -> bool:
    """Give a file a second name; whether that is done now. A stick knows no second names."""
    make_folder(path.parent)
    with contextlib.suppress(OSError):
        if path.exists() and not path.samefile(like):
            path.unlink()  # what an interrupted call had written, or of another branch
        if not path.exists():
            path.hardlink_to(like)
        return True
    return False


def _is_one_file(error: BaseException) -> bool:
    """Whether it is the disk under one file that failed: others can be read."""
    failed = error.__cause__ if isinstance(error, StorageError) else error
    return isinstance(failed, OSError) and failed.errno in (errno.EIO, errno.EBADMSG, errno.EUCLEAN)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _all(file: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: file.read(_PIECE_BYTES), b"")


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
