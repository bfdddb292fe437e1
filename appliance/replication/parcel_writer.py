"""Writes a parcel: object after object, each whole or not at all, and in the end how many they are."""

import contextlib
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from appliance.model.errors import ReplicationError
from appliance.replication.claims import Claim
from appliance.replication.parcels import Closing, Head
from appliance.runtime.files import write_all
from appliance.vault import canonical, signing

_COPY_BYTES = 1 << 20


@dataclass
class ParcelWriter:
    """Writes one parcel, from its head on; `close` makes it whole. Raises OSError as the stick does."""

    path: Path
    head: Head
    signer: signing.Signer
    objects: int = 0
    content_bytes: int = 0
    size_bytes: int = 0
    _list: Any = field(default_factory=hashlib.sha256)
    _handle: int = -1

    def open(self) -> None:
        """Begin the file. It must not be there."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._handle = os.open(self.path, flags, 0o600)
        self._write(self.head.render())

    def add(self, claim: Claim, content: BinaryIO) -> bool:
        """Append an object; false, and nothing is left of it, if the bytes are not those of the claim.

        After an OSError, or a ReplicationError of the content, nothing is left of it either and the parcel
        can be closed, unless `is_open` says that the stick takes no orders any more.
        """
        before = self.size_bytes
        line = claim.render() + b"\n"
        try:
            self._write(line)
            whole = self._copy(claim, content)
            if whole:
                self._write(b"\n")
        except (OSError, ReplicationError):
            self._cut(before)
            raise
        if not whole:
            self._cut(before)
            return False
        self._list.update(line)
        self.objects += 1
        self.content_bytes += claim.size_bytes
        return True

    def close(self, last: bool) -> None:
        """Make the objects durable, then say and sign how many they are."""
        os.fsync(self._handle)
        head = canonical.sha256(self.head.render())
        closing = Closing(
            self.head.site, head, self._list.hexdigest(), self.objects, self.content_bytes, last
        )
        self._write(closing.signed(self.signer).render())
        os.fsync(self._handle)
        self.abandon()

    @property
    def is_open(self) -> bool:
        return self._handle >= 0

    def abandon(self) -> None:
        """Let the file go as it is; a stick that is gone has nothing more to say about it."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            with contextlib.suppress(OSError):
                os.close(handle)

    def _copy(self, claim: Claim, content: BinaryIO) -> bool:
        digest = hashlib.sha256()
        left = claim.size_bytes
        while left:
            chunk = content.read(min(left, _COPY_BYTES))
            if not chunk:
                return False
            digest.update(chunk)
            left -= len(chunk)
            self._write(chunk)
        return not content.read(1) and digest.hexdigest() == claim.sha256

    def _write(self, content: bytes) -> None:
        write_all(self._handle, content)
        self.size_bytes += len(content)

    def _cut(self, size: int) -> None:
        try:
            os.ftruncate(self._handle, size)
            os.lseek(self._handle, size, os.SEEK_SET)
        except OSError:
            self.abandon()
            raise
        self.size_bytes = size
