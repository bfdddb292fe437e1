"""The store that outgrows one machine: a bucket with object lock, of any S3-compatible store.

A path is a key, written once, on condition that there is none. What may not go before its day is locked in
compliance mode: neither we nor whoever steals our keys can delete it. Deleting means every version; what
hides behind a delete marker is still there, and is still found.
"""

import datetime as dt
import hashlib
import io
import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import IncompleteReadError as CutOffError
from botocore.response import StreamingBody

from appliance.central.stores.bucket import Bucket, checksum, status
from appliance.central.stores.paths import checked, checked_prefix, is_path
from appliance.model.errors import StorageError
from appliance.model.instants import day_of
from appliance.runtime.clock import now_ns

_PIECE_BYTES = 1 << 20
_MEMORY_BYTES = 4 << 20
"""Larger objects wait for their hash in a temporary file: nothing is sent that is not what it should be."""
_EXISTS = (409, 412)


class S3Store:
    """A `store.Store` in a bucket that locks."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._client = bucket.client

    def put(
        self, path: str, content: BinaryIO, size_bytes: int, sha256: str, locked_until: dt.date | None
    ) -> None:
        """See `store.Store`."""
        key = checked(path)
        locked_until = _to_come(locked_until)
        with tempfile.SpooledTemporaryFile(max_size=_MEMORY_BYTES) as spool:
            _fill(spool, content, size_bytes, sha256)
            with self._bucket.told("write to the bucket"):
                sent = self._sent(key, spool, size_bytes, sha256, locked_until, {"IfNoneMatch": "*"})
                if not sent and not self._is(key, sha256):  # it was damaged, or hidden
                    self._sent(key, spool, size_bytes, sha256, locked_until, {})
                elif not sent and locked_until:
                    self._lock(key, locked_until)

    def open(self, path: str) -> BinaryIO:
        """See `store.Store`."""
        with self._bucket.told("read from the bucket"):
            answer = self._found(checked(path))
        if answer is None:
            raise KeyError(path)
        return cast(BinaryIO, io.BufferedReader(_Body(answer["Body"]), _PIECE_BYTES))

    def delete(self, path: str) -> bool:
        """See `store.Store`."""
        return self._bucket.erase(checked(path))

    def names(self, prefix: str) -> Iterator[tuple[str, int]]:
        """See `store.Store`."""
        last = ""
        for version in self._bucket.versions(checked_prefix(prefix)):
            key = version["Key"]
            if "Size" in version and key != last and is_path(key):  # a key's versions follow each other
                last = key
                yield key, version["Size"]

    def close(self) -> None:
        """See `store.Store`."""
        self._bucket.close()

    def _sent(
        self,
        key: str,
        spool: Any,
        size_bytes: int,
        sha256: str,
        locked_until: dt.date | None,
        condition: dict[str, str],
    ) -> bool:
        """Send it; false if the key is taken. The store checks the hash again before it answers."""
        spool.seek(0)
        lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": _midnight(locked_until)}
        try:
            self._client.put_object(
                Bucket=self._bucket.name, Key=key, Body=spool, ContentLength=size_bytes,
                ChecksumSHA256=checksum(sha256), **condition, **(lock if locked_until else {}),
            )  # fmt: skip
        except ClientError as error:
            if condition and status(error) in _EXISTS:
                return False
            raise
        return True

    def _is(self, key: str, sha256: str) -> bool:
        """Whether what lies under a key, for all to see, is these bytes: read, not believed."""
        try:
            body = self._client.get_object(Bucket=self._bucket.name, Key=key)["Body"]
        except ClientError as error:
            if status(error) == 404:
                return False
            raise
        digest = hashlib.sha256()
        with _Body(body) as raw:
            while piece := raw.read(_PIECE_BYTES):
                digest.update(piece)
        return digest.hexdigest() == sha256

    def _lock(self, key: str, until: dt.date) -> None:
        """Lock what is there already, if its lock ends earlier: a lock can only be made longer."""
        which = {"Bucket": self._bucket.name, "Key": key}
        try:
            found = self._client.get_object_retention(**which)["Retention"].get("RetainUntilDate")
        except ClientError as error:
            if status(error) not in (400, 404):
                raise
            found = None
        if found is None or found < _midnight(until):
            wanted = {"Mode": "COMPLIANCE", "RetainUntilDate": _midnight(until)}
            self._client.put_object_retention(**which, Retention=wanted)

    def _found(self, key: str) -> dict[str, Any] | None:
        """The answer for a key, or for its newest version if a delete marker hides it."""
        which = {"Bucket": self._bucket.name, "Key": key}
        try:
            return cast(dict[str, Any], self._client.get_object(**which))
        except ClientError as error:
            if status(error) != 404:
                raise
        for version in self._bucket.versions(key):
            if version["Key"] == key and "Size" in version:
                return cast(dict[str, Any], self._client.get_object(**which, VersionId=version["VersionId"]))
        return None


class _Body(io.RawIOBase):
    """The bytes of an answer; a connection that breaks in the middle is StorageError, never an early end."""

    def __init__(self, body: StreamingBody) -> None:
        self._body = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            piece = self._body.read(len(buffer))
        except (CutOffError, HTTPClientError) as error:
            raise StorageError("the store broke off in the middle of an object; try again") from error
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._body.close()
        super().close()


def _fill(spool: Any, content: BinaryIO, size_bytes: int, sha256: str) -> None:
    """Take exactly the bytes that were announced; ValueError for others."""
    digest, left = hashlib.sha256(), size_bytes
    while left and (piece := content.read(min(left, _PIECE_BYTES))):
        digest.update(piece)
        try:
            spool.write(piece)
        except OSError as error:
            raise StorageError(
                f"cannot write a temporary file: {error.strerror}; free the disk of {tempfile.gettempdir()}"
            ) from error
        left -= len(piece)
    if left:
        raise ValueError(f"is {left} bytes shorter than announced")
    if digest.hexdigest() != sha256:
        raise ValueError("is not what its hash says")


def _to_come(day: dt.date | None) -> dt.date | None:
    """The day of a lock; None if it has begun: a store refuses a lock whose end is past."""
    return day if day and day > day_of(now_ns()) else None


def _midnight(day: dt.date | None) -> dt.datetime | None:
    return dt.datetime.combine(day, dt.time(), dt.UTC) if day else None
